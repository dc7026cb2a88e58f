package truststore

import (
	"crypto/x509"

	"github.com/certbearer/certbearer/policies/decision"
)

// Profile says what form certificates on a path are to have. What a path is, who
// may issue, which names and purposes a certificate has, and how strong keys and
// signatures are, is the same in all of them.
type Profile uint8

// The profiles. Strict is the zero value.
const (
	// Strict holds certificates to what RFC 5280 section 4 demands of whoever
	// issues them.
	Strict Profile = iota
	// Compatible leaves out those demands that nothing is decided by, and which
	// private CAs often miss: section 6 of RFC 5280, by which paths are judged,
	// does not know them. docs/validation.md lists them.
	Compatible
)

// Profiles lists them all.
func Profiles() []Profile { return []Profile{Strict, Compatible} }

// String returns the word of a document, strict or compatible.
func (p Profile) String() string {
	if p == Compatible {
		return "compatible"
	}
	return "strict"
}

// ParseProfile reads the word of a document.
func ParseProfile(word string) (Profile, bool) {
	for _, p := range Profiles() {
		if word == p.String() {
			return p, true
		}
	}
	return Strict, false
}

// unasked ends what a denial says about a fault of form.
const unasked = ", which certificateProfile: compatible does not ask for"

// form refuses a fault of form, unless nobody asks for form.
func (p Profile) form(c *x509.Certificate, problem string) error {
	if p == Compatible {
		return nil
	}
	return invalid(c, problem+unasked)
}

func invalid(c *x509.Certificate, problem string) error {
	return decision.Denyf(decision.PathInvalid, describe(c), "%s", problem)
}
