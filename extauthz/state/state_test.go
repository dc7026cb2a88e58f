package state_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/policies"
)

func TestAStateIsReadyWithClientsAndKeys(t *testing.T) {
	clients, keys := policies.Empty(policies.Options{}), new(signer.Keys)
	for name, test := range map[string]struct {
		state state.State
		want  bool
	}{
		"nothing":      {state.State{}, false},
		"only clients": {state.State{Clients: clients}, false},
		"only keys":    {state.State{Keys: keys}, false},
		"both":         {state.State{Clients: clients, Keys: keys}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.state.Ready(); got != test.want {
				t.Errorf("ready %v", got)
			}
		})
	}
}

func TestAHolderBeginsWithTheEmptyState(t *testing.T) {
	var holder state.Holder
	got := holder.Load()
	if got == nil || *got != (state.State{}) {
		t.Errorf("%+v", got)
	}
}

func TestEveryPublicationRaisesTheGenerationByOne(t *testing.T) {
	var holder state.Holder
	for want := uint64(1); want <= 3; want++ {
		generation := holder.Publish(func(current state.State) state.State {
			if current.Generation != want-1 {
				t.Errorf("changed from generation %d, want %d", current.Generation, want-1)
			}
			current.Generation = 40 // is not the change's to choose
			return current
		})
		if generation != want || holder.Load().Generation != want {
			t.Errorf("generation %d, loaded %d, want %d", generation, holder.Load().Generation, want)
		}
	}
}

func TestWhatWasLoadedStaysAsItIs(t *testing.T) {
	var holder state.Holder
	clients := policies.Empty(policies.Options{})
	holder.Publish(func(current state.State) state.State { current.Clients = clients; return current })
	loaded := holder.Load()
	holder.Publish(func(state.State) state.State { return state.State{} })
	if loaded.Clients != clients || loaded.Generation != 1 {
		t.Errorf("%+v", loaded)
	}
	if current := holder.Load(); current.Clients != nil || current.Generation != 2 {
		t.Errorf("%+v", current)
	}
}

// Writers change clients and keys at once, as a pair; no reader sees a pair of
// two publications or a generation that goes back, and none of the changes is
// lost.
func TestReadersSeeWholeStatesInOrder(t *testing.T) {
	const writers, changes, readers = 4, 200, 4
	var holder state.Holder
	var mu sync.Mutex
	pairs := map[*policies.Snapshot]*signer.Keys{nil: nil}
	var writing, reading sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range changes {
				clients, keys := policies.Empty(policies.Options{}), new(signer.Keys)
				mu.Lock()
				pairs[clients] = keys
				mu.Unlock()
				holder.Publish(func(current state.State) state.State {
					runtime.Gosched() // to whoever would write at the same time
					current.Clients, current.Keys = clients, keys
					return current
				})
			}
		})
	}
	done := make(chan struct{})
	for range readers {
		reading.Go(func() {
			last := uint64(0)
			for ended := false; !ended; {
				select {
				case <-done:
					ended = true
				default:
				}
				current := holder.Load()
				mu.Lock()
				keys, known := pairs[current.Clients]
				mu.Unlock()
				if !known || keys != current.Keys || current.Generation < last {
					t.Errorf("generation %d after %d, a pair that was published: %v", current.Generation, last, known && keys == current.Keys)
					return
				}
				last = current.Generation
			}
			if last != writers*changes {
				t.Errorf("the last generation is %d, want %d", last, writers*changes)
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
}
