package revocation

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/certbearer/certbearer/policies/truststore"
)

// Named says which certificate is meant, without having it: whose it is, by the
// issuer's name and key, and its serial number. It is what lists and responders know
// of a certificate, so that a View can be asked about one long after it was seen.
type Named struct {
	issuer nameKey
	about  subject
}

// NamesOf names every certificate of a path but the one at its end, in the order of
// the path. One whose issuer changed keys has a name for each, and one whose number is
// longer than any on a list has none.
func NamesOf(path []*x509.Certificate) []Named {
	var all []Named
	names := make([]nameKey, len(path)) // read once: a path can be of one CA's many keys
	for i, c := range path {
		names[i] = truststore.NameKey(c.RawSubject)
	}
	for i := 0; i+1 < len(path); i++ {
		if serialContent(path[i].SerialNumber) == nil {
			continue
		}
		for j := i + 1; j < len(path) && names[j] == names[i+1]; j++ {
			all = append(all, Named{names[j], subjectOf(path[i], path[j])})
		}
	}
	return all
}

// String returns the name in base64url: two SHA-256, and the number as in DER.
func (n Named) String() string {
	text := append(n.issuer[:], n.about.key[:]...)
	return base64.RawURLEncoding.EncodeToString(append(text, n.about.serial...))
}

// ParseNamed reads what String returns.
func ParseNamed(text string) (Named, error) {
	const numbered = 2 * sha256.Size
	if len(text) > base64.RawURLEncoding.EncodedLen(numbered+maxSerialBytes) {
		return Named{}, errors.New("the name of a certificate is too long")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) <= numbered || strings.ContainsAny(text, "\r\n") { // which the decoder passes over
		return Named{}, errors.New("not the name of a certificate")
	}
	return Named{nameKey(raw[:sha256.Size]), subject{[sha256.Size]byte(raw[sha256.Size:numbered]), string(raw[numbered:])}}, nil
}

// Revokes reports whether a list or an answer revokes the certificate. A list counts
// once it is known who signed it: one from a location always, one from a file when
// [CRL.SignedBy] or a judgement has found its signer.
func (v *View) Revokes(n Named) bool {
	for _, list := range v.listing(n.issuer).each() {
		if list.scope.onlyAttributes || !list.signature.isBy(n.about.key) {
			continue
		}
		if _, found := list.entries.find([]byte(n.about.serial)); found {
			return true
		}
	}
	for _, answer := range v.hearing(stand{n.issuer, n.about}).each() {
		if answer.Revoked {
			return true
		}
	}
	return false
}
