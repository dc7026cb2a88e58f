package truststore

import (
	"bytes"
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
	// agree, whatever else a renewal changed, and however the key is encoded.
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
	sum.Write(publicKeyOf(c))
	return [sha256.Size]byte(sum.Sum(nil))
}

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
