package discovery_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/discovery"
	"github.com/certbearer/certbearer/extauthz/signer"
)

func newKeys(t *testing.T) *signer.Keys {
	t.Helper()
	keys, err := signer.Open(t.Context(), t.TempDir(), signer.Options{Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// ask sends one request to a handler for the keys, with a maximum age of five
// minutes and a half second.
func ask(keys *signer.Keys, method string, header http.Header) *http.Response {
	handler := discovery.JWKS(func() *signer.Keys { return keys }, 5*time.Minute+time.Second/2)
	request := httptest.NewRequest(method, discovery.JWKSPath, nil)
	for name, values := range header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Result()
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// answer is what of a response matters to whoever asked.
type answer struct {
	Status                     int
	Caching, Type, Allow, Body string
}

func TestJWKSAnswers(t *testing.T) {
	keys := newKeys(t)
	set := string(keys.JWKS())
	tag := ask(keys, http.MethodGet, nil).Header.Get("ETag")
	const fresh = "public, max-age=300"
	tests := map[string]struct {
		keys   *signer.Keys
		method string
		ifNone string
		want   answer
	}{
		"GET has the set":                        {keys, http.MethodGet, "", answer{200, fresh, "application/json", "", set}},
		"HEAD has the header of GET":             {keys, http.MethodHead, "", answer{200, fresh, "application/json", "", ""}},
		"GET of what the asker has":              {keys, http.MethodGet, tag, answer{304, fresh, "", "", ""}},
		"GET of one of those that the asker has": {keys, http.MethodGet, `"a", W/` + tag, answer{304, fresh, "", "", ""}},
		"GET of another than the asker has":      {keys, http.MethodGet, `"a"`, answer{200, fresh, "application/json", "", set}},
		"GET with a tag that is none":            {keys, http.MethodGet, `a,,"`, answer{200, fresh, "application/json", "", set}},
		"HEAD of what the asker has":             {keys, http.MethodHead, tag, answer{304, fresh, "", "", ""}},
		"POST":                                   {keys, http.MethodPost, "", answer{405, "no-store", "", "GET, HEAD", ""}},
		"OPTIONS":                                {keys, http.MethodOptions, "", answer{405, "no-store", "", "GET, HEAD", ""}},
		"a method that nobody knows":             {keys, "get", "", answer{405, "no-store", "", "GET, HEAD", ""}},
		"GET before there are keys":              {nil, http.MethodGet, "", answer{503, "no-store", "", "", ""}},
		"GET with any tag before there are keys": {nil, http.MethodGet, "*", answer{503, "no-store", "", "", ""}},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			header := http.Header{}
			if test.ifNone != "" {
				header.Set("If-None-Match", test.ifNone)
			}
			response := ask(test.keys, test.method, header)
			got := answer{response.StatusCode, response.Header.Get("Cache-Control"),
				response.Header.Get("Content-Type"), response.Header.Get("Allow"), body(t, response)}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheTagChangesWithTheKeysOnly(t *testing.T) {
	one, other := newKeys(t), newKeys(t)
	tag := func(keys *signer.Keys) string { return ask(keys, http.MethodGet, nil).Header.Get("ETag") }
	first, again := tag(one), tag(one)
	if first != again || first == tag(other) {
		t.Errorf("tags %s and %s, of other keys %s", first, again, tag(other))
	}
	if !strings.HasPrefix(tag(one), `"`) {
		t.Errorf("the tag %s is not a strong one", tag(one))
	}
}

func TestOtherConditionsAndRangesDoNotChangeTheAnswer(t *testing.T) {
	keys := newKeys(t)
	for name, value := range map[string]string{
		"Range": "bytes=0-3", "If-Match": `"a"`, "If-Modified-Since": "Mon, 01 Jan 2035 00:00:00 GMT",
		"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT",
	} {
		response := ask(keys, http.MethodGet, http.Header{name: {value}})
		if got := body(t, response); response.StatusCode != http.StatusOK || got != string(keys.JWKS()) {
			t.Errorf("%s: status %d, body %q", name, response.StatusCode, got)
		}
	}
}

func TestANegativeAgeIsNone(t *testing.T) {
	keys := newKeys(t)
	recorder := httptest.NewRecorder()
	discovery.JWKS(func() *signer.Keys { return keys }, -time.Hour).
		ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, discovery.JWKSPath, nil))
	if got := recorder.Header().Get("Cache-Control"); got != "public, max-age=0" {
		t.Errorf("Cache-Control %q", got)
	}
}
