package tokens

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gocache "github.com/patrickmn/go-cache"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// sweepStep is how many entries a sweep removes before it lets others at the
// shard.
const sweepStep = 256

// shard holds all the tokens of some clients. Look-ups take go-cache's read
// lock only; mutex is for whoever changes something, and keeps items, the order
// and the clients' own orders in step. Entries carry no expiry of go-cache's: it
// reads the clock for itself, and we decide by the time of the request.
type shard struct {
	items *gocache.Cache

	mutex   sync.Mutex
	ordered order
	clients map[string]*order

	maxEntries, maxPerClient int

	hits, misses, mints, evictions atomic.Uint64
}

func newShard(maxEntries, maxPerClient int) *shard {
	return &shard{
		items:        gocache.New(gocache.NoExpiration, 0),
		ordered:      order{place: byShard},
		clients:      map[string]*order{},
		maxEntries:   maxEntries,
		maxPerClient: maxPerClient,
	}
}

func (s *shard) get(key string) *entry {
	found, ok := s.items.Get(key)
	if !ok {
		return nil
	}
	return found.(*entry)
}

// lookup returns the entry that serves the request and is not due for renewal.
func (s *shard) lookup(key string, r *Request, b *Basis) (*entry, bool) {
	e := s.get(key)
	if e == nil || !r.At.Before(e.token.RenewAt) || !e.servesNow(r) || !e.restsOn(b) {
		return nil, false
	}
	if e.generation.Load() < b.Generation {
		s.restamp(e, b.Generation)
	}
	return e, true
}

// restamp raises the generation under which an entry is proved. It never lowers
// it, whichever of two requests comes first.
func (s *shard) restamp(e *entry, generation uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if e.generation.Load() < generation {
		e.generation.Store(generation)
	}
}

// put stores an entry, in the place of one with the same key. It leaves one
// that was proved under a later generation: the newcomer is then the work of a
// request that loaded an older state, and is good for that request only.
func (s *shard) put(e *entry) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if old := s.get(e.key); old != nil {
		if old.generation.Load() > e.generation.Load() {
			return
		}
		s.remove(old)
	}
	s.makeRoom(e.clientID)
	s.items.Set(e.key, e, gocache.NoExpiration)
	s.ordered.add(e)
	own := s.clients[e.clientID]
	if own == nil {
		own = &order{place: byClient}
		s.clients[e.clientID] = own
	}
	own.add(e)
}

// makeRoom evicts at most one entry for the client's bound and one for the
// shard's. The client's own comes first: one with many certificates displaces
// itself before it displaces others.
func (s *shard) makeRoom(clientID string) {
	if own := s.clients[clientID]; own != nil && own.Len() >= s.maxPerClient {
		s.remove(own.first())
		s.evictions.Add(1)
	}
	if s.ordered.Len() >= s.maxEntries {
		s.remove(s.ordered.first())
		s.evictions.Add(1)
	}
}

func (s *shard) remove(e *entry) {
	s.items.Delete(e.key)
	s.ordered.remove(e)
	own := s.clients[e.clientID]
	own.remove(e)
	if own.Len() == 0 {
		delete(s.clients, e.clientID)
	}
}

// sweep removes the entries whose time of renewal has come and counts them.
func (s *shard) sweep(at time.Time) int {
	total := 0
	for {
		removed := s.sweepSome(at)
		total += removed
		if removed < sweepStep {
			return total
		}
	}
}

func (s *shard) sweepSome(at time.Time) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for removed := range sweepStep {
		e := s.ordered.first()
		if e == nil || at.Before(e.token.RenewAt) {
			return removed
		}
		s.remove(e)
	}
	return sweepStep
}

// purge removes all entries of a client and counts them.
func (s *shard) purge(clientID string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	own := s.clients[clientID]
	if own == nil {
		return 0
	}
	count := own.Len()
	for own.Len() > 0 {
		s.remove(own.first())
	}
	return count
}

// purgeKeysNotIn looks at a copy of the list, so that nobody waits for the look:
// the key of an entry never changes. An entry that comes in meanwhile was signed
// by a request of an older state, serves no newer one, and goes with its
// RenewAt.
func (s *shard) purgeKeysNotIn(keys *signer.Keys) int {
	s.mutex.Lock()
	doomed := slices.Clone(s.ordered.entries)
	s.mutex.Unlock()
	doomed = slices.DeleteFunc(doomed, func(e *entry) bool {
		_, published := keys.Key(e.kid)
		return published
	})
	total := 0
	for some := range slices.Chunk(doomed, sweepStep) {
		total += s.removeThose(some)
	}
	return total
}

// removeThose removes the entries that are still there and counts them.
func (s *shard) removeThose(entries []*entry) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	total := 0
	for _, e := range entries {
		if s.get(e.key) == e {
			s.remove(e)
			total++
		}
	}
	return total
}

func (s *shard) lenClient(clientID string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if own := s.clients[clientID]; own != nil {
		return own.Len()
	}
	return 0
}
