package revocation_test

import (
	"crypto/sha1"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// byKey names the responder of an answer by a hash of its key (RFC 6960 4.2.1), and
// signs it again. The library writes names only.
func byKey(t testing.TB, der, hash []byte, signer *testca.Issued) []byte {
	t.Helper()
	input := cryptobyte.String(der)
	var outer, status, bytes, typed, object, basic, whole, tbs, algorithm, name cryptobyte.String
	explicit := func(n uint8) tags.Tag { return tags.Tag(n).ContextSpecific().Constructed() }
	if !input.ReadASN1(&outer, tags.SEQUENCE) || !outer.ReadASN1Element(&status, tags.ENUM) || !outer.ReadASN1(&bytes, explicit(0)) ||
		!bytes.ReadASN1(&typed, tags.SEQUENCE) || !typed.ReadASN1Element(&object, tags.OBJECT_IDENTIFIER) || !typed.ReadASN1(&basic, tags.OCTET_STRING) ||
		!basic.ReadASN1(&whole, tags.SEQUENCE) || !whole.ReadASN1(&tbs, tags.SEQUENCE) || !whole.ReadASN1Element(&algorithm, tags.SEQUENCE) ||
		!tbs.SkipOptionalASN1(explicit(0)) || !tbs.ReadASN1(&name, explicit(1)) {
		t.Fatal("the library's answer is written otherwise")
	}
	data := tlv(0x30, tlv(0xa2, tlv(0x04, hash)), tbs)
	signed := tlv(0x30, data, algorithm, tlv(0x03, []byte{0}, sign(t, signer.Key, data)))
	return tlv(0x30, status, tlv(0xa0, tlv(0x30, object, tlv(0x04, signed))))
}

func TestAResponderNamedByItsKeyIsTheOneThatSigned(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	der := answer{about: leaf, issuer: ca}.der(t)
	hashOf := func(c *testca.Issued) []byte {
		var info, key cryptobyte.String
		input := cryptobyte.String(c.Certificate.RawSubjectPublicKeyInfo)
		if !input.ReadASN1(&info, tags.SEQUENCE) || !info.SkipASN1(tags.SEQUENCE) || !info.ReadASN1(&key, tags.BIT_STRING) {
			t.Fatal("no key")
		}
		sum := sha1.Sum(key[1:]) // behind the number of unused bits
		return sum[:]
	}
	for sentence, c := range map[string]struct {
		hash []byte
		want string
	}{
		"its own key":        {hashOf(ca), ""},
		"another key":        {hashOf(leaf), "responderID"},
		"a part of its hash": {hashOf(ca)[:19], "responderID"},
		"no hash":            {nil, "responderID"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := revocation.ParseAnswer(byKey(t, der, c.hash, ca), leaf.Certificate, ca.Certificate, noon)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
