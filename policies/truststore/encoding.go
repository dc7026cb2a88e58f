package truststore

import (
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certbearer/certbearer/policies/decision"
)

// IsShaped reports whether the DER has the three parts of a certificate (RFC 5280 4.1),
// whatever is in them: it is then a malformed certificate, if it cannot be read, and
// no other thing that somebody took for one.
func IsShaped(der []byte) bool {
	var whole cryptobyte.String
	input := cryptobyte.String(der)
	return input.ReadASN1(&whole, asn1.SEQUENCE) && whole.SkipASN1(asn1.SEQUENCE) && whole.SkipASN1(asn1.SEQUENCE) && whole.SkipASN1(asn1.BIT_STRING) && input.Empty()
}

// checkEncoding refuses a certificate that has more in it than X.509 knows (RFC
// 5280 4.1). crypto/x509 passes over what follows the parts that it has read. The
// extensions of a certificate that is not of version 3, or behind a field that
// should not be there, would hold for others and not for us; and what stands behind
// the signature makes another thumbprint of the same certificate.
func checkEncoding(c *x509.Certificate) error {
	if problem := surplus(c); problem != "" {
		return decision.Denyf(decision.CertificateMalformed, describe(c), "%s", problem)
	}
	return nil
}

// surplus says what is too much, "" if nothing is.
func surplus(c *x509.Certificate) string {
	var whole, tbs cryptobyte.String
	input := cryptobyte.String(c.Raw)
	if !input.ReadASN1(&whole, asn1.SEQUENCE) || !whole.ReadASN1(&tbs, asn1.SEQUENCE) || !skipSignature(&whole) || !whole.Empty() {
		return "something stands in its signature or behind it that is none"
	}
	// serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
	for _, tag := range []asn1.Tag{asn1.INTEGER, asn1.SEQUENCE, asn1.SEQUENCE, asn1.SEQUENCE, asn1.SEQUENCE, asn1.SEQUENCE} {
		if tag == asn1.INTEGER && !tbs.SkipOptionalASN1(asn1.Tag(0).ContextSpecific().Constructed()) || !tbs.SkipASN1(tag) {
			return "its parts cannot be read"
		}
	}
	if c.Version >= 2 && (!tbs.SkipOptionalASN1(asn1.Tag(1).ContextSpecific()) || !tbs.SkipOptionalASN1(asn1.Tag(2).ContextSpecific())) {
		return "its unique identifiers cannot be read"
	}
	if c.Version >= 3 && !tbs.SkipOptionalASN1(asn1.Tag(3).ContextSpecific().Constructed()) {
		return "its extensions cannot be read"
	}
	if !tbs.Empty() {
		return "something stands in it that no certificate of its version has, such as extensions before version 3"
	}
	return ""
}

// skipSignature takes whole octets only: with bits to spare, the same signature could
// be written in two ways.
func skipSignature(from *cryptobyte.String) bool {
	var bits []byte
	return from.SkipASN1(asn1.SEQUENCE) && from.ReadASN1BitStringAsBytes(&bits)
}
