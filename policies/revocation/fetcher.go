package revocation

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// DefaultRefresh is after what time at most a location is asked again.
const DefaultRefresh = time.Hour

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
	owners  map[string]*owner
	crowds  map[int]map[string]bool // owners by how many questions they have
	sources map[string]*source
	byFile  map[string]bool // sources, by what the names of their files begin with
	asking  int             // OCSP questions among the sources
	held    int64           // bytes of what the sources know
	// What is known, by where it stands, and where something changed since the last View.
	holders map[stand]map[string]*source
	left    leftovers
	files   map[nameKey][]*CRL
	stirred map[stand]bool
	stirs   uint64 // how often

	recalling sync.Mutex
	recalled  map[[sha256.Size]byte]bool // CAs, see Recall

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
		owners: make(map[string]*owner), crowds: make(map[int]map[string]bool), sources: make(map[string]*source),
		byFile: make(map[string]bool), holders: make(map[stand]map[string]*source), left: newLeftovers(),
		stirred: make(map[stand]bool), recalled: make(map[[sha256.Size]byte]bool),
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
	byName := make(map[nameKey][]*CRL)
	for _, c := range lists {
		byName[c.name] = append(byName[c.name], c)
	}
	f.mu.Lock()
	for name := range f.files {
		f.stir(stand{name: name})
	}
	for name := range byName {
		f.stir(stand{name: name})
	}
	f.files = byName
	f.mu.Unlock()
	f.Settle()
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
	if o := f.owners[owner]; o != nil {
		for key := range o.wishes {
			if len(named) == 0 || named[key] {
				firsts = append(firsts, f.sources[key].first)
			}
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
