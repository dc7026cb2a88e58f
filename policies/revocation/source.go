package revocation

import (
	"context"
	"crypto/sha256"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// firstBackoff is the wait after a first failure; it doubles with each.
	firstBackoff = time.Second
	// maxBackoff is where it stops.
	maxBackoff = 5 * time.Minute
	// minRefresh is the shortest wait after a success, whatever the list or answer
	// says of its end, unless less is configured.
	minRefresh = 30 * time.Second
	// afterRestart is the wait for what was kept on disk and still counts: soon, for
	// the process may have been down for long, but nobody waits.
	afterRestart = 10 * time.Second
)

// source is one location that is kept fresh, for whichever owners want it. All
// but what does not change is guarded by the Fetcher's lock.
type source struct {
	key      string
	file     string // begins the names of its files
	of       Location
	first    chan struct{} // closed after the first attempt
	owners   map[string]Location
	stop     context.CancelFunc
	known    knowledge
	unkept   bool // what is known is not on disk under the name of this source
	asked    time.Time
	failures int
	problem  string
}

func newSource(key string, l Location) *source {
	return &source{key: key, file: fileOf(key), of: l, owners: make(map[string]Location), first: make(chan struct{}), stop: func() {}}
}

// location is that of all owners: they are the same but for the certificates that
// stand for a CA, of which some may lack what others have.
func (s *source) location() Location {
	l := s.of
	if l.Certificate != nil {
		return l
	}
	l.Issuers = nil
	seen := make(map[[sha256.Size]byte]bool)
	for _, owner := range sortedKeys(s.owners) {
		for _, issuer := range s.owners[owner].Issuers {
			if id := sha256.Sum256(issuer.Raw); !seen[id] {
				seen[id] = true
				l.Issuers = append(l.Issuers, issuer)
			}
		}
	}
	return l
}

