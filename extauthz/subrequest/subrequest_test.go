package subrequest_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/subrequest"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// seen is what reached the decision.
type seen struct {
	called                    bool
	Method, Host, Path, Query string
	ID                        string
	Reason, Field             string // of the error, "" without one
	authorization             []string
}

// ask sends a request, written as it is on the wire, and answers it with response.
func ask(t testing.TB, raw string, response wire.Response) (seen, *http.Response) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	var got seen
	handler, err := subrequest.Handler(subrequest.Config{
		RequestID: func(*http.Request) string { return "id" },
		Decide: func(_ context.Context, read func() (wire.Request, error)) wire.Response {
			request, err := read()
			got = seen{called: true, Method: request.Method, Host: request.Host, Path: request.Path, Query: request.RawQuery, ID: request.ID}
			got.authorization = request.Header("authorization")
			if err == nil {
				return response
			}
			got.Reason = decision.ReasonOf(err).String()
			got.Field, _, _ = strings.Cut(strings.TrimPrefix(err.Error(), got.Reason+": "), ":")
			return wire.Deny(wire.Refusal{Status: wire.BadRequest})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return got, w.Result()
}

// original is a subrequest of nginx's with the given lines.
func original(lines ...string) string {
	return "GET /authz HTTP/1.0\r\nHost: certbearer\r\n" + strings.Join(append(lines, "", ""), "\r\n")
}

const (
	theMethod = "X-Original-Method: POST"
	theURI    = "X-Original-URI: /a/%2e%2e/b;c?d=e"
	theHost   = "X-Original-Host: api.example"
)

func TestWhatAProxyAsksAbout(t *testing.T) {
	malformed := func(field string) seen { return seen{Reason: "request_malformed", Field: field} }
	climbing := seen{Reason: "path_ambiguous", Field: "path"}
	for name, test := range map[string]struct {
		raw  string
		want seen
	}{
		"nginx tells method, host and target in headers, as they were sent": {
			original(theMethod, theURI, theHost), seen{Method: "POST", Host: "api.example", Path: "/a/%2e%2e/b;c", Query: "d=e"}},
		"of nginx's own request nothing counts": {
			"HEAD /authz HTTP/1.1\r\nHost: evil.example\r\n" + strings.Join([]string{theMethod, theURI, theHost, "", ""}, "\r\n"),
			seen{Method: "POST", Host: "api.example", Path: "/a/%2e%2e/b;c", Query: "d=e"}},
		"nginx with another method is none": {
			strings.Replace(original(theMethod, theURI, theHost), "GET", "CONNECT", 1), malformed("method")},
		"no method":           {original(theURI, theHost), malformed("x-original-method")},
		"no target":           {original(theMethod, theHost), malformed("x-original-uri")},
		"no host":             {original(theMethod, theURI), malformed("x-original-host")},
		"an empty host":       {original(theMethod, theURI, "X-Original-Host: "), malformed("x-original-host")},
		"two methods":         {original(theMethod, theMethod, theURI, theHost), malformed("x-original-method")},
		"two targets":         {original(theMethod, theURI, "X-Original-URI: /public", theHost), malformed("x-original-uri")},
		"two hosts":           {original(theMethod, theURI, theHost, theHost), malformed("x-original-host")},
		"a target of no path": {original(theMethod, "X-Original-URI: https://other.example/", theHost), malformed("x-original-uri")},
		"a target with a fragment, which nginx passes on": {original(theMethod, "X-Original-URI: /public#/../orders", theHost), malformed("x-original-uri")},
		"a method without end":                            {original("X-Original-Method: "+strings.Repeat("A", 33), theURI, theHost), malformed("x-original-method")},
		"a host without end":                              {original(theMethod, theURI, "X-Original-Host: "+strings.Repeat("a", 301)), malformed("x-original-host")},
		"a target without end":                            {original(theMethod, "X-Original-URI: /"+strings.Repeat("a", wire.MaxPathBytes), theHost), malformed("x-original-uri")},

		"Envoy puts the client's own request below the path": {
			"PUT /authz/a/%41/b;c?d=e HTTP/1.1\r\nHost: api.example\r\n\r\n", seen{Method: "PUT", Host: "api.example", Path: "/a/%41/b;c", Query: "d=e"}},
		"its headers of nginx's say nothing there": {
			"GET /authz/private HTTP/1.1\r\nHost: api.example\r\nX-Original-URI: /public\r\nX-Original-Method: HEAD\r\nX-Original-Host: other.example\r\n\r\n",
			seen{Method: "GET", Host: "api.example", Path: "/private"}},
		"the root": {"GET /authz/ HTTP/1.1\r\nHost: api.example\r\n\r\n", seen{Method: "GET", Host: "api.example", Path: "/"}},
		"dots stay as they are where they lead nowhere": {
			"GET /authz/a/./..b/...;..?../c HTTP/1.1\r\nHost: api.example\r\n\r\n", seen{Method: "GET", Host: "api.example", Path: "/a/./..b/...;..", Query: "../c"}},
		"a path that climbs out of the prefix is none": {"GET /authz/../oauth2/token HTTP/1.1\r\nHost: a\r\n\r\n", climbing},
		"nor is one that climbs out further on":        {"GET /authz/a/b/../../../oauth2/token HTTP/1.1\r\nHost: a\r\n\r\n", climbing},
		"nor with encoded dots":                        {"GET /authz/%2e%2E/oauth2/token HTTP/1.1\r\nHost: a\r\n\r\n", climbing},
		"nor with an encoded slash":                    {"GET /authz/.%2e%2Foauth2/token HTTP/1.1\r\nHost: a\r\n\r\n", climbing},
		"nor with backslashes":                         {"GET /authz/..\\oauth2%5ctoken HTTP/1.1\r\nHost: a\r\n\r\n", climbing},
		"nor with a semicolon behind the dots":         {"GET /authz/..;a/oauth2/token HTTP/1.1\r\nHost: a\r\n\r\n", climbing},
		"nor at the end":                               {"GET /authz/.. HTTP/1.1\r\nHost: a\r\n\r\n", climbing},
		"a path that repeats the prefix": {
			"GET /authz/authz HTTP/1.1\r\nHost: api.example\r\n\r\n", seen{Method: "GET", Host: "api.example", Path: "/authz"}},
		"a fragment, which Envoy does not pass on": {"GET /authz/a#/../b HTTP/1.1\r\nHost: a\r\n\r\n", malformed("path")},
		"a request without a host":                 {"GET /authz/a HTTP/1.0\r\n\r\n", malformed("host")},
		"a path without end":                       {"GET /authz/" + strings.Repeat("a", wire.MaxPathBytes) + " HTTP/1.1\r\nHost: a\r\n\r\n", malformed("path")},
	} {
		t.Run(name, func(t *testing.T) {
			got, answer := ask(t, test.raw, wire.Allow(wire.Allowance{}))
			if !got.called || got.ID != "id" {
				t.Fatalf("not decided: %+v", got)
			}
			if got.Reason == "" != (answer.StatusCode == http.StatusOK) {
				t.Errorf("status %d", answer.StatusCode)
			}
			if got.Reason != "" { // what was read before the fault is for the record
				got.Method, got.Host, got.Path, got.Query = "", "", "", ""
			}
			if diff := cmp.Diff(test.want, got, cmp.FilterPath(func(p cmp.Path) bool {
				return p.String() == "called" || p.String() == "ID"
			}, cmp.Ignore()), cmp.AllowUnexported(seen{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoCheckIsNotDecided(t *testing.T) {
	for _, target := range []string{
		"/", "/authz?", "/authz?a=/authz/", "/authzz", "/authz%2Fa", "/%61uthz", "/%61uthz/a", "//authz", "/./authz", "/AUTHZ/a",
		"*", "http://certbearer/authz", "http://certbearer/authz/a", "/authz;a", "/authz*", "/oauth2/token/../../authz/a",
	} {
		got, answer := ask(t, "GET "+target+" HTTP/1.1\r\nHost: a\r\n"+strings.Join([]string{theMethod, theURI, theHost, "", ""}, "\r\n"), wire.Allow(wire.Allowance{}))
		if got.called || answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s was decided, status %d", target, answer.StatusCode)
		}
	}
}

func TestTheAnswerInEachDialect(t *testing.T) {
	const (
		nginx = "X-Original-Method: GET\r\nX-Original-URI: /\r\nX-Original-Host: a\r\nAuthorization: Basic own\r\n"
		envoy = "Host: a\r\nAuthorization: Basic own\r\n"
	)
	token := wire.Allow(wire.Allowance{Set: []wire.Header{{Name: "authorization", Value: "Bearer x"}, {Name: "client-cert", Value: ":y:"}}, Remove: []string{"ssl-client-cert", "x-b"}})
	public := wire.Allow(wire.Allowance{Remove: []string{"authorization", "x-b"}})
	foreign := wire.Allow(wire.Allowance{Remove: []string{"x-b"}})
	deny := func(s wire.Status) wire.Response {
		return wire.Deny(wire.Refusal{Status: s, Headers: []wire.Header{{Name: "www-authenticate", Value: "Bearer"}}, Body: `{"error":"e"}`})
	}
	for name, test := range map[string]struct {
		nginx, envoy int
		response     wire.Response
		inNginx      map[string]string
		inEnvoy      map[string]string
	}{
		"a token": {200, 200, token,
			map[string]string{"Authorization": "Bearer x", "Client-Cert": ":y:", "X-Envoy-Auth-Headers-To-Remove": ""},
			map[string]string{"Authorization": "Bearer x", "Client-Cert": ":y:", "X-Envoy-Auth-Headers-To-Remove": "ssl-client-cert,x-b"}},
		"nothing asked: the caller's own comes off": {200, 200, public,
			map[string]string{"Authorization": ""}, map[string]string{"Authorization": "", "X-Envoy-Auth-Headers-To-Remove": "authorization,x-b"}},
		"a foreign one that stays": {200, 200, foreign,
			map[string]string{"Authorization": "Basic own"}, map[string]string{"Authorization": "", "X-Envoy-Auth-Headers-To-Remove": "x-b"}},
		"a shadow that changes nothing": {200, 200, wire.Allow(wire.Allowance{}),
			map[string]string{"Authorization": "Basic own"}, map[string]string{"Authorization": "", "X-Envoy-Auth-Headers-To-Remove": ""}},
		"who is not known": {401, 401, deny(wire.Unauthorized),
			map[string]string{"Www-Authenticate": "Bearer", "Certbearer-Body": `{"error":"e"}`, "Authorization": ""}, map[string]string{"Www-Authenticate": "Bearer", "Authorization": ""}},
		"what is not allowed":                           {403, 403, deny(wire.Forbidden), map[string]string{"Certbearer-Body": `{"error":"e"}`}, map[string]string{"Certbearer-Body": ""}},
		"what is malformed":                             {400, 400, deny(wire.BadRequest), nil, nil},
		"what is not available is never a 5xx to Envoy": {503, 429, deny(wire.ServiceUnavailable), nil, nil},
		"what nobody decided":                           {503, 429, wire.Response{}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []struct {
				dialect, raw string
				status       int
				headers      map[string]string
			}{
				{"nginx", "GET /authz HTTP/1.0\r\nHost: c\r\n" + nginx + "\r\n", test.nginx, test.inNginx},
				{"Envoy", "GET /authz/ HTTP/1.1\r\n" + envoy + "\r\n", test.envoy, test.inEnvoy},
			} {
				_, answer := ask(t, in.raw, test.response)
				if answer.StatusCode != in.status {
					t.Errorf("%s gets %d, want %d", in.dialect, answer.StatusCode, in.status)
				}
				for name, want := range in.headers {
					if got := answer.Header.Get(name); got != want {
						t.Errorf("%s gets %s: %q, want %q", in.dialect, name, got, want)
					}
				}
				if got := answer.Header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("%s may store it: %q", in.dialect, got)
				}
			}
		})
	}
}

// A body that blocks for ever shows that nobody reads it.
func TestTheBodyOfACheckIsNotRead(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/authz/a", unreadable{t})
	handler, err := subrequest.Handler(subrequest.Config{
		RequestID: func(*http.Request) string { return "" },
		Decide: func(_ context.Context, read func() (wire.Request, error)) wire.Response {
			if _, err := read(); err != nil {
				t.Error(err)
			}
			return wire.Allow(wire.Allowance{})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler.ServeHTTP(httptest.NewRecorder(), r)
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) { u.t.Error("it was read"); return 0, io.EOF }

func TestAHandlerNeedsWhatItIsMadeOf(t *testing.T) {
	if _, err := subrequest.Handler(subrequest.Config{}); err == nil {
		t.Error("one of nothing was made")
	}
}

// Whatever bytes come, the target alone says which dialect it is; a request that
// cannot be read is never let through, and what is decided has a path and one method.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		original(theMethod, theURI, theHost), original(theMethod, theURI), original(theMethod, theURI, theURI, theHost),
		"GET /authz/a?b HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT /authz HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a/authz/b HTTP/1.1\r\nHost: c\r\n\r\n", "GET /authz/%00 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n",
		"POST /authz/#a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(raw))))
		if err != nil {
			return
		}
		got, answer := ask(t, string(raw), wire.Allow(wire.Allowance{}))
		prefixed, exact := strings.HasPrefix(r.RequestURI, "/authz/"), r.RequestURI == "/authz"
		if got.called != (prefixed || exact) {
			t.Fatalf("%q was decided: %v", r.RequestURI, got.called)
		}
		if (answer.StatusCode == http.StatusOK) != (got.called && got.Reason == "") {
			t.Fatalf("status %d of %+v", answer.StatusCode, got)
		}
		if answer.StatusCode != http.StatusOK {
			return
		}
		target := strings.TrimPrefix(r.RequestURI, "/authz")
		if exact {
			target = r.Header.Get("X-Original-Uri")
		}
		if !strings.HasPrefix(target, got.Path) || got.Path == "" || got.Path[0] != '/' || got.Method == "" || got.Host == "" {
			t.Fatalf("%q is %+v", target, got)
		}
	})
}
