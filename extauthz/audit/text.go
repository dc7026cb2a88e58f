package audit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	ellipsis = "…"
	hex      = "0123456789abcdef"
)

// appendText appends `,"name":"text"`, or nothing for an empty text.
func appendText(to []byte, name, text string, limit int) []byte {
	if text == "" {
		return to
	}
	to = append(to, ',', '"')
	to = append(to, name...)
	to = append(to, '"', ':', '"')
	return append(appendBounded(to, text, limit), '"')
}

func appendBounded(to []byte, text string, limit int) []byte {
	if len(text) <= limit {
		return appendEscaped(to, text)
	}
	return append(appendEscaped(to, cut(text, limit-len(ellipsis))), ellipsis...)
}

// appendDetail is for the words of an error, which are read by people: control
// characters are not even kept escaped.
func appendDetail(to []byte, text string) []byte {
	if len(text) > MaxDetail {
		text = cut(text, MaxDetail-len(ellipsis)) + ellipsis
	}
	if strings.IndexFunc(text, unicode.IsControl) >= 0 {
		text = strings.Map(spaceForControl, text)
	}
	return appendText(to, "detail", text, len(text))
}

func spaceForControl(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// cut returns at most limit bytes and does not split a character.
func cut(text string, limit int) string {
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// appendEscaped appends what stands between the quotes of a JSON string.
func appendEscaped(to []byte, text string) []byte {
	begin := 0
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			i++
			if plain(c) {
				continue
			}
			to = append(to, text[begin:i-1]...)
			to = appendASCII(to, c)
			begin = i
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if (r == utf8.RuneError && size == 1) || treacherous(r) {
			to = append(to, text[begin:i]...)
			to = appendUnicode(to, r)
			begin = i + size
		}
		i += size
	}
	return append(to, text[begin:]...)
}

func plain(c byte) bool { return c >= ' ' && c != '"' && c != '\\' && c != 0x7f }

func appendASCII(to []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(to, '\\', c)
	case '\n':
		return append(to, '\\', 'n')
	case '\t':
		return append(to, '\\', 't')
	}
	return appendUnicode(to, rune(c))
}

// appendUnicode writes \uXXXX. Whatever is escaped lies below U+10000.
func appendUnicode(to []byte, r rune) []byte {
	return append(to, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// treacherous tells of characters that a terminal or an editor obeys: C1
// controls, the line and paragraph separators, and those that turn the
// direction of writing (Unicode TR 36 section 2.5).
func treacherous(r rune) bool {
	switch {
	case r >= 0x80 && r <= 0x9f, r == 0x61c, r == 0x200e, r == 0x200f:
		return true
	case r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return r == 0xfeff
}
