package policies

import (
	"crypto/sha256"
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

// namesakes reports whether several CAs have the name of an issuer.
func (s *Snapshot) namesakes(issuer [32]byte) bool {
	all, _ := s.named.get(issuer)
	return len(all) > 1
}

// likelySigners yields the CAs that may have signed a certificate, by the names of
// its issuer, in lists, the likely ones first. Many may have one name: "CN=Root CA" is popular, and
// everyone who copies a tutorial's openssl command has its subject. So it is the
// certificate's authorityKeyIdentifier that finds them. The rest are guesses: CAs
// that have no identifier and, while they are few, those whose identifier is
// another. Such a one is no issuer (RFC 5280 4.2.1.1), but CAs are not always
// renewed by the book.
func (s *Snapshot) likelySigners(issuer [32]byte, keyID []byte) iter.Seq[[][32]byte] {
	return func(yield func([][32]byte) bool) {
		if len(keyID) > 0 {
			if exact, _ := s.named.get(keyName(issuer, keyID)); !yield(exact) {
				return
			}
		}
		guesses, _ := s.named.get(keyName(issuer, nil))
		if all, _ := s.named.get(issuer); len(keyID) == 0 || len(all) <= maxGuesses {
			guesses = slices.Concat(guesses, all)
		}
		yield(guesses)
	}
}