// some returns a few of the owners.
func (s *source) some(most int) []string {
	var names []string
	for name := range s.owners {
		if len(names) == most {
			break
		}
		names = append(names, name)
	}
	return names
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// follow keeps one source fresh until the context ends.
func (f *Fetcher) follow(ctx context.Context, s *source) {
	answered := sync.OnceFunc(func() { close(s.first) })
	defer answered() // nobody waits for what is not asked any more
	wait := f.restore(ctx, s)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	if wait > 0 {
		answered()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := f.attempt(ctx, s)
		if ctx.Err() != nil {
			return
		}
		answered()
		timer.Reset(next)
	}
}

// attempt asks once and returns when to ask again.
func (f *Fetcher) attempt(ctx context.Context, s *source) time.Duration {
	f.mu.Lock()
	l, owners := s.location(), s.some(maxAskedFor)
	f.mu.Unlock()
	err := f.fetch(ctx, s, l, owners)
	if ctx.Err() != nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.options.Tried(l, err)
	if err != nil {
		s.failures++
		s.problem = err.Error()
		return backoff(s.failures)
	}
	s.failures, s.problem, s.asked = 0, "", time.Now()
	_, next := s.known.last().times()
	return refreshIn(next.Sub(s.asked), f.options.Refresh)
}

// fetch asks the location, one of few at once, and takes what it answers.
func (f *Fetcher) fetch(ctx context.Context, s *source, l Location, owners []string) error {
	release := f.slots.take(ctx, l, owners)
	if release == nil {
		return ctx.Err()
	}
	defer release()
	der, err := f.ask(l)
	if err != nil {
		return err
	}
	next, now, err := f.prove(ctx, l, der)
	if err != nil {
		return err
	}
	if err := f.take(s, next, now); err != nil {
		return err
	}
	if _, end := next.times(); !now.Before(end) {
		return in(Stale, errEnded(end))
	}
	return nil
}

// prove reads what a location had, few at once.
func (f *Fetcher) prove(ctx context.Context, l Location, der []byte) (known, time.Time, error) {
	release := f.slots.read(ctx)
	if release == nil {
		return known{}, time.Time{}, ctx.Err()
	}
	defer release()
	now := time.Now()
	next, err := l.read(der, now)
	return next, now, err
}

// ask puts one question. Two sources with the same one, for clients with
// different CAs, share the answer.
func (f *Fetcher) ask(l Location) ([]byte, error) {
	q, err := l.query()
	if err != nil {
		return nil, err
	}
	// By the time of the Fetcher, not of the source: others may wait for it too.
	answer, err, _ := f.flights.Do(q.URL+" "+string(q.Body), func() (any, error) {
		running, cancel := context.WithTimeout(f.running, fetchTimeout)
		defer cancel()
		return f.options.Backend.Fetch(running, q)
	})
	der, _ := answer.([]byte)
	return der, err
}

// take puts what was proven beside or in the place of what was known, and
// publishes. It keeps it on disk only then: a revocation waits for no disk.
func (f *Fetcher) take(s *source, next known, now time.Time) error {
	der := next.der
	next.der = nil
	f.mu.Lock()
	if f.sources[s.key] != s { // nobody wants it any more
		f.mu.Unlock()
		return nil
	}
	after, gone, err := s.known.with(next)
	if err != nil {
		f.mu.Unlock()
		return in(Stale, err)
	}
	if err := f.hasRoom(s, after.size()); err != nil {
		f.mu.Unlock()
		return in(OverQuota, err)
	}
	unkept := s.unkept || s.known.last().isZero() || s.known.last().id() != next.id()
	stirs := f.stirs
	f.learn(s, after)
	files := f.replaced(next)
	stirred := f.stirs > stirs
	s.unkept = false
	f.mu.Unlock()
	if stirred {
		f.Settle()
	}
	if unkept {
		f.keep(s, next, der, gone)
	}
	for _, name := range files {
		f.disk.forget(name)
	}
	return in(Stale, after.odd(now))
}

// keep writes to disk what was taken.
func (f *Fetcher) keep(s *source, next known, der []byte, gone knowledge) {
	name := next.file(s.file)
	if err := f.disk.write(name, der, f.wantsFile); err != nil {
		f.options.Log.Warn("revocations could not be kept on disk", "problem", err.Error())
		return
	}
	for _, one := range gone {
		if old := one.file(s.file); old != name {
			f.disk.forget(old)
		}
	}
}

func (f *Fetcher) wantsFile(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	prefix, _, _ := strings.Cut(name, ".")
	return f.byFile[prefix] || f.left.files[name]
}

// restore reads what was kept on disk, held to all that an answer of the location
// is, and returns when to ask the location. What has ended is read too: it may
// have what is revoked.
func (f *Fetcher) restore(ctx context.Context, s *source) time.Duration {
	f.mu.Lock()
	l := s.location()
	f.mu.Unlock()
	known := f.restoreAll(ctx, s, l)
	if f.Recall(l.Issuers) || known {
		f.Settle()
	}
	if !known {
		return 0
	}
	f.mu.Lock()
	_, end := s.known.last().times()
	f.mu.Unlock()
	if time.Now().Before(end) {
		return min(afterRestart+rand.N(afterRestart/2), f.options.Refresh)
	}
	return 0
}

// restoreAll reports whether there was something that is known now.
func (f *Fetcher) restoreAll(ctx context.Context, s *source, l Location) bool {
	release := f.slots.read(ctx)
	if release == nil {
		return false
	}
	defer release()
	limit := int64(MaxCRLBytes)
	if l.Certificate != nil {
		limit = MaxAnswerBytes
	}
	kept, err := f.disk.kept(s.file)
	unused := func(err error) {
		if err != nil {
			f.options.Log.Warn("revocations that were kept on disk are not used", "location", l.Name(), "problem", err.Error())
		}
	}
	unused(err)
	for _, name := range kept {
		unused(f.restoreOne(s, l, name, limit))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// What lasts longest last: it is what was answered last, as far as can be told.
	slices.SortStableFunc(s.known, func(a, b known) int {
		_, one := a.times()
		_, other := b.times()
		return one.Compare(other)
	})
	return len(s.known) > 0
}

func (f *Fetcher) restoreOne(s *source, l Location, name string, limit int64) error {
	der, err := f.disk.content(name, limit)
	if err != nil {
		return err
	}
	one, err := l.read(der, time.Now())
	if err != nil {
		return err
	}
	one.der = nil
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sources[s.key] != s {
		return nil
	}
	after, _, err := s.known.with(one)
	if err == nil {
		err = f.hasRoom(s, after.size())
	}
	if err == nil {
		f.learn(s, after)
		f.replaced(one)
	}
	return err
}

// backoff is the wait after so many failures, with up to half of it taken off by
// chance, so that not all that failed at once come back at once.
func backoff(failures int) time.Duration {
	wait := maxBackoff
	if failures < 10 {
		wait = min(firstBackoff<<(failures-1), maxBackoff)
	}
	return wait/2 + rand.N(wait/2)
}

// refreshIn is the wait after a success: between a half and three quarters of the
// time that is left, and not more than most.
func refreshIn(left, most time.Duration) time.Duration {
	wait := min(left, most*4/3)
	return max(wait/2+rand.N(max(wait/4, 1)), min(most, minRefresh))
}
