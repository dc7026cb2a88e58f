package revocation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// firstBackoff is the wait after a first failure; it doubles with each.
	firstBackoff = time.Second
	// maxBackoff is where it stops.
	maxBackoff = 5 * time.Minute
)

// source is one location that is kept fresh, for whichever owners want it. All
// but first is guarded by the Fetcher's lock.
type source struct {
	key      string
	owners   map[string]Location
	last     Location // of the owner that left as the last
	stop     context.CancelFunc
	first    chan struct{} // closed after the first attempt
	known    known
	asked    time.Time
	failures int
	problem  string
}

// location is that of any owner: they are the same but for the certificates that
// stand for a CA.
func (s *source) location() Location {
	for _, l := range s.owners {
		return l
	}
	return s.last
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// follow keeps one source fresh until the context ends.
func (f *Fetcher) follow(ctx context.Context, s *source) {
	wait := f.restore(s)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	if wait > 0 {
		close(s.first)
	}
	for attempt := 0; ; attempt++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := f.attempt(ctx, s)
		if ctx.Err() != nil {
			return
		}
		if attempt == 0 && wait == 0 {
			close(s.first)
		}
		timer.Reset(next)
	}
}

// attempt asks once and returns when to ask again.
func (f *Fetcher) attempt(ctx context.Context, s *source) time.Duration {
	f.mu.Lock()
	l := s.location()
	f.mu.Unlock()
	err := f.fetch(s, l)
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
	_, next := s.known.times()
	return refreshIn(next.Sub(s.asked), f.options.Refresh)
}

// fetch asks the location, one of few at once, and takes what it answers.
func (f *Fetcher) fetch(s *source, l Location) error {
	der, err := f.ask(l)
	if err != nil {
		return err
	}
	now := time.Now()
	next, err := l.read(der, now)
	if err != nil {
		return err
	}
	if err := f.take(s, next, now); err != nil {
		return err
	}
	if _, end := next.times(); !now.Before(end) {
		return in(Stale, fmt.Errorf("what the location has ended at %s", end.UTC().Format(time.RFC3339)))
	}
	return nil
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
		select {
		case f.slots <- struct{}{}:
		case <-running.Done():
			return nil, in(TimedOut, errors.New("too many other locations are slow"))
		}
		defer func() { <-f.slots }()
		return f.options.Backend.Fetch(running, q)
	})
	der, _ := answer.([]byte)
	return der, err
}

// take puts what was proven in the place of what was known, and publishes.
func (f *Fetcher) take(s *source, next known, now time.Time) error {
	f.mu.Lock()
	before := s.known
	if err := before.follows(next, now); err != nil {
		f.mu.Unlock()
		return in(Stale, err)
	}
	if !before.isZero() && before.id() == next.id() {
		f.mu.Unlock()
		return nil
	}
	if f.held()-before.size+next.size > f.options.Quota {
		f.mu.Unlock()
		return in(OverQuota, errors.New("the quota of what may be known is used up"))
	}
	if f.sources[s.key] != s { // nobody wants it any more
		f.mu.Unlock()
		return nil
	}
	der := next.der
	next.der = nil
	s.known = next
	wanted := make(map[string]bool, len(f.sources))
	for key := range f.sources {
		wanted[fileOf(key)] = true
	}
	f.mu.Unlock()
	if err := f.disk.write(fileOf(s.key), der, wanted); err != nil {
		f.options.Log.Warn("revocations could not be kept on disk", "problem", err.Error())
	}
	f.publish()
	return nil
}

// held is how many bytes are known. It is called with the lock held.
func (f *Fetcher) held() int64 {
	var sum int64
	for _, s := range f.sources {
		sum += s.known.size
	}
	return sum
}

// restore reads what was kept on disk, held to all that an answer of the location
// is, and returns when to ask the location. What has ended is read too: it may
// have what is revoked.
func (f *Fetcher) restore(s *source) time.Duration {
	f.mu.Lock()
	l := s.location()
	f.mu.Unlock()
	limit := int64(MaxCRLBytes)
	if l.Certificate != nil {
		limit = MaxAnswerBytes
	}
	der, err := f.disk.read(fileOf(s.key), limit)
	if err != nil || der == nil {
		return 0
	}
	now := time.Now()
	kept, err := l.read(der, now)
	if err != nil {
		f.options.Log.Warn("revocations that were kept on disk are not used", "location", l.Name(), "problem", err.Error())
		return 0
	}
	kept.der = nil
	f.mu.Lock()
	fits := f.held()+kept.size <= f.options.Quota && f.sources[s.key] == s
	if fits {
		s.known = kept
	}
	f.mu.Unlock()
	if !fits {
		return 0
	}
	f.publish()
	if _, end := kept.times(); now.Before(end) {
		// Soon, for the process may have been down for long, but nobody waits.
		return refreshIn(min(end.Sub(now), 20*time.Second), f.options.Refresh)
	}
	return 0
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
	return max(wait/2+rand.N(max(wait/4, 1)), time.Second)
}
