package truststore

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
)

// Anchor is a CA certificate that a client trusts to issue.
type Anchor struct {
	Certificate *x509.Certificate
	// Thumbprint is the SHA-256 of the DER certificate.
	Thumbprint [sha256.Size]byte
	// ID is the same for two certificates of one CA: public keys agree, and
	// subjects match by RFC 5280 7.1, whatever else a renewal changed, and however
	// key and name are encoded.
	ID [sha256.Size]byte

	names certNames // read once: a decision may come past a thousand anchors
}

// NewAnchor makes an Anchor of an entry for which IsAnchor holds.
func NewAnchor(e Entry) *Anchor {
	names := comparedNames(e.Certificate)
	return &Anchor{Certificate: e.Certificate, Thumbprint: e.Thumbprint, ID: anchorID(e.Certificate, names.subject), names: names}
}

func anchorID(c *x509.Certificate, subject [sha256.Size]byte) [sha256.Size]byte {
	return idOf(subject, publicKeyOf(c))
}

func idOf(subject [sha256.Size]byte, publicKey []byte) [sha256.Size]byte {
	return sha256.Sum256(append(subject[:], publicKey...))
}

// IssuerName is the [NameKey] of the issuer of the anchor's certificate.
func (a *Anchor) IssuerName() [sha256.Size]byte { return a.names.issuer }

// publicKeyOf returns the key in its one canonical encoding. crypto/x509 reads
// others too, a BIT STRING with unused bits for one, so that the bytes of a
// certificate do not tell whether its key is another. Keys that crypto/x509
// does not know sign nothing here, and stand as they are.
func publicKeyOf(c *x509.Certificate) []byte {
	canonical, err := x509.MarshalPKIXPublicKey(c.PublicKey)
	if err != nil {
		return c.RawSubjectPublicKeyInfo
	}
	return canonical
}

// canonicalKey reports whether the key is encoded as whoever signs a
// certificate is to encode it.
func canonicalKey(c *x509.Certificate) bool {
	return bytes.Equal(publicKeyOf(c), c.RawSubjectPublicKeyInfo)
}
