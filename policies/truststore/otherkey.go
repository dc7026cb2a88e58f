package truststore

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
)

// OtherSigner returns the ID of the one other CA of the anchor's name whose key would
// fit the signature that the anchor's made. An ECDSA signature fits two keys: who has
// it computes the second, of which nobody has the private half, and puts it into a
// certificate of a CA of his own. Where a second CA could be meant, that one has to
// be looked for, and no other.
//
// It costs a quarter of what a check by the anchor's key does, and the error is PathTooComplex where
// that is too much. found is false for keys of other kinds, and for names of other issuers.
func (c *Chain) OtherSigner(anchor *Anchor, certificate *x509.Certificate) (id [sha256.Size]byte, found bool, err error) {
	key, is := anchor.Certificate.PublicKey.(*ecdsa.PublicKey)
	if _, _, ok := readECDSA(certificate.Signature); !is || !ok || !c.named(anchor.Certificate, certificate) {
		return id, false, nil
	}
	signature := link{string(anchor.Certificate.RawSubjectPublicKeyInfo), certificate}
	encoded, known := c.others[signature]
	if !known {
		if err := c.work.spend(costOf(anchor.Certificate)/4+len(certificate.RawTBSCertificate)/hashedBytesPerWork, maxWork); err != nil {
			return id, false, err
		}
		if other := OtherKey(key, certificate.Signature, digestOf(certificate)); other != nil {
			encoded, _ = x509.MarshalPKIXPublicKey(other) // it is of a curve that has an encoding
		}
		c.others[signature] = encoded
	}
	return idOf(anchor.names.subject, encoded), encoded != nil, nil
}

func digestOf(c *x509.Certificate) []byte {
	hash := crypto.SHA256
	switch c.SignatureAlgorithm {
	case x509.ECDSAWithSHA384:
		hash = crypto.SHA384
	case x509.ECDSAWithSHA512:
		hash = crypto.SHA512
	}
	sum := hash.New()
	sum.Write(c.RawTBSCertificate)
	return sum.Sum(nil)
}

// OtherKey returns the key that fits an ECDSA signature of the digest beside the one
// that does; nil if there is none. Anybody can compute it, and nobody can sign with it.
//
// With R = s^-1(zG + rQ) the signature has the x of R, and -R has it too: the other key
// is r^-1(-sR - zG), which is -(Q + 2zr^-1 G).
func OtherKey(key *ecdsa.PublicKey, signature, digest []byte) *ecdsa.PublicKey {
	r, _, ok := readECDSA(signature)
	if !ok {
		return nil
	}
	params := key.Params()
	octets := (params.BitSize + 7) / 8
	z := new(big.Int).SetBytes(digest[:min(len(digest), octets)]) // FIPS 186-5 6.4.1
	inverse := new(big.Int).ModInverse(r, params.N)
	own, err := key.Bytes()
	if err != nil || inverse == nil {
		return nil
	}
	k := inverse.Mul(inverse, z.Lsh(z, 1))
	multiple, ok := multipleOfBase(octets, k.Mod(k, params.N))
	if !ok {
		return nil
	}
	x, y := sum(params.P, own, multiple)
	if x == nil {
		return nil
	}
	y.Sub(params.P, y)
	encoded := append([]byte{4}, x.FillBytes(make([]byte, octets))...)
	other, err := ecdsa.ParseUncompressedPublicKey(key.Curve, append(encoded, y.FillBytes(make([]byte, octets))...))
	if err != nil {
		return nil
	}
	return other
}

// multipleOfBase returns kG of the curve whose numbers have so many octets.
func multipleOfBase(octets int, k *big.Int) ([]byte, bool) {
	curve := map[int]ecdh.Curve{32: ecdh.P256(), 48: ecdh.P384(), 66: ecdh.P521()}[octets]
	if curve == nil {
		return nil, false
	}
	private, err := curve.NewPrivateKey(k.FillBytes(make([]byte, octets)))
	if err != nil {
		return nil, false
	}
	return private.PublicKey().Bytes(), true
}

// sum adds two uncompressed points of a curve y² = x³ - 3x + b modulo p; nil if the sum
// is at infinity. None of it is secret.
func sum(p *big.Int, one, other []byte) (x, y *big.Int) {
	half := len(one) / 2
	x1, y1 := new(big.Int).SetBytes(one[1:1+half]), new(big.Int).SetBytes(one[1+half:])
	x2, y2 := new(big.Int).SetBytes(other[1:1+half]), new(big.Int).SetBytes(other[1+half:])
	over, under := new(big.Int).Sub(y2, y1), new(big.Int).Sub(x2, x1)
	if under.Sign() == 0 {
		if over.Sign() != 0 {
			return nil, nil
		}
		over.Mul(x1, x1).Mul(over, big.NewInt(3)).Sub(over, big.NewInt(3))
		under.Lsh(y1, 1)
	}
	slope := under.ModInverse(under.Mod(under, p), p)
	slope.Mul(slope, over).Mod(slope, p)
	x = new(big.Int).Mul(slope, slope)
	x.Sub(x, x1).Sub(x, x2).Mod(x, p)
	y = new(big.Int).Sub(x1, x)
	return x, y.Mul(y, slope).Sub(y, y1).Mod(y, p)
}
