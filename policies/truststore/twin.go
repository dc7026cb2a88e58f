package truststore

import (
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Twin returns the thumbprint of the one other certificate that says the same as the
// chain's leaf, and is as validly signed. Beside an ECDSA signature (r, s) there is
// (r, n-s), n being the order of the curve (SEC 1 4.1.4): whoever has a certificate
// writes its twin without the CA, and every TLS library takes it. So a thumbprint
// says which certificate is meant, and not that another is not meant.
//
// found is false for signatures of other kinds, which have no twin. It is made once: to
// hash a large certificate takes its time.
func (c *Chain) Twin() (thumbprint [sha256.Size]byte, found bool) {
	if c.twin == nil {
		c.twin = twinOf(c.Leaf)
	}
	return c.twin.thumbprint, c.twin.found
}

type twin struct {
	thumbprint [sha256.Size]byte
	found      bool
}

func twinOf(c *x509.Certificate) *twin {
	r, s, ok := readECDSA(c.Signature)
	if !ok || keyOf(c.SignatureAlgorithm) != x509.ECDSA {
		return &twin{}
	}
	n := orderOf(r, s)
	if n == nil {
		return &twin{}
	}
	der, ok := withSignature(c, r, new(big.Int).Sub(n, s))
	return &twin{sha256.Sum256(der), ok}
}

func readECDSA(signature []byte) (r, s *big.Int, ok bool) {
	r, s = new(big.Int), new(big.Int)
	input, inner := cryptobyte.String(signature), cryptobyte.String(nil)
	ok = input.ReadASN1(&inner, asn1.SEQUENCE) && input.Empty() &&
		inner.ReadASN1Integer(r) && inner.ReadASN1Integer(s) && inner.Empty() && s.Sign() > 0
	return r, s, ok
}

// orderOf returns the order of the curve that the numbers are of, nil if they are of
// none: see unlikelyBits.
func orderOf(r, s *big.Int) *big.Int {
	length := max(r.BitLen(), s.BitLen())
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if n := curve.Params().N; length <= n.BitLen() && length > n.BitLen()-unlikelyBits && s.Cmp(n) < 0 {
			return n
		}
	}
	return nil
}

// withSignature returns the certificate, in DER, with another ECDSA signature.
func withSignature(c *x509.Certificate, r, s *big.Int) (der []byte, ok bool) {
	var whole, algorithm cryptobyte.String
	input := cryptobyte.String(c.Raw)
	if !input.ReadASN1(&whole, asn1.SEQUENCE) || !whole.SkipASN1(asn1.SEQUENCE) || !whole.ReadASN1Element(&algorithm, asn1.SEQUENCE) {
		return nil, false
	}
	var signature, b cryptobyte.Builder
	signature.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r)
		b.AddASN1BigInt(s)
	})
	octets, err := signature.Bytes()
	if err != nil {
		return nil, false
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(c.RawTBSCertificate)
		b.AddBytes(algorithm)
		b.AddASN1BitString(octets)
	})
	der, err = b.Bytes()
	return der, err == nil
}
