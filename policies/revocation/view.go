package revocation

import (
	"slices"
)

// View is an immutable set of CRLs and OCSP answers. A nil View is an empty one.
type View struct {
	shelves map[string]*shelf // by the issuer's name in DER
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
	v := &View{shelves: make(map[string]*shelf)}
	at := func(issuer []byte) *shelf {
		s := v.shelves[string(issuer)]
		if s == nil {
			s = new(shelf)
			v.shelves[string(issuer)] = s
		}
		return s
	}
	for _, c := range lists {
		// Which of two equal lists is kept matters: one may know its signer.
		if s := at(c.rawIssuer); !slices.ContainsFunc(s.lists, func(other *CRL) bool { return other.ID == c.ID }) {
			s.lists = append(s.lists, c)
		}
	}
	for _, a := range answers {
		s := at(a.rawIssuer)
		s.all = append(s.all, a)
	}
	for issuer, s := range v.shelves {
		if before := previous.shelf([]byte(issuer)); before.sameAs(s) {
			v.shelves[issuer] = before
			continue
		}
		s.index()
	}
	return v
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

func (v *View) shelf(issuer []byte) *shelf {
	if v == nil {
		return nil
	}
	return v.shelves[string(issuer)]
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
	issuer string
	shelf  *shelf
}

// Holds reports whether the View has, of all CAs that the stamp names, what there
// was when the stamp was made. Then a verdict with the stamp holds until its end.
func (v *View) Holds(s Stamp) bool {
	for _, part := range s.parts {
		if v.shelf([]byte(part.issuer)) != part.shelf {
			return false
		}
	}
	return true
}
