package tokenendpoint_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
)

// failing is a body that breaks off.
type failing struct{ io.Reader }

func (f failing) Read(p []byte) (int, error) {
	if n, err := f.Reader.Read(p); err == nil {
		return n, nil
	}
	return 0, errors.New("the connection has gone")
}

func TestWhatARequestHasToLookLike(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	const good = "grant_type=client_credentials&client_id=lab-partner"
	typed := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Content-Type"] = values }
	}
	as := func(method string) func(*http.Request) {
		return func(r *http.Request) {
			r.Method = method
			r.Header.Set(peercert.StatementHeader, statementOf(t, leaf, tokenendpoint.TokenPath, method))
		}
	}
	queried := func(query string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = query } }
	none := func(*http.Request) {}
	for sentence, test := range map[string]struct {
		body   string
		change func(*http.Request)
		want   string
	}{
		"a form":                                {good, none, "OK"},
		"a form with its charset":               {good, typed("application/x-www-form-urlencoded; charset=UTF-8"), "OK"},
		"a form's type in other case":           {good, typed("Application/X-WWW-Form-Urlencoded"), "OK"},
		"no type":                               {good, typed(), "Bad Request invalid_request"},
		"an empty type":                         {good, typed(""), "Bad Request invalid_request"},
		"two types":                             {good, typed("application/x-www-form-urlencoded", "application/json"), "Bad Request invalid_request"},
		"JSON":                                  {`{"grant_type":"client_credentials","client_id":"lab-partner"}`, typed("application/json"), "Bad Request invalid_request"},
		"a form that is called JSON":            {good, typed("application/json"), "Bad Request invalid_request"},
		"a multipart form":                      {good, typed("multipart/form-data; boundary=x"), "Bad Request invalid_request"},
		"GET":                                   {"", as("GET"), "Method Not Allowed invalid_request"},
		"GET with the parameters in the query":  {"", func(r *http.Request) { as("GET")(r); r.URL.RawQuery = good }, "Method Not Allowed invalid_request"},
		"PUT":                                   {good, as("PUT"), "Method Not Allowed invalid_request"},
		"OPTIONS":                               {"", as("OPTIONS"), "Method Not Allowed invalid_request"},
		"a method of other case":                {good, as("post"), "Method Not Allowed invalid_request"},
		"nothing":                               {"", none, "Bad Request invalid_request"},
		"all parameters in the query":           {"", queried(good), "Bad Request invalid_request"},
		"the client in the query":               {"grant_type=client_credentials", queried("client_id=lab-partner"), "Bad Request invalid_request"},
		"another client in the query, not read": {good, queried("client_id=other&client_secret=x&scope=x"), "OK"},
		"a parameter that nobody knows":         {good + "&x=y", none, "OK"},
		"a parameter of other case, which is another": {good + "&Scope=x", none, "OK"},
		"a parameter without a value":                 {good + "&scope", none, "OK"},
		"a parameter with an empty one":               {good + "&scope=&client_secret=&client_assertion=", none, "OK"},
		"a grant that stands twice":                   {good + "&grant_type=client_credentials", none, "Bad Request invalid_request"},
		"a scope that stands twice":                   {good + "&scope=&scope=", none, "Bad Request invalid_request"},
		"an unknown one that stands twice":            {good + "&x=1&x=2", none, "Bad Request invalid_request"},
		"a semicolon between":                         {"grant_type=client_credentials;client_id=lab-partner", none, "Bad Request invalid_request"},
		"a percent sign that says nothing":            {good + "&x=%zz", none, "Bad Request invalid_request"},
		"names and values that are encoded":           {"grant%5Ftype=client%5Fcredentials&client_id=lab%2Dpartner", none, "OK"},
		"a space at an end":                           {good + "+", none, "Unauthorized invalid_client"},
		"as many parameters as are read":              {good + strings.Repeat("&", 48), none, "OK"},
		"one more":                                    {good + strings.Repeat("&", 49), none, "Bad Request invalid_request"},
		"as large a body as is read":                  {good + "&x=" + strings.Repeat("a", tokenendpoint.MaxBodyBytes-len(good)-3), none, "OK"},
		"one byte more":                               {good + "&x=" + strings.Repeat("a", tokenendpoint.MaxBodyBytes-len(good)-2), none, "Request Entity Too Large invalid_request"},
		"a body that the listener cuts off":           {good, func(r *http.Request) { r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 10) }, "Request Entity Too Large invalid_request"},
		"a body that breaks off":                      {good, func(r *http.Request) { r.Body = io.NopCloser(failing{strings.NewReader(good)}) }, "Bad Request invalid_request"},
	} {
		t.Run(sentence, func(t *testing.T) {
			request := asked(t, leaf, tokenendpoint.TokenPath, test.body)
			test.change(request)
			got := serve(t, s, request)
			if got.inWords() != test.want {
				t.Errorf("%s", got.inWords())
			}
			wantNotStored(t, got)
			if allow := got.header.Get("Allow"); (got.status == http.StatusMethodNotAllowed) != (allow == "POST") {
				t.Errorf("Allow %q", allow)
			}
		})
	}
	if got := s.decisions(t, tokenendpoint.TokenName, "token_issued"); got == 0 {
		t.Error("no token is counted")
	}
}

