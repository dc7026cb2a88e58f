package revocation

import "weak"

// Stamp is what a verdict hangs on: of each certificate of the path, the lists of
// its CA, and what responders say of it. The zero value hangs on nothing. It keeps
// none of that in memory: verdicts are kept by the thousand, and longer than the
// lists that they were made by.
type Stamp struct{ parts []stampPart }

type stampPart struct {
	issuer nameKey
	lists  remembered[listing]
	about  subject
	heard  remembered[hearing]
}

// Holds reports whether the View has, of all that the stamp names, what there was
// when the stamp was made. Then a verdict with the stamp holds until its end.
func (v *View) Holds(s Stamp) bool {
	for _, part := range s.parts {
		if !part.lists.is(v.listing(part.issuer)) || !part.heard.is(v.hearing(stand{part.issuer, part.about})) {
			return false
		}
	}
	return true
}

// Size is about how many bytes of memory the stamp takes.
func (s Stamp) Size() int {
	const part = 128 // names of a CA and a key, two pointers, and what the allocator adds
	size := 0
	for _, p := range s.parts {
		size += part + len(p.about.serial)
	}
	return size
}

// remembered is a pointer that keeps nothing in memory. To a weak pointer alone,
// what is gone would be the same as nothing.
type remembered[T any] struct {
	none bool
	at   weak.Pointer[T]
}

func remember[T any](p *T) remembered[T] { return remembered[T]{p == nil, weak.Make(p)} }

func (r remembered[T]) is(p *T) bool { return r.none == (p == nil) && r.at.Value() == p }
