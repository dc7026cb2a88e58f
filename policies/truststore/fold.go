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
// a byte, twice for each presented certificate, and X.520 gives most attributes 64
// characters. A longer name matches by its bytes only, and is within no subtree.
const maxFoldedBytes = 1 << 10

// foldName reads an encoded name. It fails on one that is malformed or longer
// than maxFoldedBytes.
func foldName(der []byte) (folded, bool) {
	out, _, ok := foldNameOf(der)
	return out, ok
}

// foldNameOf also reports whether a character string of the name is of a type,
// or holds bytes, that have no one reading: it matches by its bytes only, and
// another reader may see in it what it does not match here.
func foldNameOf(der []byte) (out folded, vague, ok bool) {
	if len(der) > maxFoldedBytes {
		return nil, false, false
	}
	rest, ok := only(der, derSequence)
	if !ok {
		return nil, false, false
	}
	for len(rest) > 0 {
		tag, set, after, ok := element(rest)
		if !ok || tag != derSet {
			return nil, false, false
		}
		rdn, unsure, ok := foldRDN(set)
		if !ok {
			return nil, false, false
		}
		out, rest, vague = append(out, rdn), after, vague || unsure
	}
	return out, vague, true
}

// singleRDN begins an RDN of one attribute. One of several begins with the
// length of the first, which is never 0: without it, the OID of one attribute
// could be written so that it reads as two.
const singleRDN = "\x00"

func foldRDN(set []byte) (rdn string, vague, ok bool) {
	var attributes []string
	for len(set) > 0 {
		tag, pair, after, ok := element(set)
		if !ok || tag != derSequence {
			return "", false, false
		}
		kindTag, kind, value, ok := element(pair)
		if !ok || kindTag != derOID {
			return "", false, false
		}
		text, unsure, ok := foldValue(value)
		if !ok {
			return "", false, false
		}
		attributes, set = append(attributes, string(appendField(nil, string(kind)))+text), after
		vague = vague || unsure
	}
	if len(attributes) == 1 {
		return singleRDN + attributes[0], vague, true
	}
	// An RDN is a set: the order of its attributes says nothing.
	slices.Sort(attributes)
	var out []byte
	for _, attribute := range attributes {
		out = appendField(out, attribute)
	}
	return string(out), vague, len(attributes) > 0
}

func foldValue(der []byte) (text string, vague, ok bool) {
	tag, content, rest, ok := element(der)
	if !ok || len(rest) != 0 {
		return "", false, false
	}
	raw := asn1.RawValue{Class: int(tag >> 6), IsCompound: tag&0x20 != 0, Tag: int(tag & 0x1f), Bytes: content, FullBytes: der}
	value, isText := textOf(raw)
	if !isText {
		return "b" + value, isString(tag), true
	}
	return "t" + foldText(value), false, true
}

// isString reports whether the identifier octet is of a character string, in one
// piece or in several.
func isString(tag byte) bool {
	if tag&0xc0 != 0 {
		return false
	}
	switch number := tag & 0x1f; number {
	case asn1.TagUTF8String, asn1.TagBMPString:
		return true
	default: // NumericString to IA5String, GraphicString to CHARACTER STRING
		return 18 <= number && number <= 22 || 25 <= number && number <= 29
	}
}

// foldText prepares a string for comparison by RFC 4518: what is not to be seen
// is taken out, case is folded, compatible characters become one, and white
// space counts once between words and not at all around them.
func foldText(text string) string {
	if !isASCII(text) {
		// What cannot be seen goes first (RFC 4518 2.2, before 2.3): between a letter
		// and its accent it would keep the two apart.
		text = strings.Map(seen, text)
		text = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
	}
	var out strings.Builder
	out.Grow(len(text))
	space := false
	for _, r := range text {
		switch {
		case r == ' ' || isControlSpace(r) || r > unicode.MaxASCII && unicode.Is(unicode.Z, r):
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

// seen maps what cannot be seen to nothing, but for white space.
func seen(r rune) rune {
	if !isControlSpace(r) && (r < ' ' || r == 0x7f || r > unicode.MaxASCII && invisible(r)) {
		return -1
	}
	return r
}

// isControlSpace is the white space among the control characters.
func isControlSpace(r rune) bool { return '\t' <= r && r <= '\r' || r == 0x85 }

// invisible is what RFC 4518 2.2 maps to nothing beyond ASCII.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf) || r == 0x34f || r == 0x1806 || 0x180b <= r && r <= 0x180d || 0xfe00 <= r && r <= 0xfe0f || r == 0xfffc
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
