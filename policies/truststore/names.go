package truststore

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
)

// certNames are the names of one certificate as they are compared: see NameKey.
type certNames struct{ subject, issuer [sha256.Size]byte }

func comparedNames(certificate *x509.Certificate) certNames {
	names := certNames{subject: NameKey(certificate.RawSubject)}
	names.issuer = names.subject
	if !bytes.Equal(certificate.RawSubject, certificate.RawIssuer) {
		names.issuer = NameKey(certificate.RawIssuer)
	}
	return names
}

// IssuerName is the [NameKey] of the certificate's issuer, which is read once in a
// decision.
func (c *Chain) IssuerName(certificate *x509.Certificate) [sha256.Size]byte {
	return c.names(certificate).issuer
}

func (c *Chain) names(certificate *x509.Certificate) certNames {
	if known, found := c.folded[certificate]; found {
		return known
	}
	names := comparedNames(certificate)
	c.work.spent += (min(len(certificate.RawSubject), maxFoldedBytes) + min(len(certificate.RawIssuer), maxFoldedBytes)) / nameBytesPerWork
	c.folded[certificate] = names
	return names
}

// named reports whether the subject's issuer is, by name, the issuer. Nearly
// always the names are equal to the byte, and need not be read.
func (c *Chain) named(issuer, subject *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, subject.RawIssuer) || c.names(issuer).subject == c.names(subject).issuer
}

// selfIssued reports whether issuer and subject are the same entity (RFC 5280
// 3.2), whoever's key made the signature.
func (c *Chain) selfIssued(certificate *x509.Certificate) bool {
	return bytes.Equal(certificate.RawSubject, certificate.RawIssuer) ||
		c.names(certificate).subject == c.names(certificate).issuer
}

// sameEntity reports whether two certificates are of one CA: on one path the
// second would be a way back to where it has been.
func (c *Chain) sameEntity(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo) &&
		(bytes.Equal(a.RawSubject, b.RawSubject) || c.names(a).subject == c.names(b).subject)
}

// hasSubject reports whether the subject has at least one attribute.
func hasSubject(c *x509.Certificate) bool { return len(c.Subject.Names) > 0 }

func emptyName(der []byte) bool { return bytes.Equal(der, []byte{derSequence, 0}) }
