package tokens

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// Options bound a [Cache]. Zero values stand for the defaults.
type Options struct {
	// MaxEntries bounds the tokens of all clients; default 100,000, which
	// take about 110 MB.
	MaxEntries int
	// MaxPerClient bounds the tokens of one client; default 1,000.
	MaxPerClient int
	// SweepEvery is the time between two sweeps of Run; default a minute.
	SweepEvery time.Duration
}

const (
	defaultMaxEntries   = 100_000
	defaultMaxPerClient = 1_000
	defaultSweepEvery   = time.Minute

	// maxShards is a power of two, as every number of shards is.
	maxShards = 32
	// fullShard is how many entries a shard may at least hold before there are
	// two: many shards of few entries would evict while others are empty.
	fullShard = 128
)

// Cache keeps tokens until they are to be renewed. It is safe for concurrent
// use. All tokens of one client are in one shard, which therefore knows how many
// they are; a busy client costs nobody a wait, because reading takes a shared
// lock only.
type Cache struct {
	shards     []*shard
	seed       maphash.Seed
	sweepEvery time.Duration
	flights    singleflight.Group
}

// NewCache makes an empty cache. It refuses negative options.
func NewCache(options Options) (*Cache, error) {
	if options.MaxEntries < 0 || options.MaxPerClient < 0 || options.SweepEvery < 0 {
		return nil, fmt.Errorf("tokens: the cache's limits cannot be negative: %+v", options)
	}
	maxEntries := orDefault(options.MaxEntries, defaultMaxEntries)
	maxPerClient := orDefault(options.MaxPerClient, defaultMaxPerClient)
	cache := &Cache{
		shards:     make([]*shard, shardCount(maxEntries)),
		seed:       maphash.MakeSeed(),
		sweepEvery: orDefault(options.SweepEvery, defaultSweepEvery),
	}
	for i := range cache.shards {
		share := maxEntries / len(cache.shards)
		if i < maxEntries%len(cache.shards) {
			share++
		}
		cache.shards[i] = newShard(share, maxPerClient)
	}
	return cache, nil
}

func orDefault[T int | time.Duration](value, standard T) T {
	if value == 0 {
		return standard
	}
	return value
}

func shardCount(maxEntries int) int {
	count := 1
	for count < maxShards && maxEntries/(count*2) >= fullShard {
		count *= 2
	}
	return count
}

// shardOf hashes with a seed of this process, so that nobody can choose clients
// that crowd one shard. What is found in a shard is found by its full key.
func (c *Cache) shardOf(clientID string) *shard {
	return c.shards[maphash.String(c.seed, clientID)&uint64(len(c.shards)-1)]
}

// Len is how many tokens are kept.
func (c *Cache) Len() int {
	total := 0
	for _, s := range c.shards {
		total += s.items.ItemCount()
	}
	return total
}

// LenClient is how many tokens are kept for a client.
func (c *Cache) LenClient(clientID string) int { return c.shardOf(clientID).lenClient(clientID) }

// PurgeClient drops the tokens of a client and returns how many they were. No
// client needs it to be safe from an old token: whether one serves depends on
// the [Basis]. It frees what a client that is gone left behind.
func (c *Cache) PurgeClient(clientID string) int { return c.shardOf(clientID).purge(clientID) }

// PurgeKeysNotIn drops the tokens of keys that are not in the set and returns how
// many they were. None of them would serve, for the [Basis] has the keys: it
// frees what a removed key left behind, and takes tokens of a compromised one
// out of memory. It looks at every token once; others wait for the removal of a
// few hundred at a time at most.
func (c *Cache) PurgeKeysNotIn(keys *signer.Keys) int {
	total := 0
	for _, s := range c.shards {
		total += s.purgeKeysNotIn(keys)
	}
	return total
}

// Sweep drops the tokens whose RenewAt is not after at, and returns how many
// they were.
func (c *Cache) Sweep(at time.Time) int {
	total := 0
	for _, s := range c.shards {
		total += s.sweep(at)
	}
	return total
}

// Run sweeps until ctx ends.
func (c *Cache) Run(ctx context.Context) {
	ticker := time.NewTicker(c.sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-ticker.C:
			c.Sweep(at)
		}
	}
}

// Format answers every fmt verb with a count. Printing the fields would read
// what others are writing.
func (c *Cache) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "cache of %d tokens", c.Len())
}

// Stats are counts since the cache was made.
type Stats struct {
	// Hits and Misses count requests; a request that waits for another's mint
	// is a miss.
	Hits, Misses uint64
	// Mints counts tokens signed.
	Mints uint64
	// Evictions counts tokens dropped before their time to keep a bound.
	Evictions uint64
}

// Stats returns the counts. They are read one by one, not in one moment.
func (c *Cache) Stats() Stats {
	var total Stats
	for _, s := range c.shards {
		total.Hits += s.hits.Load()
		total.Misses += s.misses.Load()
		total.Mints += s.mints.Load()
		total.Evictions += s.evictions.Load()
	}
	return total
}
