package policies

import (
	"crypto/sha256"
	"crypto/x509"
	"iter"
	"slices"

	"github.com/certbearer/certbearer/policies/truststore"
)

// maxGuesses bounds the CAs of one name that are tried against the key
// identifier that a certificate gives.
const maxGuesses = 8

// findableAs returns the names under which a CA is found: its subject, and its
// subject with each subjectKeyIdentifier that its certificates give, or none.
func (a *authority) findableAs() [][32]byte {
	var names [][32]byte
	for _, anchor := range a.anchors {
		c := anchor.Certificate
		subject := subjectName(c.RawSubject)
		for _, name := range [][32]byte{subject, keyName(subject, c.SubjectKeyId)} {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// subjectName is the same for names that match by RFC 5280 7.1.
func subjectName(rawSubject []byte) [32]byte { return truststore.NameKey(rawSubject) }

// keyName cannot be a subjectName: those hash a text that begins with a letter.
func keyName(subject [32]byte, keyID []byte) [32]byte {
	text := append([]byte{0}, subject[:]...)
	return sha256.Sum256(append(text, keyID...))
}

// manyNamed reports whether more CAs have the issuer's name than are tried.
func (s *Snapshot) manyNamed(certificate *x509.Certificate) bool {
	all, _ := s.named.get(subjectName(certificate.RawIssuer))
	return len(all) > maxGuesses
}

// likelySigners yields the CAs that may have signed the certificate, the likely
// ones first. Many may have one name: "CN=Root CA" is popular, and everyone who
// copies a tutorial's openssl command has its subject. So it is the certificate's
// authorityKeyIdentifier that finds them, and then CAs that have no identifier.
// One whose identifier is another is no issuer (RFC 5280 4.2.1.1), but CAs are
// not always renewed by the book: while they are few, they are tried as well.
func (s *Snapshot) likelySigners(certificate *x509.Certificate) iter.Seq[[32]byte] {
	return func(yield func([32]byte) bool) {
		keyID, issuer := certificate.AuthorityKeyId, subjectName(certificate.RawIssuer)
		lists := make([][][32]byte, 0, 3)
		if len(keyID) > 0 {
			exact, _ := s.named.get(keyName(issuer, keyID))
			lists = append(lists, exact)
		}
		unnumbered, _ := s.named.get(keyName(issuer, nil))
		lists = append(lists, unnumbered)
		if all, _ := s.named.get(issuer); len(keyID) == 0 || len(all) <= maxGuesses {
			lists = append(lists, all)
		}
		for _, list := range lists {
			for _, id := range list {
				if !yield(id) {
					return
				}
			}
		}
	}
}
