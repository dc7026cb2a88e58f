package tokens_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

// heldKey signs only once release is closed, and counts.
type heldKey struct {
	*testKey
	release chan struct{}
	signed  atomic.Int64
}

// hold makes a held key. It is called in the bubble that waits on it.
func hold(key *testKey) *heldKey {
	held := &heldKey{testKey: &testKey{Key: key.Key, signsFrom: key.signsFrom}, release: make(chan struct{})}
	held.before = func() {
		held.signed.Add(1)
		<-held.release
	}
	return held
}

func TestAHundredCallersAtOnceShareOneMint(t *testing.T) {
	key := newKey(t, epoch)
	synctest.Test(t, func(t *testing.T) {
		held := hold(key)
		cache := newCache(t, tokens.Options{})
		basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, held)}
		const callers = 100
		ids := make([]string, callers)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				token, _ := obtain(t, cache, newRequest(), basis)
				ids[i] = token.ID
			})
		}
		synctest.Wait()
		close(held.release)
		all.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatal("two callers got different tokens")
			}
		}
		if got := held.signed.Load(); got != 1 {
			t.Errorf("%d signatures, want 1", got)
		}
		if got := cache.Stats(); got.Mints != 1 || got.Misses != callers {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestAChangedClientDoesNotShareAMintInFlight(t *testing.T) {
	key := newKey(t, epoch)
	second := epoch.Truncate(time.Second)
	record := &client{"before"}
	tests := map[string]func(*tokens.Request, *tokens.Basis){
		"the client was changed":                      func(_ *tokens.Request, b *tokens.Basis) { b.Proof, b.Generation = &client{"after"}, 2 },
		"another record in the same generation":       func(_ *tokens.Request, b *tokens.Basis) { b.Proof = &client{"after"} },
		"the verdict on the certificate ends earlier": func(r *tokens.Request, _ *tokens.Basis) { r.NotAfter = second.Add(time.Minute) },
		"the token would have ended by now":           func(r *tokens.Request, _ *tokens.Basis) { r.At = second.Add(time.Hour) },
	}
	for sentence, change := range tests {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				held := hold(key)
				cache := newCache(t, tokens.Options{})
				basis := tokens.Basis{Proof: record, Generation: 1, Keys: newKeys(t, held)}
				var first, then tokens.Token
				var all sync.WaitGroup
				all.Go(func() { first, _ = obtain(t, cache, newRequest(), basis) })
				synctest.Wait()
				request, changed := newRequest(), basis
				change(&request, &changed)
				all.Go(func() { then, _ = obtain(t, cache, request, changed) })
				synctest.Wait()
				close(held.release)
				all.Wait()
				if first.ID == then.ID {
					t.Error("both got one token")
				}
				if then.Expires.After(request.NotAfter) || !request.At.Before(then.Expires) {
					t.Errorf("the token ends at %v", then.Expires)
				}
			})
		})
	}
}

func TestATokenBegunBeforeAChangeDoesNotTakeThePlaceOfOneBegunAfter(t *testing.T) {
	key := newKey(t, epoch)
	synctest.Test(t, func(t *testing.T) {
		held := hold(key)
		cache := newCache(t, tokens.Options{})
		before := tokens.Basis{Proof: &client{"before"}, Generation: 1, Keys: newKeys(t, held)}
		after := tokens.Basis{Proof: &client{"after"}, Generation: 2, Keys: newKeys(t, key)}
		var all sync.WaitGroup
		all.Go(func() { obtain(t, cache, newRequest(), before) })
		synctest.Wait()
		current, _ := obtain(t, cache, newRequest(), after)
		close(held.release)
		all.Wait()
		if token, hit := obtain(t, cache, newRequest(), after); !hit || token.ID != current.ID {
			t.Error("the late token took the place of the current one")
		}
	})
}

