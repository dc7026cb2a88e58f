package revocation

import (
	"crypto/sha256"
	"slices"

	"github.com/certbearer/certbearer/policies/truststore"
)

// View is an immutable set of CRLs and OCSP answers. A nil View is an empty one.
type View struct {
	shelves map[nameKey]*shelf
	spelled map[string]nameKey // the issuers' names as they are written, in DER
}

// shelf is what there is of CAs of one name. It is immutable, and the next View
// has the same one where nothing arrived for that name.
type shelf struct {
	lists   []*CRL
	answers map[subject][]*Answer
	all     []*Answer
}

// NewView makes a View of lists and answers. What previous had of a CA, it keeps
// as it is if nothing changed there, so that verdicts that hang on it still hold;
// previous may be nil.
//
// Lists of one CA may contradict each other, such as an old and a new one: what
// any of them has is revoked. Whoever replaces a list leaves the old one out.
func NewView(previous *View, lists []*CRL, answers []*Answer) *View {
	v := &View{shelves: make(map[nameKey]*shelf), spelled: make(map[string]nameKey)}
	seen := make(map[nameKey]map[[sha256.Size]byte]bool)
	for _, c := range lists {
		s := v.at(c.rawIssuer, c.name)
		if seen[c.name] == nil {
			seen[c.name] = make(map[[sha256.Size]byte]bool)
		}
		if !seen[c.name][c.ID] {
			seen[c.name][c.ID] = true
			s.lists = append(s.lists, c)
		}
	}
	for _, a := range answers {
		s := v.at(a.rawIssuer, a.name)
		s.all = append(s.all, a)
	}
	for name, s := range v.shelves {
		before := previous.shelf(name)
		s.keep(before)
		if before.sameAs(s) {
			v.shelves[name] = before
			continue
		}
		s.index()
	}
	return v
}

func (v *View) at(issuer []byte, name nameKey) *shelf {
	v.spelled[string(issuer)] = name
	s := v.shelves[name]
	if s == nil {
		s = new(shelf)
		v.shelves[name] = s
	}
	return s
}

// keep takes lists that were there before in the place of equal ones: those know
// who signed them.
func (s *shelf) keep(before *shelf) {
	if before == nil || slices.Equal(before.lists, s.lists) {
		return
	}
	known := make(map[[sha256.Size]byte]*CRL, len(before.lists))
	for _, c := range before.lists {
		known[c.ID] = c
	}
	for i, c := range s.lists {
		if same := known[c.ID]; same != nil {
			s.lists[i] = same
		}
	}
}

func (s *shelf) index() {
	s.answers = make(map[subject][]*Answer, len(s.all))
	for _, a := range s.all {
		s.answers[a.about] = append(s.answers[a.about], a)
	}
}

func (s *shelf) sameAs(other *shelf) bool {
	return s != nil && slices.Equal(s.lists, other.lists) && slices.Equal(s.all, other.all)
}

func (v *View) shelf(name nameKey) *shelf {
	if v == nil {
		return nil
	}
	return v.shelves[name]
}

// nameOf is the key of an issuer's name. One that is written as on a list or an
// answer needs not be read.
func (v *View) nameOf(issuer []byte) nameKey {
	if v != nil {
		if name, found := v.spelled[string(issuer)]; found {
			return name
		}
	}
	return truststore.NameKey(issuer)
}

// CRLs returns the lists, in no order.
func (v *View) CRLs() []*CRL {
	var all []*CRL
	if v != nil {
		for _, s := range v.shelves {
			all = append(all, s.lists...)
		}
	}
	return all
}

// Stamp is what a verdict hangs on: all that there was of each CA on the path.
// The zero value hangs on nothing.
type Stamp struct{ parts []stampPart }

type stampPart struct {
	issuer nameKey
	shelf  *shelf
}

// Holds reports whether the View has, of all CAs that the stamp names, what there
// was when the stamp was made. Then a verdict with the stamp holds until its end.
func (v *View) Holds(s Stamp) bool {
	for _, part := range s.parts {
		if v.shelf(part.issuer) != part.shelf {
			return false
		}
	}
	return true
}
