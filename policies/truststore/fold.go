package truststore

import (
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// folded is a distinguished name as RFC 5280 7.1 compares it: an entry for each
// RDN, equal exactly if the RDNs match. Character strings match whatever their
// type, without regard to case and to how much white space stands where some
// does (RFC 4518); a value that is none matches by its bytes.
type folded []string

// maxFoldedBytes bounds a name that is folded: beyond ASCII that takes some 100 ns
// a byte, and X.520 gives most attributes 64 characters. A longer name matches by
// its bytes only, and is within no subtree.
const maxFoldedBytes = 2 << 10

// foldName reads an encoded name. It fails on one that is malformed or longer
// than maxFoldedBytes.
func foldName(der []byte) (folded, bool) {
	if len(der) > maxFoldedBytes {
		return nil, false
	}
	rest, ok := only(der, derSequence)
	if !ok {
		return nil, false
	}
	var out folded
	for len(rest) > 0 {
		tag, set, after, ok := element(rest)
		if !ok || tag != derSet {
			return nil, false
		}
		rdn, ok := foldRDN(set)
		if !ok {
			return nil, false
		}
		out, rest = append(out, rdn), after
	}
	return out, true
}

func foldRDN(set []byte) (string, bool) {
	var attributes []string
	for len(set) > 0 {
		tag, pair, after, ok := element(set)
		if !ok || tag != derSequence {
			return "", false
		}
		kindTag, kind, value, ok := element(pair)
		if !ok || kindTag != derOID {
			return "", false
		}
		text, ok := foldValue(value)
		if !ok {
			return "", false
		}
		attributes, set = append(attributes, string(appendField(nil, string(kind)))+text), after
	}
	if len(attributes) == 1 {
		return attributes[0], true
	}
	// An RDN is a set: the order of its attributes says nothing.
	slices.Sort(attributes)
	var out []byte
	for _, attribute := range attributes {
		out = appendField(out, attribute)
	}
	return string(out), len(attributes) > 0
}

func foldValue(der []byte) (string, bool) {
	tag, content, rest, ok := element(der)
	if !ok || len(rest) != 0 {
		return "", false
	}
	raw := asn1.RawValue{Class: int(tag >> 6), IsCompound: tag&0x20 != 0, Tag: int(tag & 0x1f), Bytes: content, FullBytes: der}
	value, isText := textOf(raw)
	if !isText {
		return "b" + value, true
	}
	return "t" + foldText(value), true
}

// foldText prepares a string for comparison by RFC 4518: what is not to be seen
// is taken out, case is folded, compatible characters become one, and white
// space counts once between words and not at all around them.
func foldText(text string) string {
	if !isASCII(text) {
		text = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
	}
	var out strings.Builder
	out.Grow(len(text))
	space := false
	for _, r := range text {
		switch {
		case r == ' ' || '\t' <= r && r <= '\r' || r == 0x85 || r > unicode.MaxASCII && unicode.Is(unicode.Z, r):
			space = true
			continue
		case r < ' ' || r == 0x7f || r > unicode.MaxASCII && invisible(r):
			continue
		case 'A' <= r && r <= 'Z':
			r += 'a' - 'A'
		}
		if space && out.Len() > 0 {
			out.WriteByte(' ')
		}
		space = false
		out.WriteRune(r)
	}
	return out.String()
}

// invisible is what RFC 4518 2.2 maps to nothing beyond ASCII.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf) || r == 0x34f || 0x180b <= r && r <= 0x180d || 0xfe00 <= r && r <= 0xfe0f || r == 0xfffc
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] > unicode.MaxASCII {
			return false
		}
	}
	return true
}

// key returns bytes that two names share exactly if they match.
func (f folded) key() string {
	out := binary.AppendUvarint([]byte{'f'}, uint64(len(f)))
	for _, rdn := range f {
		out = appendField(out, rdn)
	}
	return string(out)
}

// under reports whether the name lies in the subtree of the base.
func (f folded) under(base folded) bool {
	return len(f) >= len(base) && slices.Equal(f[:len(base)], base)
}

// foldedKey is a name's key; one that cannot be read matches by its bytes only.
func foldedKey(der []byte) string {
	if name, ok := foldName(der); ok {
		return name.key()
	}
	return "r" + string(der)
}

// NameKey returns the same for two encoded names, such as RawSubject and
// RawIssuer, exactly if they match by RFC 5280 7.1.
func NameKey(der []byte) [sha256.Size]byte { return sha256.Sum256([]byte(foldedKey(der))) }
