package extauthz_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/policies/decision"
)

// byPath has a public part and an inner one with a route of its own.
func byPath(t testing.TB) *extauthz.Routes {
	public := extauthz.Route{Name: "public", Match: extauthz.Match{PathPrefix: "/public"}, Access: extauthz.AccessPublic}
	admin := apiRoute()
	admin.Name, admin.Match.PathPrefix = "admin", "/admin"
	return newRoutes(t, public, admin, apiRoute())
}

func TestAPathThatCouldMeanAnotherIsRefused(t *testing.T) {
	for name, path := range map[string]string{
		"a parent segment":                             "/public/../admin",
		"a parent segment at the end":                  "/public/..",
		"the same segment":                             "/public/./x",
		"an empty segment":                             "/public//x",
		"an empty segment at the beginning":            "//admin",
		"a backslash":                                  `/public\..\admin`,
		"an encoded slash":                             "/public%2f..%2fadmin",
		"an encoded slash in capitals":                 "/public/%2Fadmin",
		"an encoded backslash":                         "/public/%5c..%5cadmin",
		"an encoded parent segment":                    "/public/%2e%2e/admin",
		"a half encoded parent segment":                "/public/.%2E/admin",
		"a twice encoded parent segment":               "/public/%252e%252e/admin",
		"an encoded NUL":                               "/public/x%00.html",
		"an encoded line break":                        "/public/x%0d%0ay",
		"a percent sign that encodes nothing":          "/public/%zz",
		"a percent sign that is too close to end":      "/public/%2",
		"a percent sign at the end":                    "/public/100%",
		"a wide encoding of a dot, as IIS reads it":    "/public/%u002e%u002e/admin",
		"a parent segment with a parameter":            "/public/..;a=b/admin",
		"a parameter instead of a segment":             "/public/;x/admin",
		"a letter of another route's that is encoded":  "/%61dmin/x",
		"a parameter within another route's prefix":    "/admin;x=y/z",
		"an encoded semicolon in another route's path": "/admin%3bx/z",
		"a space":             "/public/x y",
		"a control character": "/public/x\ty",
		"a delete character":  "/public/\x7f",
	} {
		t.Run(name, func(t *testing.T) {
			request := plain("GET", "api.example", path)
			route, err := byPath(t).Select(&request, nil)
			if decision.ReasonOf(err) != decision.PathAmbiguous || route != nil {
				t.Errorf("%q: route %v, error %v", path, route, err)
			}
		})
	}
}

func TestAPlainPathFindsItsRoute(t *testing.T) {
	for name, test := range map[string]struct{ path, want string }{
		"the root":           {"/", "api"},
		"the prefix itself":  {"/public", "public"},
		"a slash at the end": {"/public/", "public"},
		"a segment below":    {"/public/x", "public"},
		"a name that only begins like the prefix":   {"/publicity", "api"},
		"another case is another path":              {"/Public/x", "api"},
		"dots within a name":                        {"/public/a..b/.c/d.", "public"},
		"three dots":                                {"/public/.../x", "public"},
		"an encoded space":                          {"/public/a%20b", "public"},
		"an encoded letter that is not ASCII":       {"/public/%C3%A4", "public"},
		"an encoded letter that moves nothing":      {"/public/%61", "public"},
		"an encoded dot in a name":                  {"/public/a%2ejson", "public"},
		"a parameter that moves nothing":            {"/public/x;v=1/y", "public"},
		"an encoded reserved character":             {"/public/a%7Cb%2Cc", "public"},
		"a path that is no path, as of OPTIONS *":   {"*", "api"},
		"a letter beyond ASCII that nobody encoded": {"/public/ä", "public"},
	} {
		t.Run(name, func(t *testing.T) {
			request := plain("GET", "api.example", test.path)
			route, err := byPath(t).Select(&request, nil)
			if err != nil || route.Name != test.want {
				t.Errorf("%q: route %v, error %v, want %s", test.path, route, err, test.want)
			}
		})
	}
}

func TestWhereNoRouteLooksAtThePathItMayBeAnything(t *testing.T) {
	routes := newRoutes(t, apiRoute())
	request := plain("GET", "api.example", `/a/../b//c%2f\`)
	if _, err := routes.Select(&request, nil); err != nil {
		t.Error(err)
	}
}

// An upstream that decodes, cuts parameters and resolves dots, in whatever
// order, ends at the route that was chosen.
func TestNoReadingOfAPathThatIsLetThroughLeavesItsRoute(t *testing.T) {
	routes := byPath(t)
	part := rapid.SampledFrom([]string{
		"/", "/", "public", "admin", "..", ".", "%2e", "%2f", "%5c", `\`, ";", ";a", "%3b", "%61dmin", "%25", "%", "x", "%70ublic", "%2E%2e",
	})
	rapid.Check(t, func(t *rapid.T) {
		path := "/" + strings.Join(rapid.SliceOfN(part, 1, 8).Draw(t, "parts"), "")
		request := plain("GET", "api.example", path)
		route, err := routes.Select(&request, nil)
		if err != nil {
			return
		}
		for _, read := range readings(path) {
			request := plain("GET", "api.example", read)
			again, err := routes.Select(&request, nil)
			if err != nil || again != route {
				t.Fatalf("%q is of %s, and read as %q of %v: %v", path, route.Name, read, again, err)
			}
		}
	})
}

// readings are what servers make of a path.
func readings(path string) []string {
	decode := strings.NewReplacer("%2e", ".", "%2E", ".", "%61", "a", "%70", "p", "%3b", ";", "%2f", "/", "%5c", `\`)
	once := decode.Replace(path)
	all := []string{once, withoutParameters(path), withoutParameters(once), decode.Replace(withoutParameters(path))}
	for _, read := range all {
		all = append(all, resolve(strings.ReplaceAll(read, `\`, "/")))
	}
	return all
}

func withoutParameters(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

// resolve removes dot and empty segments.
func resolve(path string) string {
	var kept []string
	for _, segment := range strings.Split(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}
