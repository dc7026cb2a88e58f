package revocations

import (
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/certbearer/certbearer/policies/revocation"
)

// maxTroubled bounds the locations that are remembered to fail. Names, and not
// questions, are: a responder that is down is one.
const maxTroubled = 1000

// tried counts attempts, and tells the first failure of a location and when it
// answers again.
type tried struct {
	log *slog.Logger

	mu       *sync.Mutex
	counts   map[revocation.Class]uint64
	good     *uint64
	troubled map[string]trouble
}

type trouble struct {
	since time.Time
	class revocation.Class
}

func newTried(log *slog.Logger) tried {
	return tried{log: log, mu: new(sync.Mutex), counts: make(map[revocation.Class]uint64), good: new(uint64), troubled: make(map[string]trouble)}
}

// tell is told how each attempt ended.
func (t tried) tell(l revocation.Location, err error) {
	name := l.Name()
	t.mu.Lock()
	before, failing := t.troubled[name]
	class := revocation.ClassOf(err)
	if err == nil {
		*t.good++
		delete(t.troubled, name)
	} else {
		t.counts[class]++
		if failing || len(t.troubled) < maxTroubled {
			t.troubled[name] = trouble{since: orNow(before.since), class: class}
		}
	}
	t.mu.Unlock()
	switch {
	case err != nil && (!failing || before.class != class):
		t.log.Warn("revocations could not be fetched", "location", name, "class", class.String(), "problem", err.Error())
	case err == nil && failing:
		t.log.Info("revocations are fetched again", "location", name, "after", time.Since(before.since).Round(time.Second).String())
	}
}

// fails reports whether the location did not answer last time.
func (t tried) fails(l revocation.Location) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, failing := t.troubled[l.Name()]
	return failing
}

func orNow(at time.Time) time.Time {
	if at.IsZero() {
		return time.Now()
	}
	return at
}

// Fetches returns how many attempts ended well, and how many in each class.
func (k *Keeper) Fetches() (good uint64, failed map[revocation.Class]uint64) {
	k.tried.mu.Lock()
	defer k.tried.mu.Unlock()
	return *k.tried.good, maps.Clone(k.tried.counts)
}

// States returns how each location fares, sorted.
func (k *Keeper) States() []revocation.State { return k.fetcher.States() }
