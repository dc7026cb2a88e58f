package extauthz_test

import (
	"slices"
	"strings"
	"testing"
)

// A path that is let through is, as a lenient upstream reads it, of the same
// route, and goes nowhere by dots.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/", "*", "", "/public", "/public/", "/publicity", "/public/..", "/public/../admin", "/public/./x", "/public//x", "//admin",
		`/public\..\admin`, "/public%2f..%2fadmin", "/public/%5c..%5cadmin", "/public/.%2E/admin", "/public/%252e%252e/admin",
		"/public/x%00.html", "/public/%zz", "/public/100%", "/public/%u002e%u002e/admin", "/public/..;a=b/admin", "/public/;x/admin",
		"/%61dmin/x", "/admin;x=y/z", "/admin%3bx/z", "/public/x y", "/public/a..b/.c/d.", "/public/x;v=1/y", "/public/a%20b", "/public/ä",
	} {
		f.Add(path)
	}
	routes := byPath(f)
	f.Fuzz(func(t *testing.T, path string) {
		request := plain("GET", "api.example", path)
		route, err := routes.Select(&request, nil)
		if err != nil {
			return
		}
		read := leniently(path)
		if want := routeOf(read); route.Name != want {
			t.Errorf("%q is of %s, and read as %q of %s", path, route.Name, read, want)
		}
		segments := strings.Split(strings.ReplaceAll(read, `\`, "/"), "/")
		if slices.Contains(segments, "..") || slices.Contains(segments, ".") {
			t.Errorf("%q is of %s, and read as %q has dot segments", path, route.Name, read)
		}
		if resolved := resolve(read); strings.HasPrefix(read, "/") && strings.TrimSuffix(read, "/") != strings.TrimSuffix(resolved, "/") {
			t.Errorf("%q is of %s, and read as %q leads to %q", path, route.Name, read, resolved)
		}
	})
}

// routeOf is where byPath has a path that says what it means.
func routeOf(path string) string {
	for _, name := range []string{"public", "admin"} {
		if path == "/"+name || strings.HasPrefix(path, "/"+name+"/") {
			return name
		}
	}
	return "api"
}

// leniently decodes all that can be, slashes too, and cuts parameters off.
func leniently(path string) string {
	var read strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) {
			high, low := strings.IndexByte(hexDigits, path[i+1]|0x20), strings.IndexByte(hexDigits, path[i+2]|0x20)
			if high >= 0 && low >= 0 {
				c, i = byte(high<<4|low), i+2
			}
		}
		read.WriteByte(c)
	}
	return withoutParameters(read.String())
}

const hexDigits = "0123456789abcdef"
