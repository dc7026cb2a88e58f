package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFetchingAKeySetStaysWithinItsBounds(t *testing.T) {
	const good = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`
	answers := map[string]http.HandlerFunc{
		"/good":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(good)) },
		"/missing": http.NotFound,
		"/large":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxKeySetBytes+1)) },
		"/moved":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/good", http.StatusFound) },
		"/around":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/around", http.StatusFound) },
		"/file": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		},
	}
	mux := http.NewServeMux()
	for path, handler := range answers {
		mux.Handle(path, handler)
	}
	server := httptest.NewServer(mux)
	defer server.Close()

	for sentence, c := range map[string]struct{ path, want string }{
		"a key set is taken":                    {"/good", ""},
		"a redirect is followed":                {"/moved", ""},
		"another status is none":                {"/missing", "answers 404"},
		"more than a MiB is not read":           {"/large", "answers more than 1048576 bytes"},
		"redirects end":                         {"/around", "more than 3 redirects"},
		"a redirect to a file is not a key set": {"/file", "a redirect to where no key set is fetched from"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := loadKeySet(t.Context(), server.URL+c.path, "")
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestARedirectNeverLeavesTLS(t *testing.T) {
	plain := httptest.NewRequest(http.MethodGet, "http://keys.example/", nil)
	tls := httptest.NewRequest(http.MethodGet, "https://keys.example/", nil)
	if checkRedirect(plain, []*http.Request{tls}) == nil {
		t.Error("https may lead to http")
	}
	if err := checkRedirect(tls, []*http.Request{plain}); err != nil {
		t.Errorf("http may not lead to https: %v", err)
	}
}
