package extauthz

import "strings"

// ambiguity says why an upstream could read the path as another one than it
// looks, "" if it could not. Where a route is chosen by path, such a request is
// refused: /public/../x must not be taken for something public. A proxy that
// normalises paths sends none of them.
func ambiguity(path string) string {
	lower := strings.ToLower(path)
	for _, sign := range []struct{ text, name string }{
		{`\`, "a backslash"},
		{"%2f", "an encoded slash"},
		{"%5c", "an encoded backslash"},
		{"%2e", "an encoded dot"},
		{"%00", "an encoded NUL"},
		{"%25", "an encoded percent sign"},
	} {
		if strings.Contains(lower, sign.text) {
			return sign.name
		}
	}
	for i, segment := range strings.Split(path, "/") {
		// Some servers cut off what follows a semicolon before they look for dots.
		name, _, _ := strings.Cut(segment, ";")
		switch {
		case name == "." || name == "..":
			return "a dot segment"
		case segment == "" && i > 0 && i < strings.Count(path, "/"):
			return "an empty segment"
		}
	}
	return ""
}
