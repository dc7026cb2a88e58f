// Package revocations has what CAs take back learned while requests flow: it
// follows the clients, has their locations asked in the background, and publishes
// what comes.
//
// What is known of revocations, and how it is fetched, is
// policies/revocation. Here is decided who wants what: the locations of each
// client that asks about revocations, those of the CA certificates in its store,
// and, once a certificate comes of which nothing is known, those of its path that
// the client believes ([Keeper.Learn]).
package revocations

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

const (
	// idle is after what time a location is let go that was asked for a certificate
	// which did not need it since: most certificates are replaced at some time, and
	// none says so.
	idle = 24 * time.Hour
	// idleFailing is that where the location does not answer: it could not say again
	// what it said.
	idleFailing = 7 * 24 * time.Hour
	// tidyEvery is how often that is looked for.
	tidyEvery = 10 * time.Minute
	// maxAsked bounds what is asked for the certificates of one client; then the one
	// that was not needed for the longest time makes room. It is less than what the
	// Fetcher takes of one client.
	maxAsked = 900
	// maxWaiting is Config.Waiting where nothing is said.
	maxWaiting = 512
)

// Config is that of a Keeper.
type Config struct {
	// Directory keeps what was fetched for the next start; "" keeps nothing.
	Directory string
	// Allowed may be fetched from besides public addresses. With a Backend it has no
	// meaning.
	Allowed []revocation.Allowed
	// Quota in bytes, and Refresh, are those of revocation.Options.
	Quota   int64
	Refresh time.Duration
	// Wait bounds how long [Keeper.Learn] waits; 0 does not.
	Wait time.Duration
	// Waiting bounds how many callers of Learn wait at once, those of one client to half
	// of it; the others are answered by what is known. 0 is 512.
	Waiting int
	// Publish takes each new View. Calls come one after the other.
	Publish func(*revocation.View)
	// Log takes what fails for the first time, and what works again.
	Log *slog.Logger
	// Backend fetches; nil is over HTTP.
	Backend revocation.Backend
}

// Keeper owns the one Fetcher of a server. It is safe for concurrent use.
type Keeper struct {
	config  Config
	fetcher *revocation.Fetcher
	view    atomic.Pointer[revocation.View]
	tried   tried

	following sync.Mutex // of Follow, which takes its time

	mu      sync.Mutex
	waiting int
	clients map[string]*client // those that ask about revocations, by id
	lists   []*revocation.CRL  // of files
}

// client is one that asks about revocations. It is guarded by the Keeper's lock.
type client struct {
	record *policies.Client
	asks   policies.Revocation
	base   []revocation.Location // of the document and of the store
	ahead  map[question]bool     // what those are asked, ahead of requests
	// patience is until when somebody may wait for those.
	patience time.Time
	waiting  int // callers of Learn that wait
	asked    map[question]*asked
	fault    string // what of it is not kept fresh, "" if nothing
	untaken  bool   // the Fetcher had no room for what it wants
}

// question tells what was asked for certificates apart.
type question struct {
	url    string
	about  [sha256.Size]byte // of an OCSP responder: the certificate
	issuer [sha256.Size]byte
}

type asked struct {
	location revocation.Location
	about    []revocation.Named // of an OCSP responder: the certificate
	needed   time.Time          // when it was last missed
	patience time.Time          // until when somebody may wait for it
}

// New makes a Keeper. It fetches nothing before Run.
func New(config Config) (*Keeper, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Waiting == 0 {
		config.Waiting = maxWaiting
	}
	if config.Backend == nil {
		config.Backend = revocation.NewWeb(config.Allowed)
	}
	k := &Keeper{config: config, clients: make(map[string]*client), tried: newTried(config.Log)}
	var err error
	k.fetcher, err = revocation.NewFetcher(revocation.Options{
		Backend: config.Backend, Publish: k.publish, Directory: config.Directory, Quota: config.Quota,
		Refresh: config.Refresh, Tried: k.tried.tell, Log: config.Log,
	})
	return k, err
}

func (k *Keeper) publish(view *revocation.View) {
	k.view.Store(view)
	k.config.Publish(view)
}

