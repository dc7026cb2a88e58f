package policies_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

// point is one of P-256, nil the neutral one. Slow arithmetic will do.
type point struct{ x, y *big.Int }

func modulo(v *big.Int) *big.Int { return v.Mod(v, elliptic.P256().Params().P) }

func (p *point) add(q *point) *point {
	prime := elliptic.P256().Params().P
	switch {
	case p == nil:
		return q
	case q == nil:
		return p
	}
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
	return &point{x, y}
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
	curve := elliptic.P256().Params()
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(c.Signature, &signature); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(c.RawTBSCertificate)
	x := signature.R
	y := new(big.Int).Exp(x, big.NewInt(3), curve.P)
	y = modulo(y.Sub(y, new(big.Int).Mul(x, big.NewInt(3))).Add(y, curve.B))
	y.ModSqrt(y, curve.P)
	inverse := new(big.Int).ModInverse(signature.R, curve.N)
	ofDigest := new(big.Int).Mod(new(big.Int).Neg(new(big.Int).SetBytes(digest[:])), curve.N)
	var keys []*ecdsa.PublicKey
	for _, y := range []*big.Int{y, new(big.Int).Sub(curve.P, y)} {
		sum := (&point{x, y}).times(signature.S).add((&point{curve.Gx, curve.Gy}).times(ofDigest)).times(inverse)
		octets := sum.y.FillBytes(make([]byte, 32))
		octets = append(append([]byte{4}, sum.x.FillBytes(make([]byte, 32))...), octets...)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), octets)
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
	var computed *testca.Issued
	for _, key := range fitting(t, lab.Certificate) {
		if !key.Equal(root.Key.Public()) {
			template := ca("root")
			template.Key = publicOnly{key}
			computed = issue(t, elsewhere, template)
		}
	}
	if computed == nil {
		t.Fatal("no other key")
	}
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
