package extauthz_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// plain is a request without headers.
func plain(method, host, path string) wire.Request {
	return withHeaders(method, host, path, nil)
}

func withHeaders(method, host, path string, headers map[string][]string) wire.Request {
	var request wire.Request
	request.Method, request.Host, request.Path = method, host, path
	request.Header = func(name string) []string { return headers[name] }
	return request
}

// choice is the route's name or the reason for which there is none.
func choice(routes *extauthz.Routes, request wire.Request) string {
	route, err := routes.Select(&request, nil)
	if err != nil {
		return decision.ReasonOf(err).String()
	}
	return route.Name
}

func TestTheProxyNamesTheRoute(t *testing.T) {
	preflight := extauthz.Route{Name: "preflight", Access: extauthz.AccessPreflight}
	public := extauthz.Route{Name: "public", Match: extauthz.Match{PathPrefix: "/public"}, Access: extauthz.AccessPublic}
	routes := newRoutes(t, public, preflight, apiRoute())
	for name, test := range map[string]struct {
		extensions map[string]string
		path       string
		want       string
	}{
		"without a name the match decides":             {nil, "/", "api"},
		"a name counts and its match does not":         {map[string]string{"certbearer.route": "public"}, "/", "public"},
		"a name does not mend an ambiguous path":       {map[string]string{"certbearer.route": "api"}, "/a/../b", "path_ambiguous"},
		"nor for a public route":                       {map[string]string{"certbearer.route": "public"}, "/public/%2e%2e/b", "path_ambiguous"},
		"nor what a service may cut off":               {map[string]string{"certbearer.route": "api"}, "/public;x", "path_ambiguous"},
		"nor before another segment":                   {map[string]string{"certbearer.route": "api"}, "/public;x/y", "path_ambiguous"},
		"nor with the semicolon encoded":               {map[string]string{"certbearer.route": "api"}, "/public%3bx", "path_ambiguous"},
		"nor an encoding that needs not be":            {map[string]string{"certbearer.route": "api"}, "/%70ublic", "path_ambiguous"},
		"a semicolon that changes no route may stand":  {map[string]string{"certbearer.route": "api"}, "/a;v=1/b", "api"},
		"but not where nothing is asked for":           {map[string]string{"certbearer.route": "public"}, "/a;v=1/b", "path_ambiguous"},
		"a name that no route has":                     {map[string]string{"certbearer.route": "nowhere"}, "/", "route_unknown"},
		"a name in another case":                       {map[string]string{"certbearer.route": "API"}, "/", "route_unknown"},
		"a name that is empty":                         {map[string]string{"certbearer.route": ""}, "/", "route_unknown"},
		"a misspelled key":                             {map[string]string{"certbearer.rout": "public"}, "/", "context_extension_unknown"},
		"a misspelled key beside a good one":           {map[string]string{"certbearer.route": "api", "certbearer.mode": "shadow"}, "/", "context_extension_unknown"},
		"the prefix alone":                             {map[string]string{"certbearer.": "api"}, "/", "context_extension_unknown"},
		"keys of others are theirs":                    {map[string]string{"route": "public", "Certbearer.route": "public", "certbearer": "x"}, "/", "api"},
		"a preflight's route for what is no preflight": {map[string]string{"certbearer.route": "preflight"}, "/", "preflight_expected"},
	} {
		t.Run(name, func(t *testing.T) {
			request := plain("GET", "api.example", test.path)
			request.ContextExtensions = test.extensions
			if diff := cmp.Diff(test.want, choice(routes, request)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Where only the proxy knows the paths, ours cannot tell what else one may mean.
func TestARouteThatAsksForNothingTakesPathsOfOneReadingOnly(t *testing.T) {
	routes := newRoutes(t, extauthz.Route{Name: "public", Access: extauthz.AccessPublic}, apiRoute())
	for path, want := range map[string]string{
		"/docs": "public", "/docs/%20x": "public", "/docs;x": "path_ambiguous", "/%64ocs": "path_ambiguous", "/docs/..": "path_ambiguous", "//docs": "path_ambiguous",
	} {
		request := plain("GET", "api.example", path)
		request.ContextExtensions = map[string]string{"certbearer.route": "public"}
		if got := choice(routes, request); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		request.ContextExtensions = map[string]string{"certbearer.route": "api"}
		if got := choice(routes, request); got != "api" {
			t.Errorf("%s where a certificate is asked for: %s", path, got)
		}
	}
}

func TestWhichHostsARouteCovers(t *testing.T) {
	for name, test := range map[string]struct {
		pattern, host string
		covered       bool
	}{
		"the same name":                            {"api.example", "api.example", true},
		"another name":                             {"api.example", "web.example", false},
		"a name below":                             {"api.example", "x.api.example", false},
		"a name that ends alike":                   {"api.example", "xapi.example", false},
		"with a port":                              {"api.example", "api.example:8443", true},
		"with an empty port":                       {"api.example", "api.example:", true},
		"with two ports":                           {"api.example", "api.example:80:80", false},
		"in capitals":                              {"api.example", "API.Example", true},
		"with a dot at the end":                    {"api.example", "api.example.", true},
		"with a dot and a port":                    {"api.example", "Api.Example.:443", true},
		"with two dots at the end":                 {"api.example", "api.example..", false},
		"no host":                                  {"api.example", "", false},
		"no host where any is covered":             {"*", "", true},
		"any host where the pattern is empty":      {"", "web.example", true},
		"any host":                                 {"*", "web.example:1", true},
		"a name below a wildcard":                  {"*.example", "api.example", true},
		"a name two below a wildcard":              {"*.example", "x.api.example:443", true},
		"the wildcard's own name":                  {"*.example", "example", false},
		"nothing before the wildcard's dot":        {"*.example", ".example", false},
		"a name that ends like the wildcard's":     {"*.example", "badexample", false},
		"an address with a port":                   {"::1", "[::1]:443", true},
		"a user's name before the host is no host": {"api.example", "x@api.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			route := apiRoute()
			route.Match.Host = test.pattern
			want := "route_unmatched"
			if test.covered {
				want = "api"
			}
			if got := choice(newRoutes(t, route), plain("GET", test.host, "/")); got != want {
				t.Errorf("%q for %q: %s, want %s", test.pattern, test.host, got, want)
			}
		})
	}
}

func TestWhichPathsAndMethodsARouteCovers(t *testing.T) {
	for name, test := range map[string]struct {
		match  extauthz.Match
		method string
		path   string
		want   bool
	}{
		"the prefix itself":              {extauthz.Match{PathPrefix: "/fhir"}, "GET", "/fhir", true},
		"a segment below":                {extauthz.Match{PathPrefix: "/fhir"}, "GET", "/fhir/Patient", true},
		"within a segment":               {extauthz.Match{PathPrefix: "/fhir"}, "GET", "/fhirx", false},
		"above the prefix":               {extauthz.Match{PathPrefix: "/fhir/R4"}, "GET", "/fhir", false},
		"the root covers all":            {extauthz.Match{PathPrefix: "/"}, "GET", "/fhir", true},
		"a prefix with a slash":          {extauthz.Match{PathPrefix: "/fhir/"}, "GET", "/fhir/Patient", true},
		"a prefix without its slash":     {extauthz.Match{PathPrefix: "/fhir/"}, "GET", "/fhir", false},
		"a method that is listed":        {extauthz.Match{Methods: []string{"GET", "HEAD"}}, "HEAD", "/", true},
		"a method that is not":           {extauthz.Match{Methods: []string{"GET", "HEAD"}}, "POST", "/", false},
		"methods are case-sensitive":     {extauthz.Match{Methods: []string{"GET"}}, "get", "/", false},
		"all of it has to match":         {extauthz.Match{Host: "x", PathPrefix: "/fhir", Methods: []string{"GET"}}, "GET", "/fhir", false},
		"a method that nobody has heard": {extauthz.Match{}, "BREW", "/", true},
	} {
		t.Run(name, func(t *testing.T) {
			route := apiRoute()
			route.Match = test.match
			if got := choice(newRoutes(t, route), plain(test.method, "api.example", test.path)); (got == "api") != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestTheFirstRouteThatMatchesCounts(t *testing.T) {
	first, second := apiRoute(), apiRoute()
	first.Name, first.Match.PathPrefix = "first", "/a"
	second.Name, second.Match.PathPrefix = "second", "/a/b"
	request := plain("GET", "api.example", "/a/b")
	if got := choice(newRoutes(t, first, second), request); got != "first" {
		t.Errorf("got %s", got)
	}
	if got := choice(newRoutes(t, second, first), request); got != "second" {
		t.Errorf("got %s", got)
	}
}

func TestWhatIsAPreflight(t *testing.T) {
	preflight := extauthz.Route{Name: "preflight", Access: extauthz.AccessPreflight}
	routes := newRoutes(t, preflight, apiRoute())
	origin, method := []string{"https://app.example"}, []string{"POST"}
	for name, test := range map[string]struct {
		method  string
		headers map[string][]string
		want    string
	}{
		"OPTIONS with an origin and a method":   {"OPTIONS", map[string][]string{"origin": origin, "access-control-request-method": method}, "preflight"},
		"OPTIONS without an origin":             {"OPTIONS", map[string][]string{"access-control-request-method": method}, "api"},
		"OPTIONS without a method":              {"OPTIONS", map[string][]string{"origin": origin}, "api"},
		"OPTIONS alone":                         {"OPTIONS", nil, "api"},
		"another method with a preflight's":     {"DELETE", map[string][]string{"origin": origin, "access-control-request-method": method}, "api"},
		"two origins":                           {"OPTIONS", map[string][]string{"origin": {"a", "b"}, "access-control-request-method": method}, "api"},
		"a method in lower case is another one": {"options", map[string][]string{"origin": origin, "access-control-request-method": method}, "api"},
	} {
		t.Run(name, func(t *testing.T) {
			request := withHeaders(test.method, "api.example", "/", test.headers)
			if got := choice(routes, request); got != test.want {
				t.Errorf("matched %s, want %s", got, test.want)
			}
			request.ContextExtensions = map[string]string{"certbearer.route": "preflight"}
			want := "preflight"
			if test.want != want {
				want = "preflight_expected"
			}
			if got := choice(routes, request); got != want {
				t.Errorf("named %s, want %s", got, want)
			}
		})
	}
}

func TestRoutesThatCannotBe(t *testing.T) {
	nameless, audienceless := apiRoute(), apiRoute()
	nameless.Name, audienceless.Audience = "", ""
	for name, test := range map[string]struct {
		routes []extauthz.Route
		want   string
	}{
		"none":                           {nil, "there is none"},
		"one without a name":             {[]extauthz.Route{apiRoute(), nameless}, "no name"},
		"two of one name":                {[]extauthz.Route{apiRoute(), apiRoute()}, "two have the name api"},
		"certificates without audiences": {[]extauthz.Route{audienceless}, "no audience"},
	} {
		t.Run(name, func(t *testing.T) {
			routes, err := extauthz.NewRoutes(test.routes)
			if routes != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %v", routes, err)
			}
		})
	}
}

func TestTheTraceNamesTheRouteOrTheFault(t *testing.T) {
	routes := newRoutes(t, apiRoute())
	var trace decision.Trace
	request := plain("GET", "api.example", "/")
	if _, err := routes.Select(&request, &trace); err != nil {
		t.Fatal(err)
	}
	request.ContextExtensions = map[string]string{"certbearer.route": "nowhere"}
	if _, err := routes.Select(&request, &trace); err == nil {
		t.Fatal("a route that does not exist was found")
	}
	want := []decision.Entry{
		{Step: decision.StepRoute, Outcome: decision.Passed, Detail: "route api"},
		{Step: decision.StepRoute, Outcome: decision.Failed, Detail: `route_unknown: certbearer.route: no route has the name "nowhere"`},
	}
	if diff := cmp.Diff(want, trace.Entries()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