// Run keeps the locations fresh until ctx ends, and returns when the last fetch has.
// It is called once.
func (k *Keeper) Run(ctx context.Context) error {
	var tidying sync.WaitGroup
	defer tidying.Wait()
	tidying.Go(func() {
		ticker := time.NewTicker(tidyEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				k.tidy(now)
			}
		}
	})
	return k.fetcher.Run(ctx)
}

// Lists takes the CRLs of files. It is called before the clients that come with
// them are published, so that nobody is judged without.
func (k *Keeper) Lists(files []policies.CRLFile) {
	var lists []*revocation.CRL
	for _, file := range files {
		lists = append(lists, file.Lists...)
	}
	k.mu.Lock()
	same := slices.Equal(lists, k.lists)
	k.lists = lists
	k.mu.Unlock()
	if !same {
		k.fetcher.Files(lists)
	}
}

// Follow has the locations of these clients kept fresh, and no others. It is called
// with each Snapshot before it is published; clients whose records are the same as
// before cost a look each. Requests go on meanwhile: they wait for one client to be
// taken over at most.
func (k *Keeper) Follow(clients *policies.Snapshot) {
	k.following.Lock()
	defer k.following.Unlock()
	k.mu.Lock()
	gone := maps.Clone(k.clients)
	k.mu.Unlock()
	now := time.Now()
	var issuers []*x509.Certificate
	for record := range clients.All() {
		before := gone[record.ID()]
		if before != nil && before.record == record {
			delete(gone, record.ID())
			continue
		}
		if asks := record.Revocation(); asks.Mode != revocation.Off && record.Status() == policies.StatusActive {
			delete(gone, record.ID())
			next := newClient(record, asks) // which may check many signatures
			next.patience = now.Add(k.config.Wait)
			k.follow(next, before)
			for _, anchor := range record.Anchors() {
				issuers = append(issuers, anchor.Certificate)
			}
		}
	}
	for id := range gone {
		k.forget(id)
	}
	k.fetcher.Recall(issuers)
	k.fetcher.Settle()
}

func (k *Keeper) follow(next, before *client) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next.inherit(before)
	next.fit()
	k.clients[next.record.ID()] = next
	k.want(next)
}

func (k *Keeper) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.clients, id)
	_ = k.fetcher.Want(id, nil) // which is always accepted
}

// newClient finds the locations of the document, whose issuers are the client's own
// CAs, and those that the certificates of its store have.
func newClient(record *policies.Client, asks policies.Revocation) *client {
	c := &client{record: record, asks: asks, asked: make(map[question]*asked), base: record.NamedLocations()}
	anchors := record.Anchors()
	for _, anchor := range anchors {
		c.base = append(c.base, revocation.StoredLocations(anchor.Certificate, anchors)...)
	}
	c.bound()
	return c
}

// bound leaves out what is more than one client may have. Those of the document come
// first.
func (c *client) bound() {
	urls := make(map[string]bool)
	c.base = slices.DeleteFunc(c.base, func(l revocation.Location) bool {
		if !urls[l.URL] && len(urls) == revocation.MaxLocations {
			c.fault = fmt.Sprintf("it has more than %d locations, so %s is not asked", revocation.MaxLocations, l.Name())
			return true
		}
		urls[l.URL] = true
		return false
	})
	hashes := make(certificateHashes)
	c.ahead = make(map[question]bool, len(c.base))
	for _, l := range c.base {
		c.ahead[hashes.question(l)] = true
	}
}

// inherit takes over what was asked for certificates, if all that it was believed by
// still stands: an answer that is known must not get lost because a name was changed, or
// a CA was added.
func (c *client) inherit(before *client) {
	if before == nil {
		return
	}
	lostHost := slices.ContainsFunc(before.asks.Hosts, func(host string) bool { return !slices.Contains(c.asks.Hosts, host) })
	anchors := c.record.Anchors()
	lostCA := slices.ContainsFunc(before.record.Anchors(), func(a *truststore.Anchor) bool {
		return !slices.ContainsFunc(anchors, func(b *truststore.Anchor) bool { return a.Thumbprint == b.Thumbprint })
	})
	if !lostHost && !lostCA {
		c.asked = before.asked
	}
}

