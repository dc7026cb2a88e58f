package policies

import (
	"crypto/x509"
	"iter"
)

// CAsNamed yields the CA certificates that clients trust and whose subject is that
// name, in DER, by RFC 5280 7.1: those of whom a CRL of this issuer may be.
func (s *Snapshot) CAsNamed(subject []byte) iter.Seq[*x509.Certificate] {
	return func(yield func(*x509.Certificate) bool) {
		ids, _ := s.named.get(subjectName(subject))
		for _, id := range ids {
			held, _ := s.authority.get(id)
			for _, anchor := range held.anchors {
				if !yield(anchor.Certificate) {
					return
				}
			}
		}
	}
}