func TestARefusedFormSaysWhichParameterItIs(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	for body, want := range map[string]string{
		"client_id=lab-partner":                     "grant_type is missing",
		"grant_type=client_credentials":             "client_id is missing",
		"client_id=a&client_id=b":                   "client_id stands 2 times",
		"%22%5C%0A=a&%22%5C%0A=b":                   "a parameter stands 2 times",
		"grant_type=%zz":                            "body is not form-urlencoded",
		"grant_type=x&client_id=lab-partner&zz=top": "the grant type is client_credentials",
	} {
		got := serve(t, s, asked(t, leaf, tokenendpoint.TokenPath, body))
		if got.status != http.StatusBadRequest || got.JSON["error_description"] != want {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	if got := serve(t, s, asked(t, leaf, tokenendpoint.RevokePath, "client_id=lab-partner")); got.JSON["error_description"] != "token is missing" {
		t.Errorf("revocation: %s", got.body)
	}
}

func TestOtherPathsAreNotThere(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{"/", "/oauth2", "/oauth2/token/", "/oauth2/token/x", "/oauth2/authorize", "/OAUTH2/token"} {
		recorder := httptest.NewRecorder()
		s.ServeHTTP(recorder, asked(t, nil, path, ""))
		if recorder.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, recorder.Code)
		}
	}
}

// FuzzForm posts any body. A token comes only where a second reading of the form
// finds the client and the grant, each once.
func FuzzForm(f *testing.F) {
	leaf := selfSigned(f, testca.Template{CommonName: "lab"})
	s := newSite(f, func(c *tokenendpoint.Config) { c.IgnoreSecrets = true })
	s.pin(f, "lab-partner", leaf, map[string]any{"defaultScope": []string{"a"}})
	const form, good = "application/x-www-form-urlencoded", "grant_type=client_credentials&client_id=lab-partner"
	for _, body := range []string{
		good, "", "&", "=", "%", good + "&scope=a+a", good + "&resource=&resource=https%3A%2F%2Ffhir.example%2FR4", good + "&client_id=x",
		good + "&client_secret=x", good + "&client_assertion=x", good + ";x", "grant_type=%00&client_id=%ff", strings.Repeat("a=1&", 60),
	} {
		f.Add(form, body)
	}
	f.Add(form+"; charset", good)
	f.Add("multipart/form-data", good)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		request := asked(t, leaf, tokenendpoint.TokenPath, body)
		request.Header["Content-Type"] = []string{contentType}
		got := serve(t, s, request)
		if got.status >= http.StatusInternalServerError {
			t.Errorf("%s", got.inWords())
		}
		if _, there := got.JSON["access_token"]; there != (got.status == http.StatusOK) {
			t.Errorf("%s with a token: %v", got.inWords(), there)
		}
		if got.status != http.StatusOK {
			return
		}
		values, err := url.ParseQuery(body)
		if err != nil || len(values["client_id"]) != 1 || values.Get("client_id") != "lab-partner" ||
			len(values["grant_type"]) != 1 || values.Get("grant_type") != "client_credentials" || values.Get("client_assertion") != "" {
			t.Errorf("a token for %v, %v", values, err)
		}
	})
}
