package truststore

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"math/bits"
)

// maxUnfit bounds the keys that are found not to fit a signature without checking it,
// some 100 ns each: thousands of CAs may have one name and one key identifier.
const maxUnfit = 1000

// unlikelyBits is by how much a signature may be shorter than the curve's order. It
// has two numbers from the whole range, and both are that small for one in 2^128.
const unlikelyBits = 64

// mayFit reports whether the key is of the kind and the size that the signature is of.
// Names and key identifiers are free to choose: with that look, CAs with dear keys that
// pose as another spend nothing of what a decision may cost. What cannot be read is
// left to the check of the signature.
func mayFit(issuer, subject *x509.Certificate) bool {
	return MayFit(issuer, subject.SignatureAlgorithm, subject.Signature)
}

// MayFit reports whether the certificate's key is of the kind and the size that a
// signature is of. Where it is not, the key did not make it.
func MayFit(issuer *x509.Certificate, algorithm x509.SignatureAlgorithm, signature []byte) bool {
	if kind := keyOf(algorithm); kind != x509.UnknownPublicKeyAlgorithm && kind != issuer.PublicKeyAlgorithm {
		return false
	}
	switch key := issuer.PublicKey.(type) {
	case *rsa.PublicKey:
		return len(signature) == key.Size()
	case *ecdsa.PublicKey:
		length, ok := longestOf(signature)
		order := key.Curve.Params().BitSize
		return !ok || length <= order && length > order-unlikelyBits
	}
	return true
}

// keyOf returns the kind of key that an accepted signature algorithm is for.
func keyOf(algorithm x509.SignatureAlgorithm) x509.PublicKeyAlgorithm {
	switch algorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		return x509.RSA
	case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return x509.ECDSA
	case x509.PureEd25519:
		return x509.Ed25519
	}
	return x509.UnknownPublicKeyAlgorithm
}

// longestOf returns how many bits the longer of the two numbers of an ECDSA signature
// has (RFC 3279 2.2.3).
func longestOf(signature []byte) (length int, ok bool) {
	rest, ok := only(signature, derSequence)
	for range 2 {
		var tag byte
		var number []byte
		if !ok {
			return 0, false
		}
		if tag, number, rest, ok = element(rest); tag != derInteger {
			return 0, false
		}
		for len(number) > 0 && number[0] == 0 {
			number = number[1:]
		}
		if len(number) > 0 {
			length = max(length, 8*(len(number)-1)+bits.Len8(number[0]))
		}
	}
	return length, ok && len(rest) == 0
}
