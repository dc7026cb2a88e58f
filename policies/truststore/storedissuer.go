package truststore

import (
	"bytes"
	"crypto/x509"

	"github.com/certbearer/certbearer/policies/decision"
)

// StoredIssuer returns which of the anchors issued the certificate, by name and
// signature, nil if none did or it signed itself. An anchor whose key is too weak for a
// path is an issuer all the same: it can still take back what it issued. Those with the
// key identifier that the certificate asks for come first.
//
// The error is PathTooComplex, where so many have the name that not all were asked.
func (c *Chain) StoredIssuer(certificate *x509.Certificate, anchors []*Anchor) (*x509.Certificate, error) {
	if c.selfIssued(certificate) {
		if own, err := c.issued(certificate, certificate); own || err != nil {
			return nil, err
		}
	}
	name := c.names(certificate).issuer
	for _, asked := range []bool{true, false} {
		for _, anchor := range anchors {
			if anchor.names.subject != name || asked != isAskedFor(anchor.Certificate, certificate) {
				continue
			}
			if issued, err := c.issued(anchor.Certificate, certificate); err != nil {
				return nil, err
			} else if issued {
				return anchor.Certificate, nil
			}
		}
	}
	return nil, nil
}

// isAskedFor reports whether the issuer has the key identifier that the certificate
// names (RFC 5280 4.2.1.1).
func isAskedFor(issuer, certificate *x509.Certificate) bool {
	return len(certificate.AuthorityKeyId) > 0 && bytes.Equal(certificate.AuthorityKeyId, issuer.SubjectKeyId)
}

// issued reports whether the issuer's key made the signature, however weak it is. The
// error is PathTooComplex.
func (c *Chain) issued(issuer, subject *x509.Certificate) (bool, error) {
	err := c.verified(issuer, subject)
	switch decision.ReasonOf(err) {
	case decision.PathTooComplex:
		return false, err
	case decision.KeyWeak, decision.KeyUnsupported:
		if err := c.work.Check(issuer, len(subject.RawTBSCertificate)); err != nil {
			return false, err
		}
		return AcceptsSignature(subject.SignatureAlgorithm) &&
			issuer.CheckSignature(subject.SignatureAlgorithm, subject.RawTBSCertificate, subject.Signature) == nil, nil
	}
	return err == nil, nil
}
