package testca

import (
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"time"
)

// CRL describes a certificate revocation list (RFC 5280 section 5). The zero value is
// a full one with nothing on it, from an hour ago to a day from now.
type CRL struct {
	// Number is the cRLNumber; 0 takes the current time.
	Number                 int64
	ThisUpdate, NextUpdate time.Time
	Revoked                []*Issued
}

// SignCRL returns the list in DER, signed by a CA.
func (i *Issued) SignCRL(l CRL) ([]byte, error) {
	now := time.Now()
	if l.Number == 0 {
		l.Number = now.UnixNano()
	}
	if l.ThisUpdate.IsZero() {
		l.ThisUpdate = now.Add(-time.Hour)
	}
	if l.NextUpdate.IsZero() {
		l.NextUpdate = now.Add(24 * time.Hour)
	}
	template := x509.RevocationList{Number: big.NewInt(l.Number), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate}
	for _, revoked := range l.Revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: revoked.Certificate.SerialNumber, RevocationTime: l.ThisUpdate})
	}
	return x509.CreateRevocationList(rand.Reader, &template, i.Certificate, i.Key)
}
