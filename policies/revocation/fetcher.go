package revocation

import (
	"context"
	"errors"
	"log/slog"
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
