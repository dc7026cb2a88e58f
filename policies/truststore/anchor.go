package truststore

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
)

// Anchor is a CA certificate that a client trusts to issue.
type Anchor struct {
	Certificate *x509.Certificate
	// Thumbprint is the SHA-256 of the DER certificate.
	Thumbprint [sha256.Size]byte
	// ID is the same for two certificates of one CA: subject and public key
	// agree, whatever else a renewal changed.
	ID [sha256.Size]byte
}

// NewAnchor makes an Anchor of an entry for which IsAnchor holds.
func NewAnchor(e Entry) *Anchor {
	return &Anchor{Certificate: e.Certificate, Thumbprint: e.Thumbprint, ID: anchorID(e.Certificate)}
}

func anchorID(c *x509.Certificate) [sha256.Size]byte {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(c.RawSubject)))
	sum := sha256.New()
	sum.Write(length[:])
	sum.Write(c.RawSubject)
	sum.Write(c.RawSubjectPublicKeyInfo)
	return [sha256.Size]byte(sum.Sum(nil))
}
