package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// MaxLocations is how many locations a client may have.
	MaxLocations = 16
	// maxQuestions bounds the OCSP questions of a client, one for each certificate
	// that came.
	maxQuestions = 1000
	// maxSources bounds what is kept fresh for all clients, and maxAllQuestions the OCSP
	// questions among it: whoever has many certificates must not keep the lists of others
	// from being asked for.
	maxSources      = 10_000
	maxAllQuestions = 8_000
	// DefaultQuota bounds the bytes of what is known, in memory and on disk.
	DefaultQuota = 1 << 30
	// quotaShare is the part of the quota that one owner may fill with more than one
	// location.
	quotaShare = 4
	// DefaultRefresh is after what time at most a location is asked again.
	DefaultRefresh = time.Hour
)

// Options are those of a Fetcher.
type Options struct {
	// Backend fetches.
	Backend Backend
	// Publish takes each new View. Calls come one after the other.
	Publish func(*View)
	// Directory keeps what was fetched for the next start; "" keeps nothing.
	Directory string
	// Quota; 0 is DefaultQuota.
	Quota int64
	// Refresh; 0 is DefaultRefresh.
	Refresh time.Duration
	// Tried is told how each attempt ended, one call at a time; nil tells nobody. It
	// must not block, nor call the Fetcher.
	Tried func(Location, error)
	// Log takes what fails on disk; nil takes nothing.
	Log *slog.Logger
}

// Fetcher keeps locations fresh ahead of requests: each is asked in the
// background, one fetch at a time, before what is known of it ends, and again
// ever more slowly while it fails. No judgement waits for it.
type Fetcher struct {
	options Options
	slots   *slots
	flights singleflight.Group
	disk    *disk

	mu      sync.Mutex
	running context.Context // nil before Run
	ended   bool
	workers sync.WaitGroup
	owners  map[string]map[string]wish // by owner and key
	sources map[string]*source
	byFile  map[string]bool // sources, by what the names of their files begin with
	asking  int             // OCSP questions among the sources
	files   []*CRL

	stirred    atomic.Bool // something changed since the last View; set with what did
	publishing sync.Mutex
	view       *View
}

// wish is a location that an owner wants.
type wish struct {
	Location
	asked time.Time // last, by Ask; zero for what Want named
}

// NewFetcher makes a Fetcher. Its directory is made with the first file in it.
func NewFetcher(o Options) (*Fetcher, error) {
	if o.Backend == nil || o.Publish == nil {
		return nil, errors.New("revocation: a Fetcher needs a Backend and somewhere to publish")
	}
	if o.Quota == 0 {
		o.Quota = DefaultQuota
	}
	if o.Refresh == 0 {
		o.Refresh = DefaultRefresh
	}
	if o.Tried == nil {
		o.Tried = func(Location, error) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Fetcher{
		options: o, slots: newSlots(), disk: &disk{folder: o.Directory, quota: o.Quota},
		owners: make(map[string]map[string]wish), sources: make(map[string]*source), byFile: make(map[string]bool),
	}, nil
}

// Run keeps the locations fresh until the context ends, and returns when the last
// fetch has. It is called once.
func (f *Fetcher) Run(ctx context.Context) error {
	f.mu.Lock()
	if f.running != nil {
		f.mu.Unlock()
		return errors.New("revocation: a Fetcher runs once")
	}
	f.running = ctx
	for _, s := range f.sources {
		f.start(s)
	}
	f.mu.Unlock()
	<-ctx.Done()
	f.mu.Lock()
	f.ended = true // no worker starts from here on
	f.mu.Unlock()
	f.workers.Wait()
	return nil
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

func (f *Fetcher) start(s *source) {
	if f.ended {
		return
	}
	ctx, cancel := context.WithCancel(f.running)
	s.stop = cancel
	f.workers.Go(func() {
		defer cancel()
		f.follow(ctx, s)
	})
}

// Files says which CRLs there are in files. They are in the View beside those of
// locations, as they are: who signed them is asked when a path is judged.
func (f *Fetcher) Files(lists []*CRL) {
	f.mu.Lock()
	f.files = slices.Clone(lists)
	f.stirred.Store(true)
	f.mu.Unlock()
	f.publish()
}

// Await waits until each location of the owner, or each of those that are named and
// are the owner's, was asked once, or was known from before, or until the context
// ends: a first check is worth a short wait.
func (f *Fetcher) Await(ctx context.Context, owner string, locations ...Location) error {
	named := make(map[string]bool)
	for _, l := range locations {
		named[l.key()] = true
	}
	f.mu.Lock()
	var firsts []chan struct{}
	for key := range f.owners[owner] {
		if len(named) == 0 || named[key] {
			firsts = append(firsts, f.sources[key].first)
		}
	}
	f.mu.Unlock()
	for _, first := range firsts {
		select {
		case <-first:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// publish makes a View of all that is known, and returns when there is one with
// what stirred before the call. Where many things change at once, few Views are
// made of them.
func (f *Fetcher) publish() {
	f.publishing.Lock()
	defer f.publishing.Unlock()
	if !f.stirred.Swap(false) {
		return
	}
	f.mu.Lock()
	lists := slices.Clone(f.files)
	var answers []*Answer
	for _, key := range sortedKeys(f.sources) {
		for _, k := range f.sources[key].known {
			if k.crl != nil {
				lists = append(lists, k.crl)
			} else {
				answers = append(answers, k.answer)
			}
		}
	}
	f.mu.Unlock()
	f.view = NewView(f.view, lists, answers)
	f.options.Publish(f.view)
}

// State is how a location fares, for metrics and pages.
type State struct {
	// Name is that of the location.
	Name string
	// OCSP is true of a question about a certificate.
	OCSP bool
	// ThisUpdate and NextUpdate are of what is known; zero if nothing is.
	ThisUpdate, NextUpdate time.Time
	// Asked is when the location last answered well.
	Asked time.Time
	// Failures counts the attempts since, Problem is what was wrong with the last.
	Failures int
	Problem  string
}

// States returns the state of every location, sorted.
func (f *Fetcher) States() []State {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []State
	for _, key := range sortedKeys(f.sources) {
		s := f.sources[key]
		state := State{Name: s.of.Name(), OCSP: s.of.Certificate != nil, Asked: s.asked, Failures: s.failures, Problem: s.problem}
		if len(s.known) > 0 {
			state.ThisUpdate, state.NextUpdate = s.known.last().times()
		}
		all = append(all, state)
	}
	return all
}
