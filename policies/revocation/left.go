package revocation

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
)

const (
	// maxLeft bounds what is kept of locations that nobody wants any more: revoked
	// certificates by OCSP, a few hundred bytes each, and lists.
	maxLeft = 10_000
	// leftShare is the part of the quota that it may fill.
	leftShare = 4
)

// leftover is something that revokes, of a location that nobody wants any more. A
// document that is edited takes no revocation back: what is on it stays revoked, and
// it vouches for nothing.
type leftover struct {
	known
	file  string // its name on disk
	since time.Time
	end   time.Time // of the certificate that it is about; zero of a list
}

// leftovers are kept by where they stand. They are guarded by the Fetcher's lock.
type leftovers struct {
	at    map[stand][]leftover
	files map[string]bool
	count int
	size  int64
}

func newLeftovers() leftovers {
	return leftovers{at: make(map[stand][]leftover), files: make(map[string]bool)}
}

func (k known) stand() stand {
	if k.crl != nil {
		return k.crl.stand()
	}
	return k.answer.stand()
}

// revokes reports whether anything is revoked by it.
func (k known) revokes() bool {
	if k.crl != nil {
		return k.crl.Len() > 0
	}
	return k.answer.Revoked
}

// endsBy reports whether next, which somebody keeps fresh, has the place of what was
// left. It has to be as good for that as if the location were the same.
func (k known) endsBy(next known) bool {
	same := k.kind() == next.kind() || next.covers(k)
	return same && (k.crl == nil) == (next.crl == nil) && k.stand() == next.stand() && k.follows(next) == nil
}

func (l *leftovers) add(one leftover) {
	l.remove(one.stand(), one.id())
	l.at[one.stand()] = append(l.at[one.stand()], one)
	l.files[one.file] = true
	l.count++
	l.size += one.size
}

func (l *leftovers) remove(at stand, id [sha256.Size]byte) {
	l.removeFunc(at, func(one leftover) bool { return one.id() == id })
}

// removeFunc returns what it removed.
func (l *leftovers) removeFunc(at stand, which func(leftover) bool) (gone []leftover) {
	rest := slices.DeleteFunc(slices.Clone(l.at[at]), func(one leftover) bool {
		if !which(one) {
			return false
		}
		gone = append(gone, one)
		return true
	})
	for _, one := range gone {
		delete(l.files, one.file)
		l.count--
		l.size -= one.size
	}
	if l.at[at] = rest; len(rest) == 0 {
		delete(l.at, at)
	}
	return gone
}

// crowded returns what makes room: a quarter of what is there, what has ended first,
// then the oldest of those CAs that have the most. Whoever has his own CA revoke what
// he likes displaces nobody else's.
func (l *leftovers) crowded(now time.Time) []leftover {
	type ca struct{ name, key [sha256.Size]byte }
	caOf := func(one leftover) ca {
		if one.crl != nil {
			return ca{one.crl.name, one.crl.signature.key()}
		}
		return ca{one.answer.name, one.answer.about.key}
	}
	ended := func(one leftover) bool { return !one.end.IsZero() && now.After(one.end) }
	var all []leftover
	for _, some := range l.at {
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b leftover) int { return b.since.Compare(a.since) }) // the newest first
	// Each costs by the share that its CA has with it and all that came after it.
	type share struct {
		count int
		size  int64
	}
	shares, costs := make(map[ca]share), make(map[[sha256.Size]byte]float64)
	for _, one := range all {
		of := caOf(one)
		has := share{shares[of].count + 1, shares[of].size + one.size}
		shares[of] = has
		cost := max(float64(has.count)/maxLeft, float64(has.size)/float64(max(l.size, 1)))
		if ended(one) {
			cost += 2
		}
		costs[one.id()] = cost
	}
	slices.SortStableFunc(all, func(a, b leftover) int {
		switch ca, cb := costs[a.id()], costs[b.id()]; {
		case ca > cb:
			return -1
		case ca < cb:
			return 1
		}
		return 0
	})
	count, size := 0, int64(0)
	for i, one := range all {
		if 4*count >= l.count && 4*size >= l.size {
			return all[:i]
		}
		count, size = count+1, size+one.size
	}
	return all
}

// retire keeps what revokes of a source that leaves. It is called with the lock held,
// as what follows.
func (f *Fetcher) retire(s *source, left knowledge) {
	for _, k := range left {
		if !k.revokes() || f.isEnded(k) {
			continue
		}
		one := leftover{known: k, file: k.file(s.file), since: time.Now()}
		if s.of.Certificate != nil {
			one.end = s.of.Certificate.NotAfter
		}
		f.addLeft(one)
	}
}

func (f *Fetcher) addLeft(one leftover) {
	f.left.add(one)
	f.stir(one.stand())
	if f.left.count <= maxLeft && f.left.size <= f.options.Quota/leftShare {
		return
	}
	dropped := 0
	for _, old := range f.left.crowded(time.Now()) {
		f.left.remove(old.stand(), old.id())
		f.stir(old.stand())
		dropped++
	}
	f.options.Log.Warn("there is no room for all revocations of locations that no client has any more; some are forgotten", "forgotten", dropped)
}

// isEnded reports whether somebody who is asked has what takes the place of it.
func (f *Fetcher) isEnded(k known) bool {
	for _, holder := range f.holders[k.stand()] {
		if slices.ContainsFunc(holder.known, func(next known) bool { return next.id() == k.id() || k.endsBy(next) }) {
			return true
		}
	}
	return false
}

// replaced lets go of what was left and has its place taken by next, and returns the
// names of the files.
func (f *Fetcher) replaced(next known) []string {
	var files []string
	for _, one := range f.left.removeFunc(next.stand(), func(one leftover) bool { return one.id() == next.id() || one.endsBy(next) }) {
		f.stir(one.stand())
		if one.id() != next.id() {
			files = append(files, one.file)
		}
	}
	return files
}

// revive has a source that is wanted again know what it knew.
func (f *Fetcher) revive(s *source) {
	for _, issuer := range s.of.Issuers {
		at := stand{name: truststore.NameKey(issuer.RawSubject)}
		if s.of.Certificate != nil {
			at.subject = subjectOf(s.of.Certificate, issuer)
		}
		for _, one := range f.left.removeFunc(at, func(one leftover) bool { return strings.HasPrefix(one.file, s.file) }) {
			f.stir(at)
			if after, _, err := s.known.with(one.known); err == nil {
				f.learn(s, after)
			}
		}
	}
}
