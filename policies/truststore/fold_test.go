package truststore_test

import (
	"bytes"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/policies/truststore"
)

// oneName is a name of one RDN: a common name in a string type.
func oneName(tag byte, content []byte) []byte {
	return tlv(0x30, tlv(0x31, tlv(0x30, append([]byte{6, 3, 0x55, 4, 3}, tlv(tag, content...)...)...)...)...)
}

func utf8Name(text string) []byte { return oneName(asn1.TagUTF8String, []byte(text)) }

func TestNamesMatchAsRFC5280Says(t *testing.T) {
	cn := func(text string) []byte {
		return tlv(0x30, append([]byte{6, 3, 0x55, 4, 3}, tlv(0x0c, []byte(text)...)...)...)
	}
	ou := func(text string) []byte {
		return tlv(0x30, append([]byte{6, 3, 0x55, 4, 11}, tlv(0x0c, []byte(text)...)...)...)
	}
	// The first of two is the OID of the one, the second, of 98 bytes, its value.
	second := slices.Concat([]byte{3, 0x60, 4, 11, 't'}, bytes.Repeat([]byte("x"), 'b'-5))
	twoAttributes := tlv(0x30, tlv(0x31, append(cn("a"), tlv(0x30, append(tlv(6, second[1:4]...), tlv(0x0c, second[5:]...)...)...)...)...)...)
	oneLikeTwo := tlv(0x30, tlv(0x31, tlv(0x30, append(tlv(6, 3, 0x55, 4, 3, 't', 'a'), second...)...)...)...)
	for sentence, c := range map[string]struct {
		a, b []byte
		want bool
	}{
		"the same":                                               {utf8Name("Lab CA"), utf8Name("Lab CA"), true},
		"another":                                                {utf8Name("Lab CA"), utf8Name("Lab CB"), false},
		"in other letters":                                       {utf8Name("Lab CA"), utf8Name("lab ca"), true},
		"in another string type":                                 {utf8Name("Lab CA"), oneName(asn1.TagPrintableString, []byte("Lab CA")), true},
		"as BMPString":                                           {utf8Name("CA"), oneName(asn1.TagBMPString, []byte{0, 'C', 0, 'A'}), true},
		"as T61String, of which nobody is sure":                  {utf8Name("CA"), oneName(asn1.TagT61String, []byte("CA")), false},
		"with more white space":                                  {utf8Name("Lab CA"), utf8Name("  Lab \t CA "), true},
		"with white space where there is none":                   {utf8Name("LabCA"), utf8Name("Lab CA"), false},
		"with letters beyond ASCII in case":                      {utf8Name("ÉCOLE"), utf8Name("école"), true},
		"with an accent of its own":                              {utf8Name("\u00e9"), utf8Name("e\u0301"), true},
		"without the accent":                                     {utf8Name("école"), utf8Name("ecole"), false},
		"with what cannot be seen":                               {utf8Name("Lab"), utf8Name("L\u200bab\u00ad"), true},
		"with what cannot be seen before an accent":              {utf8Name("\u00e9"), utf8Name("e\u200b\u0301"), true},
		"with a hyphen that cannot be seen":                      {utf8Name("Lab"), utf8Name("L\u1806ab"), true},
		"as two attributes and as one that is written like them": {twoAttributes, oneLikeTwo, false},
		"with a ligature":                                        {utf8Name("ofﬁce"), utf8Name("office"), true},
		"with a sharp s":                                         {utf8Name("Straße"), utf8Name("STRASSE"), true},
		"with a space that does not break":                       {utf8Name("Lab\u00a0CA"), utf8Name("Lab CA"), true},
		"with attributes of an RDN turned":                       {tlv(0x30, tlv(0x31, append(cn("a"), ou("b")...)...)...), tlv(0x30, tlv(0x31, append(ou("b"), cn("a")...)...)...), true},
		"with RDNs turned":                                       {tlv(0x30, append(tlv(0x31, cn("a")...), tlv(0x31, ou("b")...)...)...), tlv(0x30, append(tlv(0x31, ou("b")...), tlv(0x31, cn("a")...)...)...), false},
		"as one RDN and as two":                                  {tlv(0x30, tlv(0x31, append(cn("a"), ou("b")...)...)...), tlv(0x30, append(tlv(0x31, cn("a")...), tlv(0x31, ou("b")...)...)...), false},
		"with another attribute type":                            {tlv(0x30, tlv(0x31, cn("a")...)...), tlv(0x30, tlv(0x31, ou("a")...)...), false},
		"malformed, byte by byte":                                {[]byte{0x30, 5, 1}, []byte{0x30, 5, 1}, true},
		"malformed, and another":                                 {[]byte{0x30, 5, 1}, []byte{0x30, 5, 2}, false},
		"too long to be read, in other letters":                  {utf8Name(strings.Repeat("a", 2100)), utf8Name(strings.Repeat("A", 2100)), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := truststore.NameKey(c.a) == truststore.NameKey(c.b); got != c.want {
				t.Errorf("match %t, want %t", got, c.want)
			}
		})
	}
}

// What is compared is no more than the bytes and the reading of them: neither may
// make two names of one.
func FuzzNameKey(f *testing.F) {
	for _, text := range []string{"Lab CA", "  lab  ", "ÉCOLE", "Straße", "\u200b", "a\x00b", "\xff"} {
		f.Add([]byte(text), byte(asn1.TagUTF8String))
		f.Add(oneName(asn1.TagUTF8String, []byte(text)), byte(0))
	}
	f.Add([]byte{0, 'C', 0xd8, 0}, byte(asn1.TagBMPString))
	f.Fuzz(func(t *testing.T, content []byte, tag byte) {
		der := content
		if tag != 0 && len(content) < 1000 {
			der = oneName(tag&0x1f, content)
		}
		key := truststore.NameKey(der)
		if truststore.NameKey(bytes.Clone(der)) != key {
			t.Error("a name does not match itself")
		}
		if tag == asn1.TagUTF8String && len(content) < 1000 && isPlain(content) {
			padded := oneName(tag, []byte(" "+strings.ToUpper(string(content))+"  "))
			if truststore.NameKey(padded) != key {
				t.Errorf("%q does not match itself in capital letters", content)
			}
		}
	})
}

func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
