package policies_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

// point is one of a curve with a = -3, nil the neutral one. Slow arithmetic will do.
type point struct {
	of   *elliptic.CurveParams
	x, y *big.Int
}

func (p *point) add(q *point) *point {
	switch {
	case p == nil:
		return q
	case q == nil:
		return p
	}
	prime := p.of.P
	modulo := func(v *big.Int) *big.Int { return v.Mod(v, prime) }
	var over, under *big.Int
	switch {
	case p.x.Cmp(q.x) != 0:
		over, under = new(big.Int).Sub(q.y, p.y), new(big.Int).Sub(q.x, p.x)
	case p.y.Cmp(q.y) != 0:
		return nil
	default:
		over = new(big.Int).Mul(p.x, p.x)
		over.Mul(over, big.NewInt(3)).Sub(over, big.NewInt(3))
		under = new(big.Int).Lsh(p.y, 1)
	}
	slope := modulo(over.Mul(over, new(big.Int).ModInverse(modulo(under), prime)))
	x := new(big.Int).Mul(slope, slope)
	x = modulo(x.Sub(x, p.x).Sub(x, q.x))
	y := new(big.Int).Sub(p.x, x)
	y = modulo(y.Mul(y, slope).Sub(y, p.y))
	return &point{p.of, x, y}
}

func (p *point) times(k *big.Int) *point {
	var sum *point
	for i := k.BitLen() - 1; i >= 0; i-- {
		sum = sum.add(sum)
		if k.Bit(i) == 1 {
			sum = sum.add(p)
		}
	}
	return sum
}

// fitting returns both keys that verify the certificate's ECDSA signature. One
// is that of the CA. Nobody has the private half of the other.
func fitting(t testing.TB, c *x509.Certificate) []*ecdsa.PublicKey {
	t.Helper()
	var curve elliptic.Curve
	var hashed []byte
	switch c.SignatureAlgorithm {
	case x509.ECDSAWithSHA256:
		digest := sha256.Sum256(c.RawTBSCertificate)
		curve, hashed = elliptic.P256(), digest[:]
	case x509.ECDSAWithSHA384:
		digest := sha512.Sum384(c.RawTBSCertificate)
		curve, hashed = elliptic.P384(), digest[:]
	case x509.ECDSAWithSHA512:
		digest := sha512.Sum512(c.RawTBSCertificate)
		curve, hashed = elliptic.P521(), digest[:]
	}
	params := curve.Params()
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(c.Signature, &signature); err != nil {
		t.Fatal(err)
	}
	x := signature.R
	y := new(big.Int).Exp(x, big.NewInt(3), params.P)
	y.Sub(y, new(big.Int).Mul(x, big.NewInt(3))).Add(y, params.B).Mod(y, params.P)
	y.ModSqrt(y, params.P)
	inverse := new(big.Int).ModInverse(signature.R, params.N)
	ofDigest := new(big.Int).Mod(new(big.Int).Neg(new(big.Int).SetBytes(hashed)), params.N)
	var keys []*ecdsa.PublicKey
	for _, y := range []*big.Int{y, new(big.Int).Sub(params.P, y)} {
		sum := (&point{params, x, y}).times(signature.S).add((&point{params, params.Gx, params.Gy}).times(ofDigest)).times(inverse)
		octets := sum.y.FillBytes(make([]byte, (params.BitSize+7)/8))
		octets = append(append([]byte{4}, sum.x.FillBytes(make([]byte, (params.BitSize+7)/8))...), octets...)
		key, err := ecdsa.ParseUncompressedPublicKey(curve, octets)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// publicOnly stands for a key whose private half nobody has.
type publicOnly struct{ public crypto.PublicKey }

func (k publicOnly) Public() crypto.PublicKey { return k.public }

func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no private key")
}

func TestAKeyThatWasComputedFromASignatureTakesNoCertificateOver(t *testing.T) {
	root, elsewhere := selfSigned(t, ca("root")), selfSigned(t, ca("elsewhere"))
	lab := issue(t, root, leaf("lab"))
	computed := issue(t, elsewhere, testca.Template{CommonName: "root", CA: true, Key: otherKey(t, root, lab)})
	if err := computed.Certificate.CheckSignature(lab.Certificate.SignatureAlgorithm, lab.Certificate.RawTBSCertificate, lab.Certificate.Signature); err != nil {
		t.Fatalf("the computed key does not fit: %v", err)
	}
	all := clients{
		"victim":   {"certificateTrustStore": store(root), "tlsClientAuth": subject("CN=lab")},
		"attacker": {"certificateTrustStore": store(computed)},
	}
	for _, order := range [][]string{{"victim", "attacker"}, {"attacker", "victim"}} {
		s := snapshot(t, policies.Options{}, all, order)
		if got := decide(s, chainOf(lab), policies.Hint{}, time.Now()); got != "refused: client_ambiguous" {
			t.Errorf("clients in order %v: got %s, want it refused as ambiguous", order, got)
		}
	}
}

// The computed key may have the identifier that the certificate asks for, and the CA
// another, since it was renewed: then guesses lead to the CA, which are bounded.
func TestAComputedKeyTakesNoCertificateOverByItsIdentifier(t *testing.T) {
	identified := func(by *testca.Issued) pkix.Extension {
		id := by.Certificate.SubjectKeyId
		return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 14}, Value: append([]byte{4, byte(len(id))}, id...)}
	}
	elsewhere := selfSigned(t, ca("elsewhere"))
	var namesakes []*testca.Issued
	for range 20 {
		namesakes = append(namesakes, selfSigned(t, ca("root")))
	}
	for curve, kind := range map[string]testca.KeyKind{"P-256": testca.P256, "P-384": testca.P384, "P-521": testca.P521} {
		root := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, kind)})
		renewed := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: root.Key, ExtraExtensions: []pkix.Extension{identified(elsewhere)}})
		lab := issue(t, root, leaf("lab"))
		template := testca.Template{CommonName: "root", CA: true, Key: otherKey(t, root, lab)}
		unasked := issue(t, elsewhere, template)
		template.ExtraExtensions = []pkix.Extension{identified(root)}
		computed := issue(t, elsewhere, template)
		trusts := func(all ...*testca.Issued) fields { return fields{"certificateTrustStore": store(all...)} }
		victim := trusts(renewed)
		victim["tlsClientAuth"] = subject("CN=lab")
		for sentence, c := range map[string]struct {
			clients clients
			want    string
		}{
			"the victim alone":                      {clients{"victim": victim}, "victim by chain"},
			"with the computed key":                 {clients{"victim": victim, "attacker": trusts(computed)}, "refused: client_ambiguous"},
			"among many CAs of the name":            {clients{"victim": victim, "attacker": trusts(append(namesakes, computed)...)}, "refused: client_ambiguous"},
			"the attacker alone, who harms nobody":  {clients{"attacker": trusts(computed)}, "attacker by chain"},
			"the identifier leads to the victim's":  {clients{"victim": trusts(root), "attacker": trusts(unasked)}, "refused: client_ambiguous"},
			"other CAs of the name change nothing":  {clients{"victim": trusts(root), "other": trusts(namesakes...)}, "victim by chain"},
			"nor does a CA of another computed key": {clients{"victim": trusts(root), "attacker": trusts(issue(t, elsewhere, testca.Template{CommonName: "root", CA: true, Key: otherKey(t, root, issue(t, root, leaf("lab")))}))}, "victim by chain"},
		} {
			if got := decide(snapshotOf(t, c.clients), chainOf(lab), policies.Hint{}, time.Now()); got != c.want {
				t.Errorf("%s, %s: got %s, want %s", curve, sentence, got, c.want)
			}
		}
	}
}