// fit lets go of what was asked for certificates beyond the locations that one client
// may have: what the document says now comes first.
func (c *client) fit() {
	urls := make(map[string]bool)
	for _, l := range c.base {
		urls[l.URL] = true
	}
	maps.DeleteFunc(c.asked, func(q question, _ *asked) bool {
		over := !urls[q.url] && len(urls) >= revocation.MaxLocations
		if !over {
			urls[q.url] = true
		}
		return over
	})
}

// want tells the Fetcher all that the client wants.
func (k *Keeper) want(c *client) {
	var still []revocation.Location
	for _, a := range c.asked {
		still = append(still, a.location)
	}
	err := k.fetcher.Want(c.record.ID(), c.base, still...)
	if err != nil {
		c.fault = err.Error()
		if !c.untaken {
			k.config.Log.Warn("the locations of a client are not asked", "client", c.record.ID(), "problem", c.fault)
		}
	}
	c.untaken = err != nil
}

// AwaitHard waits until the locations of all clients that refuse what is not known
// were asked once, or until ctx ends.
func (k *Keeper) AwaitHard(ctx context.Context) error {
	k.mu.Lock()
	var hard []string
	for id, c := range k.clients {
		if c.asks.Mode == revocation.Hard {
			hard = append(hard, id)
		}
	}
	k.mu.Unlock()
	var err error
	for _, id := range hard {
		err = errors.Join(err, k.fetcher.Await(ctx, id))
	}
	return err
}

// Faults says what of clients' locations is not kept fresh, at most 100, sorted.
func (k *Keeper) Faults() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []string
	for id, c := range k.clients {
		if c.fault != "" {
			all = append(all, "client "+id+": "+c.fault)
		}
	}
	slices.Sort(all)
	return all[:min(len(all), 100)]
}

// tidy lets go of what was asked for certificates that did not come for long, or
// that have ended. One that is known to be revoked is not let go before it has ended:
// whoever silences a responder must not have his certificate forgotten by waiting.
func (k *Keeper) tidy(now time.Time) {
	k.mu.Lock()
	ids := slices.Collect(maps.Keys(k.clients))
	k.mu.Unlock()
	for _, id := range ids { // requests go on between two
		k.tidyOne(id, now)
	}
	k.fetcher.Settle()
}

func (k *Keeper) tidyOne(id string, now time.Time) {
	view := k.view.Load()
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.clients[id]
	if c == nil {
		return
	}
	before := len(c.asked)
	maps.DeleteFunc(c.asked, func(_ question, a *asked) bool {
		ended := a.location.Certificate != nil && now.After(a.location.Certificate.NotAfter)
		most := idle
		if k.tried.fails(a.location) {
			most = idleFailing
		}
		return ended || now.Sub(a.needed) > most && !a.isRevoked(view)
	})
	if len(c.asked) < before || c.untaken { // there may be room now
		c.fault = ""
		k.want(c)
	}
}

// makeRoom lets go of the one that was not needed for the longest time. One about a
// certificate that is revoked is, for it is refused and nothing is missing: it goes
// only if there are no others. It returns what it let go.
func (c *client) makeRoom(view *revocation.View) *asked {
	byAge := slices.SortedFunc(maps.Keys(c.asked), func(a, b question) int { return c.asked[a].needed.Compare(c.asked[b].needed) })
	// Whether one is revoked is asked of as few as can be: its CA may have many lists.
	i := slices.IndexFunc(byAge, func(q question) bool { return !c.asked[q].isRevoked(view) })
	oldest := byAge[max(i, 0)]
	found := c.asked[oldest]
	delete(c.asked, oldest)
	return found
}

// isRevoked reports whether it is known that the certificate is revoked that the
// question is about. A list is about none.
func (a *asked) isRevoked(view *revocation.View) bool {
	return slices.ContainsFunc(a.about, view.Revokes)
}
