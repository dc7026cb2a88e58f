package revocation

import (
	"fmt"
	"time"
)

// wish is a location that an owner wants.
type wish struct {
	Location
	asked time.Time // last, by Ask; zero for what Want named
}

// question reports whether it can make room: it was asked for a certificate, and is
// about that.
func (w wish) question() bool { return !w.asked.IsZero() && w.Certificate != nil }

// owner is what one has, guarded by the Fetcher's lock.
type owner struct {
	wishes    map[string]wish // by the key of the source
	urls      map[string]int
	questions int   // those that can make room
	used      int64 // bytes of what its locations had
}

// Want says which locations an owner, such as a client, has now, and which of those
// that [Fetcher.Ask] added it has still; what of these made room for others meanwhile
// is not asked before it is needed again. Those that it had before and has no more
// are not asked any more, unless another owner has them. What they had revoked stays
// so. [Fetcher.Settle] puts it in force.
func (f *Fetcher) Want(name string, locations []Location, still ...Location) error {
	wanted := make(map[string]wish, len(locations)+len(still))
	for _, l := range locations {
		if err := l.check(); err != nil {
			return fmt.Errorf("location %s: %w", bounded(l.Name()), err)
		}
		wanted[l.key()] = wish{Location: l}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	before := make(map[string]wish)
	if o := f.owners[name]; o != nil {
		for key, w := range o.wishes {
			before[key] = w
		}
	}
	for _, l := range still {
		key := l.key()
		_, named := wanted[key]
		w, had := before[key]
		if !had || named {
			continue
		}
		if w.asked.IsZero() {
			w.asked = time.Now()
		}
		wanted[key] = w
	}
	if err := checkCount(wanted); err != nil {
		return err
	}
	if err := f.makeRoomFor(name, wanted); err != nil {
		return err
	}
	for key, w := range wanted {
		known := f.sources[key] != nil
		f.wish(name, key, w)
		if !known {
			f.adopt(f.sources[key], before)
		}
	}
	for key := range before {
		if _, still := wanted[key]; !still {
			f.unwish(name, key)
		}
	}
	return nil
}

// Ask adds a location to those of the owner: a certificate has come, and an OCSP
// responder is to be asked about it. Where the owner has as many as it may, the
// certificate that was asked about the longest time ago makes room: short-lived
// certificates come and go. Where all together have as many, that of the owner with
// the most does: a flood of certificates takes the room of its own client only.
func (f *Fetcher) Ask(name string, l Location) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("location %s: %w", bounded(l.Name()), err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key, now, o := l.key(), time.Now(), f.owners[name]
	if o != nil {
		if before, known := o.wishes[key]; known {
			if !before.asked.IsZero() {
				before.asked = now
				o.wishes[key] = before
			}
			return nil
		}
		if err := f.makeOwnRoom(name, o, l, now); err != nil {
			return err
		}
	}
	one := map[string]wish{key: {l, now}}
	if err := f.makeRoomFor(name, one); err != nil {
		return err
	}
	f.wish(name, key, one[key])
	return nil
}

// Drop takes one location from those of the owner, for another to have its place. What
// it knew leaves with the next View.
func (f *Fetcher) Drop(name string, l Location) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unwish(name, l.key())
}

// wish and unwish are called with the lock held.
func (f *Fetcher) wish(name, key string, w wish) {
	o := f.owners[name]
	if o == nil {
		o = &owner{wishes: make(map[string]wish), urls: make(map[string]int)}
		f.owners[name] = o
	}
	before, had := o.wishes[key]
	if !had {
		o.urls[w.URL]++
	}
	o.wishes[key] = w
	f.count(name, o, toInt(w.question())-toInt(had && before.question()))
	f.join(name, key, w.Location)
}

func (f *Fetcher) unwish(name, key string) {
	o := f.owners[name]
	if o == nil {
		return
	}
	w, had := o.wishes[key]
	if !had {
		return
	}
	f.leave(name, key)
	delete(o.wishes, key)
	if o.urls[w.URL]--; o.urls[w.URL] == 0 {
		delete(o.urls, w.URL)
	}
	f.count(name, o, -toInt(w.question()))
	if len(o.wishes) == 0 {
		delete(f.owners, name)
	}
}

func toInt(is bool) int {
	if is {
		return 1
	}
	return 0
}

// join and leave are called with the lock held.
func (f *Fetcher) join(name, key string, l Location) {
	s := f.sources[key]
	if s == nil {
		s = newSource(key, l)
		f.sources[key] = s
		f.byFile[s.file] = true
		if l.Certificate != nil {
			f.asking++
		}
		f.revive(s)
		defer func() {
			if f.running != nil {
				f.start(s)
			}
		}()
	}
	if _, has := s.owners[name]; !has {
		f.owners[name].used += s.known.size()
	}
	s.owners[name] = l
}

func (f *Fetcher) leave(name, key string) {
	s := f.sources[key]
	f.owners[name].used -= s.known.size()
	delete(s.owners, name)
	if len(s.owners) > 0 {
		return
	}
	s.stop()
	delete(f.sources, key)
	delete(f.byFile, s.file)
	if s.of.Certificate != nil {
		f.asking--
	}
	known := s.known
	f.learn(s, nil)
	f.retire(s, known)
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
				f.learn(s, after)
				s.unkept = true
			}
		}
	}
}