// otherKey is the key that fits the signature of a certificate beside its CA's.
func otherKey(t *testing.T, by, of *testca.Issued) crypto.Signer {
	t.Helper()
	for _, key := range fitting(t, of.Certificate) {
		if !key.Equal(by.Key.Public()) {
			return publicOnly{key}
		}
	}
	t.Fatal("no other key")
	return nil
}

// A signature by RSA fits a multiple of the modulus, too, if there is room for one.
func TestAMultipleOfAKeyTakesNoCertificateOver(t *testing.T) {
	elsewhere := selfSigned(t, ca("elsewhere"))
	key, err := rsa.GenerateKey(rand.Reader, 2052)
	if err != nil {
		t.Fatal(err)
	}
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: key})
	id := func(of *testca.Issued) []pkix.Extension {
		return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 14}, Value: append([]byte{4, byte(len(of.Certificate.SubjectKeyId))}, of.Certificate.SubjectKeyId...)}}
	}
	renewed := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: key, ExtraExtensions: id(elsewhere)})
	for range 100 {
		lab := issue(t, root, leaf("lab"))
		for _, factor := range []int64{3, 11} { // of 2054 bits at most, and of 2056 at most
			multiple := &rsa.PublicKey{N: new(big.Int).Mul(key.N, big.NewInt(factor)), E: key.E}
			computed := issue(t, elsewhere, testca.Template{CommonName: "root", CA: true, Key: publicOnly{multiple}, ExtraExtensions: id(root)})
			c := lab.Certificate
			if computed.Certificate.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) != nil {
				continue
			}
			s := snapshotOf(t, clients{"victim": {"certificateTrustStore": store(renewed)}, "attacker": {"certificateTrustStore": store(computed)}})
			if got, want := decide(s, chainOf(lab), policies.Hint{}, time.Now()), "refused: client_ambiguous"; got != want {
				t.Errorf("%d times the modulus: got %s, want %s", factor, got, want)
			}
			if factor == 11 {
				return
			}
		}
	}
	t.Error("no multiple fits any of 100 certificates")
}
