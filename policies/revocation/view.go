package revocation

import (
	"crypto/sha256"
	"slices"
)

// View is an immutable set of CRLs and OCSP answers. A nil View is an empty one.
// What of it did not change, the next View has at the same place: by that a [Stamp]
// knows it.
type View struct {
	lists   table[nameKey, *listing]
	answers table[stand, *hearing]
	spelled table[string, nameKey] // the issuers' names as they are written, in DER
}

// stand is where something is looked for: lists by their issuer's name alone, answers
// by whom they are about too.
type stand struct {
	name nameKey
	subject
}

// listing has the lists of CAs of one name.
type listing struct {
	all []*CRL
	// vouching is how many of them, from the first, may vouch. What is on the others is
	// revoked, and nobody keeps them fresh.
	vouching int
}

// hearing is what responders say of one certificate.
type hearing struct{ all []*Answer }

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

// change is what a stand has from now on.
type change struct {
	at      stand
	lists   []*CRL
	held    []*CRL // which revoke only
	answers []*Answer
}

// NewView makes a View of lists and answers. What previous had of a CA, it keeps
// as it is if nothing changed there, so that verdicts that hang on it still hold;
// previous may be nil.
//
// Lists of one CA may contradict each other, such as an old and a new one: what
// any of them has is revoked. Whoever replaces a list leaves the old one out.
func NewView(previous *View, lists []*CRL, answers []*Answer) *View {
	changes := make(map[stand]*change)
	at := func(s stand) *change {
		if changes[s] == nil {
			changes[s] = &change{at: s}
		}
		return changes[s]
	}
	for _, c := range lists {
		one := at(c.stand())
		one.lists = append(one.lists, c)
	}
	for _, a := range answers {
		one := at(a.stand())
		one.answers = append(one.answers, a)
	}
	made := (*View)(nil).edit(previous)
	for _, one := range changes {
		made.put(*one)
	}
	return made.view()
}

func (c *CRL) stand() stand    { return stand{name: c.name} }
func (a *Answer) stand() stand { return stand{a.name, a.about} }

// with returns the View after the changes. It costs by them, and not by how much
// there is.
func (v *View) with(changes []change) *View {
	made := v.edit(v)
	for _, one := range changes {
		made.put(one)
	}
	return made.view()
}

// viewEditor makes a View.
type viewEditor struct {
	before  *View // whose lists and answers are taken where they are equal
	lists   *editor[nameKey, *listing]
	answers *editor[stand, *hearing]
	spelled *editor[string, nameKey]
}

func (v *View) edit(before *View) *viewEditor {
	if v == nil {
		v = new(View)
	}
	return &viewEditor{before, v.lists.edit(), v.answers.edit(), v.spelled.edit()}
}

func (e *viewEditor) put(one change) {
	if one.at == (stand{name: one.at.name}) {
		e.putLists(one)
		return
	}
	if len(one.answers) == 0 {
		e.answers.remove(one.at)
		return
	}
	next := &hearing{one.answers}
	if same := e.before.hearing(one.at); same != nil && slices.Equal(same.all, next.all) {
		next = same
	}
	e.answers.put(one.at, next)
	for _, a := range one.answers {
		e.spell(a.rawIssuer, a.name)
	}
}

// putLists takes what was there before in the place of what is equal. A list that was
// there knows who signed it.
func (e *viewEditor) putLists(one change) {
	before := e.before.listing(one.at.name)
	known := make(map[[sha256.Size]byte]*CRL)
	for _, c := range before.each() {
		known[c.ID] = c
	}
	next, seen := new(listing), make(map[[sha256.Size]byte]bool)
	for i, c := range slices.Concat(one.lists, one.held) {
		if i == len(one.lists) {
			next.vouching = len(next.all)
		}
		if seen[c.ID] {
			continue
		}
		seen[c.ID] = true
		e.spell(c.rawIssuer, c.name)
		if same := known[c.ID]; same != nil {
			c = same
		}
		next.all = append(next.all, c)
	}
	if len(one.held) == 0 {
		next.vouching = len(next.all)
	}
	switch {
	case len(next.all) == 0:
		e.lists.remove(one.at.name)
	case before != nil && before.vouching == next.vouching && slices.Equal(before.all, next.all):
		e.lists.put(one.at.name, before)
	default:
		e.lists.put(one.at.name, next)
	}
}

func (e *viewEditor) spell(issuer []byte, name nameKey) {
	if _, known := e.spelled.get(string(issuer)); !known {
		e.spelled.put(string(issuer), name)
	}
}

func (e *viewEditor) view() *View {
	v := &View{e.lists.table, e.answers.table, e.spelled.table}
	if v.spelled.count > 2*(v.lists.count+v.answers.count)+1 {
		v.spell()
	}
	return v
}

// spell reads the spellings anew, so that those of what is gone do not add up.
func (v *View) spell() {
	spelled := table[string, nameKey]{}.edit()
	v.lists.each(func(name nameKey, l *listing) {
		for _, c := range l.all {
			spelled.put(string(c.rawIssuer), name)
		}
	})
	v.answers.each(func(at stand, h *hearing) {
		for _, a := range h.all {
			spelled.put(string(a.rawIssuer), at.name)
		}
	})
	v.spelled = spelled.table
}

func (v *View) listing(name nameKey) *listing {
	if v == nil {
		return nil
	}
	found, _ := v.lists.get(name)
	return found
}

func (v *View) hearing(at stand) *hearing {
	if v == nil {
		return nil
	}
	found, _ := v.answers.get(at)
	return found
}

// spelledAs is the key of an issuer's name that is written as on a list or an answer: it
// needs not be read.
func (v *View) spelledAs(issuer []byte) (nameKey, bool) {
	if v == nil {
		return nameKey{}, false
	}
	return v.spelled.get(string(issuer))
}

// CRLs returns the lists, in no order.
func (v *View) CRLs() []*CRL {
	var all []*CRL
	if v != nil {
		v.lists.each(func(_ nameKey, l *listing) { all = append(all, l.all...) })
	}
	return all
}
