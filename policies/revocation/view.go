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

// shelf is what there is of CAs of one name. What of it did not change, the next
// View has at the same place: by that a [Stamp] knows it.
type shelf struct {
	lists   *listing // nil for none
	answers map[subject]*hearing
}

type listing struct{ all []*CRL }

// hearing is what responders say of one certificate.
type hearing struct{ all []*Answer }

// of returns the lists.
func (s *shelf) of() *listing {
	if s == nil {
		return nil
	}
	return s.lists
}

func (s *shelf) about(c subject) *hearing {
	if s == nil {
		return nil
	}
	return s.answers[c]
}

func (l *listing) each() []*CRL {
	if l == nil {
		return nil
	}
	return l.all
}

func (h *hearing) each() []*Answer {
	if h == nil {
		return nil
	}
	return h.all
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
			s.lists = new(listing)
		}
		if !seen[c.name][c.ID] {
			seen[c.name][c.ID] = true
			s.lists.all = append(s.lists.all, c)
		}
	}
	for _, a := range answers {
		s := v.at(a.rawIssuer, a.name)
		if s.answers == nil {
			s.answers = make(map[subject]*hearing)
		}
		if s.answers[a.about] == nil {
			s.answers[a.about] = new(hearing)
		}
		h := s.answers[a.about]
		h.all = append(h.all, a)
	}
	for name, s := range v.shelves {
		s.keep(previous.shelf(name))
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

// keep takes what was there before in the place of what is equal. A list that was
// there knows who signed it.
func (s *shelf) keep(before *shelf) {
	if before == nil {
		return
	}
	for about, h := range s.answers {
		if same := before.answers[about]; same != nil && slices.Equal(same.all, h.all) {
			s.answers[about] = same
		}
	}
	if s.lists == nil || before.lists == nil {
		return
	}
	known := make(map[[sha256.Size]byte]*CRL, len(before.lists.all))
	for _, c := range before.lists.all {
		known[c.ID] = c
	}
	for i, c := range s.lists.all {
		if same := known[c.ID]; same != nil {
			s.lists.all[i] = same
		}
	}
	if slices.Equal(before.lists.all, s.lists.all) {
		s.lists = before.lists
	}
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
			all = append(all, s.lists.each()...)
		}
	}
	return all
}
