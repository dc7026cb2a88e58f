package truststore

import (
	"crypto/x509"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// oidRSAPSS is a signature algorithm, and the kind of a key that makes no other
// signatures (RFC 4055 1.2), which crypto/x509 does not read.
var oidRSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}

// signedWith names the signature algorithm of a certificate in a denial, by its
// identifier where crypto/x509 has no name for it.
func signedWith(c *x509.Certificate) string {
	if c.SignatureAlgorithm != x509.UnknownSignatureAlgorithm {
		return c.SignatureAlgorithm.String()
	}
	whole := cryptobyte.String(c.Raw)
	if !whole.ReadASN1(&whole, der.SEQUENCE) || !whole.SkipASN1(der.SEQUENCE) {
		return "an algorithm that cannot be read"
	}
	id := algorithmIn(whole)
	if id.Equal(oidRSAPSS) {
		return "RSA-PSS of other parameters than SHA-256, SHA-384 or SHA-512 has"
	}
	return "the algorithm " + id.String()
}

// kindOfKey names the kind of a certificate's key in a denial.
func kindOfKey(c *x509.Certificate) string {
	switch {
	case c.PublicKeyAlgorithm != x509.UnknownPublicKeyAlgorithm:
		return "a " + c.PublicKeyAlgorithm.String() + " key"
	case onlyPSS(c):
		return "an RSA key for RSA-PSS only"
	}
	return "a key of the kind " + keyAlgorithm(c).String()
}

// onlyPSS reports whether the key is an RSA key that is kept to RSA-PSS.
func onlyPSS(c *x509.Certificate) bool {
	return c.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm && keyAlgorithm(c).Equal(oidRSAPSS)
}

func isPSS(algorithm x509.SignatureAlgorithm) bool {
	return algorithm == x509.SHA256WithRSAPSS || algorithm == x509.SHA384WithRSAPSS || algorithm == x509.SHA512WithRSAPSS
}

func keyAlgorithm(c *x509.Certificate) asn1.ObjectIdentifier {
	info := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	if !info.ReadASN1(&info, der.SEQUENCE) {
		return nil
	}
	return algorithmIn(info)
}

// algorithmIn reads the identifier of the AlgorithmIdentifier that comes next.
func algorithmIn(input cryptobyte.String) (id asn1.ObjectIdentifier) {
	if !input.ReadASN1(&input, der.SEQUENCE) || !input.ReadASN1ObjectIdentifier(&id) {
		return nil
	}
	return id
}
