package truststore

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"

	"github.com/certbearer/certbearer/policies/decision"
)

// RSA moduli are accepted from 2048 bits (SP 800-131A) to 8192: a larger one
// only makes each signature check dear.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// RSA exponents are odd, and at least 3: with 1 everybody signs. Above what
// crypto/rsa takes there is nothing to check a signature with.
const (
	minRSAExponent = 3
	maxRSAExponent = 1<<31 - 1
)

// checkKey refuses public keys that are too weak, too dear or of an unknown kind.
func checkKey(c *x509.Certificate) error {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return decision.Denyf(decision.KeyWeak, describe(c), "an RSA key of %d bits; %d to %d are accepted", bits, minRSABits, maxRSABits)
		}
		if key.E < minRSAExponent || key.E > maxRSAExponent || key.E%2 == 0 {
			return decision.Denyf(decision.KeyWeak, describe(c), "an RSA key with the exponent %d; odd ones from %d to %d are accepted", key.E, minRSAExponent, maxRSAExponent)
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
		default:
			return decision.Denyf(decision.KeyWeak, describe(c), "an EC key on %s; P-256, P-384 and P-521 are accepted", key.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		return decision.Denyf(decision.KeyUnsupported, describe(c), "%s; RSA, EC and Ed25519 are accepted", kindOfKey(c))
	}
	return nil
}

// checkSignatureAlgorithm refuses what can be forged. The list says what is
// good: an algorithm that is new to us is refused until somebody adds it.
func checkSignatureAlgorithm(c *x509.Certificate) error {
	if AcceptsSignature(c.SignatureAlgorithm) {
		return nil
	}
	return decision.Denyf(decision.SignatureWeak, describe(c), "signed with %s, which is not accepted", signedWith(c))
}

// usualExponent is the largest RSA exponent that anybody has on purpose.
const usualExponent = 65537

// costOf says how long a signature check by the key takes, in hundredths of one by a
// key on P-256.
func costOf(c *x509.Certificate) int {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		cost := costOfRSA(key.N.BitLen())
		if key.E > usualExponent {
			cost = cost * 26 / 10 // twice as many squarings, and a multiplication for each
		}
		return cost
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P384():
			return 710
		case elliptic.P521():
			return 2100
		}
	case ed25519.PublicKey:
		return 65
	}
	return checkWork
}

func costOfRSA(bits int) int {
	switch {
	case bits > maxRSABits: // which is refused, but where a CA only takes back
		return 1500 * bits / maxRSABits * bits / maxRSABits
	case bits > 4096:
		return 1500
	case bits > 3072:
		return 370
	case bits > 2048:
		return 220
	}
	return 40
}

// hashedBytesPerWork is how much of a certificate is hashed in the time of a hundredth
// of a check. It is hashed anew for every key that is tried.
const hashedBytesPerWork = 328

// HasMultiples reports whether multiples of the anchor's key are keys of its size: an RSA
// modulus that leaves bits of its first octet free. What it signed may fit one of them,
// which anybody finds, and nobody signs with.
func (a *Anchor) HasMultiples() bool {
	key, is := a.Certificate.PublicKey.(*rsa.PublicKey)
	return is && key.N.BitLen()%8 != 0
}

// AcceptsSignature reports whether a signature by the algorithm, on a certificate
// or on what a CA says of one, is accepted.
func AcceptsSignature(algorithm x509.SignatureAlgorithm) bool {
	switch algorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
		x509.PureEd25519:
		return true
	}
	return false
}
