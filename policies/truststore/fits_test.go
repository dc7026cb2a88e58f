package truststore_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

func TestNoKeyIsTakenForAnotherThanThatOfItsSignatures(t *testing.T) {
	for kind, times := range map[testca.KeyKind]int{testca.P256: 200, testca.P384: 40, testca.P521: 20, testca.Ed25519: 20, testca.RSA2048: 20} {
		root := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, kind)})
		for range times {
			leaf := issue(t, root, testca.Template{CommonName: "leaf"})
			if _, err := truststore.Verify(chainOf(leaf), anchorsOf(t, root), time.Now()); err != nil {
				t.Errorf("signed by a key of kind %d: %v", kind, err)
			}
		}
	}
}

// posing makes CAs with the name and the key identifier of another, on keys of which
// nobody needs the private half.
func posing(t testing.TB, as *testca.Issued, curve elliptic.Curve, count int) []*truststore.Anchor {
	t.Helper()
	signer := selfSigned(t, ca("signer"))
	identifier := ce(14, false, tlv(4, as.Certificate.SubjectKeyId...)...)
	var all []*testca.Issued
	for range count {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, issue(t, signer, testca.Template{CommonName: as.Certificate.Subject.CommonName, CA: true,
			Key: publicOnly{crypto.PublicKey(&key.PublicKey)}, ExtraExtensions: []pkix.Extension{identifier}}))
	}
	return anchorsOf(t, all...)
}

func TestCAsThatPoseAsAnotherOnDearKeysSpendNothingOfItsDecisions(t *testing.T) {
	for sentence, c := range map[string]struct {
		key   testca.KeyKind
		curve elliptic.Curve
		count int
		want  string
	}{
		"P-521 for P-256":            {testca.P256, elliptic.P521(), 60, "accepted"},
		"P-384 for P-256":            {testca.P256, elliptic.P384(), 60, "accepted"},
		"P-521 for P-384":            {testca.P384, elliptic.P521(), 60, "accepted"},
		"P-384 for P-521":            {testca.P521, elliptic.P384(), 60, "accepted"},
		"P-521 for RSA":              {testca.RSA2048, elliptic.P521(), 60, "accepted"},
		"P-384 for Ed25519":          {testca.Ed25519, elliptic.P384(), 60, "accepted"},
		"more than may be looked at": {testca.P256, elliptic.P384(), 1001, "path_too_complex"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			root := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, c.key)})
			leaf := issue(t, root, testca.Template{CommonName: "leaf"})
			chain := chainOf(leaf)
			var err error
			for _, anchor := range append(posing(t, root, c.curve, c.count), anchorsOf(t, root)...) {
				var signed bool
				if signed, err = chain.Signed(anchor, leaf.Certificate); err != nil || signed {
					break
				}
			}
			if got := reasonText(err); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// A signature that no key on a large curve makes is by none, whatever it would take
// to check it.
func TestASmallSignatureIsByNoLargeKey(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, testca.P521)})
	leaf := issue(t, root, testca.Template{CommonName: "leaf"}).Certificate
	leaf.Signature = marshal(t, struct{ R, S *big.Int }{big.NewInt(1), big.NewInt(1)})
	if signed, err := truststore.NewChain(leaf, nil).Signed(anchorsOf(t, root)[0], leaf); signed || err != nil {
		t.Errorf("signed %t, %v", signed, err)
	}
}
