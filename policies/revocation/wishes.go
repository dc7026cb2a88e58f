package revocation

import (
	"fmt"
	"maps"
	"time"
)

// wish is a location that an owner wants.
type wish struct {
	Location
	asked time.Time // last, by Ask; zero for what Want named
}

// Want says which locations an owner, such as a client, has now; those that it had
// before and has no more are forgotten, unless another owner has them.
func (f *Fetcher) Want(owner string, locations []Location) error {
	wanted := make(map[string]wish, len(locations))
	for _, l := range locations {
		if err := l.check(); err != nil {
			return fmt.Errorf("location %s: %w", bounded(l.Name()), err)
		}
		wanted[l.key()] = wish{Location: l}
	}
	if err := checkCount(wanted); err != nil {
		return err
	}
	f.mu.Lock()
	before := f.owners[owner]
	for key, w := range wanted {
		w.asked = before[key].asked // what was asked for a certificate can make room as before
		wanted[key] = w
	}
	if err := f.checkAll(wanted); err != nil {
		f.mu.Unlock()
		return err
	}
	f.owners[owner] = wanted
	if len(wanted) == 0 {
		delete(f.owners, owner)
	}
	for key, w := range wanted {
		known := f.sources[key] != nil
		f.join(owner, key, w.Location)
		if !known {
			f.adopt(f.sources[key], before)
		}
	}
	gone := false
	for key := range before {
		if _, still := wanted[key]; !still {
			gone = f.leave(owner, key) || gone
		}
	}
	f.mu.Unlock()
	if gone {
		f.publish()
	}
	return nil
}

// Ask adds a location to those of the owner: a certificate has come, and an OCSP
// responder is to be asked about it. Where the owner has as many as it may, the
// certificate that was asked about the longest time ago makes room: short-lived
// certificates come and go.
func (f *Fetcher) Ask(owner string, l Location) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("location %s: %w", bounded(l.Name()), err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key, now, wanted := l.key(), time.Now(), f.owners[owner]
	if before, known := wanted[key]; known {
		if !before.asked.IsZero() {
			before.asked = now
			wanted[key] = before
		}
		return nil
	}
	more := maps.Clone(wanted)
	if more == nil {
		more = make(map[string]wish)
	}
	more[key] = wish{l, now}
	one := map[string]wish{key: more[key]}
	err := checkCount(more)
	if err != nil || f.checkAll(one) != nil {
		leaving := f.oldest(wanted, now)
		delete(more, leaving)
		if err = checkCount(more); err == nil && leaving != "" {
			f.leave(owner, leaving) // what it knew leaves with the next View
			delete(wanted, leaving)
		}
	}
	if err == nil {
		err = f.checkAll(one)
	}
	if err != nil {
		return err
	}
	f.owners[owner] = more
	f.join(owner, key, l)
	return nil
}

// Drop takes one location from those of the owner, for another to have its place. What
// it knew leaves with the next View: to make one of all that is known takes its time,
// and requests may be waiting.
func (f *Fetcher) Drop(owner string, l Location) {
	key := l.key()
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, wanted := f.owners[owner][key]; wanted {
		delete(f.owners[owner], key)
		f.leave(owner, key)
	}
}

// oldest returns the question that an owner can do without the easiest: about a
// certificate that has expired, else the one that came up last the longest time
// ago, and one about what is revoked only if there are no others. "" is none.
func (f *Fetcher) oldest(wanted map[string]wish, at time.Time) string {
	found, rank := "", 0
	for key, w := range wanted {
		if w.asked.IsZero() || w.Certificate == nil {
			continue
		}
		r := 1
		if answer := f.sources[key].known.last().answer; answer == nil || !answer.Revoked {
			r = 2
		}
		if at.After(w.Certificate.NotAfter) {
			r = 3
		}
		if r > rank || r == rank && w.asked.Before(wanted[found].asked) {
			found, rank = key, r
		}
	}
	return found
}

func checkCount(wanted map[string]wish) error {
	urls := make(map[string]bool)
	for _, l := range wanted {
		urls[l.URL] = true
	}
	if len(urls) > MaxLocations {
		return fmt.Errorf("more than %d locations", MaxLocations)
	}
	if len(wanted) > MaxLocations+maxQuestions {
		return fmt.Errorf("more than %d certificates to ask about", maxQuestions)
	}
	return nil
}

// checkAll says whether there is room for what is wanted beside all that is kept fresh.
// It is called with the lock held.
func (f *Fetcher) checkAll(wanted map[string]wish) error {
	sources, asking := len(f.sources), f.asking
	for key, w := range wanted {
		if f.sources[key] != nil {
			continue
		}
		sources++
		if w.Certificate != nil {
			asking++
		}
	}
	switch {
	case asking > maxAllQuestions:
		return fmt.Errorf("all clients together have more than %d certificates to ask about", maxAllQuestions)
	case sources > maxSources:
		return fmt.Errorf("all clients together have more than %d locations and certificates to ask about", maxSources)
	}
	return nil
}

// join and leave are called with the lock held.
func (f *Fetcher) join(owner, key string, l Location) {
	s := f.sources[key]
	if s != nil {
		s.owners[owner] = l
		return
	}
	s = newSource(key, l)
	f.sources[key] = s
	f.byFile[s.file] = true
	if l.Certificate != nil {
		f.asking++
	}
	s.owners[owner] = l
	if f.running != nil {
		f.start(s)
	}
}

// adopt has a new source know what its owner had of the same URL before, as far as its
// issuers signed it: an owner that has one CA more has the lists of the others still,
// though the location is silent just then. It is called with the lock held.
func (f *Fetcher) adopt(s *source, before map[string]wish) {
	for key, w := range before {
		if w.URL != s.of.URL || w.Certificate != nil || s.of.Certificate != nil {
			continue
		}
		for _, one := range f.sources[key].known {
			after, _, err := s.known.with(one)
			if err == nil && s.of.signed(one.crl) == nil && f.hasRoom(s, after.size()) == nil {
				s.known, s.unkept = after, true
				f.stirred.Store(true)
			}
		}
	}
}

// leave reports whether something that was known is no more.
func (f *Fetcher) leave(owner, key string) bool {
	s := f.sources[key]
	delete(s.owners, owner)
	if len(s.owners) > 0 {
		return false
	}
	s.stop()
	delete(f.sources, key)
	delete(f.byFile, s.file)
	if s.of.Certificate != nil {
		f.asking--
	}
	if len(s.known) > 0 {
		f.stirred.Store(true)
	}
	return len(s.known) > 0
}
