package truststore

import (
	"crypto/x509"
	"time"
)

// Path is an accepted certification path, leaf first, anchor last. A pinned
// certificate is a path of one.
type Path []*x509.Certificate

// Until returns the moment at which the first certificate of the path ends.
func (p Path) Until() time.Time {
	var until time.Time
	for i, certificate := range p {
		if i == 0 || certificate.NotAfter.Before(until) {
			until = certificate.NotAfter
		}
	}
	return until
}

// Verify finds a path from one of the anchors to the chain's leaf that is good
// at the given time for TLS client authentication, by RFC 5280 section 6;
// docs/validation.md has the rules. Of the intermediates only those are looked at
// that an anchor's signatures reach.
//
// The error names the certificate at fault and is CertificateIsCA, PathNotFound,
// PathInvalid, PathExpired, PathTooComplex, CriticalExtensionUnknown, KeyWeak,
// KeyUnsupported, SignatureWeak, CertificateMalformed, or what CheckLeaf returns.
func Verify(chain *Chain, anchors []*Anchor, at time.Time) (Path, error) {
	return Terms{At: at}.Verify(chain, anchors)
}

// isCA is about what the certificate claims, not whether it may issue: a leaf
// that asserts either is no client certificate.
func isCA(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && c.IsCA || c.KeyUsage&x509.KeyUsageCertSign != 0
}
