package extauthz

import "strings"

// ambiguity says why an upstream could read the path as another one than it
// looks, "" if it could not. Where a route is chosen by path, such a request is
// refused: /public/../x must not be taken for something public. A proxy that
// normalises paths sends none of them.
func ambiguity(path string) string {
	for i := range len(path) {
		if why := ambiguousByte(path[i:]); why != "" {
			return why
		}
	}
	segments := strings.Split(reading(path), "/")
	for i, segment := range segments {
		switch {
		case segment == "." || segment == "..":
			return "a dot segment"
		case segment == "" && i > 0 && i < len(segments)-1:
			return "an empty segment"
		}
	}
	return ""
}

// ambiguousByte looks at the character with which rest begins.
func ambiguousByte(rest string) string {
	switch c := rest[0]; {
	case c == '\\':
		return "a backslash"
	case c <= ' ' || c == 0x7f:
		return "a space or a control character"
	case c != '%':
		return ""
	}
	switch c, encodes := encoded(rest); {
	case !encodes:
		return "a percent sign that encodes nothing"
	case c == '/':
		return "an encoded slash"
	case c == '\\':
		return "an encoded backslash"
	case c == '%':
		return "an encoded percent sign"
	case c < ' ' || c == 0x7f:
		return "an encoded control character"
	}
	return ""
}

// reading is the path as a lenient upstream reads it: what needs no encoding is
// decoded (RFC 3986 section 6.2.2.2), and segments end at their semicolons, which
// some servers cut off before they look for dots.
func reading(path string) string {
	if !strings.ContainsAny(path, "%;") {
		return path
	}
	var read strings.Builder
	cut := false
	for i := 0; i < len(path); i++ {
		c := path[i]
		if decoded, encodes := encoded(path[i:]); encodes && (isUnreserved(decoded) || decoded == ';') {
			c = decoded
			i += len("%2e") - 1
		}
		cut = c != '/' && (cut || c == ';')
		if !cut {
			read.WriteByte(c)
		}
	}
	return read.String()
}

// encoded returns the character of a percent-encoding at the beginning of rest.
func encoded(rest string) (c byte, encodes bool) {
	if len(rest) < 3 || rest[0] != '%' {
		return 0, false
	}
	high, ok := hexDigit(rest[1])
	low, both := hexDigit(rest[2])
	return high<<4 | low, ok && both
}

func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= (c|0x20) && (c|0x20) <= 'f':
		return (c | 0x20) - 'a' + 10, true
	}
	return 0, false
}

// isUnreserved is RFC 3986 section 2.3.
func isUnreserved(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= (c|0x20) && (c|0x20) <= 'z' || strings.IndexByte("-._~", c) >= 0
}