func TestARefusalIsNotSharedWithACallerOfALaterEnd(t *testing.T) {
	key := newKey(t, epoch)
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		held := &testKey{Key: key.Key, signsFrom: epoch, chosen: func() { <-release }}
		cache := newCache(t, tokens.Options{})
		basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, held)}
		ended := newRequest()
		ended.NotAfter = ended.At
		var all sync.WaitGroup
		all.Go(func() {
			_, _, err := cache.Token(t.Context(), ended, basis)
			if decision.ReasonOf(err) != decision.CertificateExpired {
				t.Errorf("an ended certificate: %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() { obtain(t, cache, newRequest(), basis) })
		synctest.Wait()
		close(release)
		all.Wait()
	})
}

// meanwhile is a context that does something when it is first asked for its
// end, which is between the look-up in the cache and the mint.
type meanwhile struct {
	context.Context
	once *sync.Once
	do   func()
}

func (m meanwhile) Err() error {
	m.once.Do(m.do)
	return m.Context.Err()
}

func TestACallerThatComesJustTooLateToWaitTakesWhatWasMinted(t *testing.T) {
	cache := newCache(t, tokens.Options{})
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, newKey(t, epoch))}
	var first tokens.Token
	ctx := meanwhile{t.Context(), new(sync.Once), func() { first, _ = obtain(t, cache, newRequest(), basis) }}
	token, _, err := cache.Token(ctx, newRequest(), basis)
	if err != nil || token.ID != first.ID || cache.Stats().Mints != 1 {
		t.Errorf("%v, the same token %v, %d minted", err, token.ID == first.ID, cache.Stats().Mints)
	}
}

func TestACallerThatLeavesDoesNotEndTheMintOfOthers(t *testing.T) {
	key := newKey(t, epoch)
	synctest.Test(t, func(t *testing.T) {
		held := hold(key)
		cache := newCache(t, tokens.Options{})
		basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, held)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			start := time.Now()
			_, _, err := cache.Token(ctx, newRequest(), basis)
			if decision.ReasonOf(err) != decision.DeadlineExceeded || time.Since(start) != time.Second {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
		})
		synctest.Wait()
		all.Go(func() { obtain(t, cache, newRequest(), basis) })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		close(held.release)
		all.Wait()
		if got := held.signed.Load(); got != 1 {
			t.Errorf("%d signatures, want the one that the first caller began", got)
		}
	})
}

func TestACallerThatIsGoneGetsNothingMinted(t *testing.T) {
	cache := newCache(t, tokens.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := cache.Token(ctx, newRequest(), tokens.Basis{Proof: &client{}, Keys: newKeys(t, newKey(t, epoch))})
	if decision.ReasonOf(err) != decision.DeadlineExceeded || cache.Stats().Mints != 0 {
		t.Errorf("%v, %d minted", err, cache.Stats().Mints)
	}
}

// TestConcurrentUseKeepsTheBounds has the race detector and the bounds look at
// every operation beside every other.
func TestConcurrentUseKeepsTheBounds(t *testing.T) {
	cache := newCache(t, tokens.Options{MaxEntries: 20, MaxPerClient: 5})
	keys := newKeys(t, newKey(t, epoch))
	records := []*client{{"a"}, {"b"}}
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			for i := range 150 {
				request := newRequest()
				request.ClientID = fmt.Sprint(i % 7)
				request.Thumbprint[0] = byte(i % 11)
				request.At = epoch.Add(time.Duration(i) * time.Second)
				generation := uint64(i / 20)
				obtain(t, cache, request, tokens.Basis{Proof: records[generation%2], Generation: generation, Keys: keys})
				if cache.Len() > 20 || cache.LenClient(request.ClientID) > 5 {
					t.Errorf("%d tokens, %d of one client", cache.Len(), cache.LenClient(request.ClientID))
				}
				switch (worker + i) % 50 {
				case 0:
					cache.PurgeClient(request.ClientID)
				case 1:
					cache.Sweep(request.At)
				}
			}
		})
	}
	all.Wait()
	cache.Sweep(epoch.Add(time.Hour))
	if cache.Len() != 0 {
		t.Errorf("%d tokens are left when all have ended", cache.Len())
	}
}
