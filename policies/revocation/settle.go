package revocation

import "slices"

// learn says what a source knows. It is called with the lock held, as what follows.
func (f *Fetcher) learn(s *source, after knowledge) {
	before := s.known
	for _, k := range before {
		at := k.stand()
		if delete(f.holders[at], s.key); len(f.holders[at]) == 0 {
			delete(f.holders, at)
		}
		if !after.has(k) {
			f.stir(at)
		}
	}
	for _, k := range after {
		at := k.stand()
		if f.holders[at] == nil {
			f.holders[at] = make(map[string]*source)
		}
		f.holders[at][s.key] = s
		if !before.has(k) {
			f.stir(at)
		}
	}
	s.known = after
	more := after.size() - before.size()
	f.held += more
	for name := range s.owners {
		f.owners[name].used += more
	}
}

// stir notes that something is new, or gone, since the last View.
func (f *Fetcher) stir(at stand) {
	f.stirred[at] = true
	f.stirs++
}

// Settle makes a View with all that changed before the call, and returns when it is
// published. Where many things change at once, few Views are made of them; one costs
// by what changed, and not by all that is known.
func (f *Fetcher) Settle() {
	f.publishing.Lock()
	defer f.publishing.Unlock()
	f.mu.Lock()
	changes := make([]change, 0, len(f.stirred))
	for at := range f.stirred {
		changes = append(changes, f.now(at))
	}
	clear(f.stirred)
	f.mu.Unlock()
	if len(changes) == 0 {
		return
	}
	f.view = f.view.with(changes)
	f.options.Publish(f.view)
}

// now returns what stands there.
func (f *Fetcher) now(at stand) change {
	one := change{at: at}
	if at.subject == (subject{}) {
		one.lists = slices.Clone(f.files[at.name])
	}
	add := func(k known, lists *[]*CRL) {
		switch {
		case k.stand() != at:
		case k.crl != nil:
			*lists = append(*lists, k.crl)
		default:
			one.answers = append(one.answers, k.answer)
		}
	}
	for _, key := range sortedKeys(f.holders[at]) {
		for _, k := range f.holders[at][key].known {
			add(k, &one.lists)
		}
	}
	for _, k := range f.left.at[at] {
		add(k.known, &one.held)
	}
	return one
}
