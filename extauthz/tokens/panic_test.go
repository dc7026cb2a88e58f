package tokens_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestAKeyThatPanicsIsAnErrorForAllWhoWait(t *testing.T) {
	key := newKey(t, epoch)
	synctest.Test(t, func(t *testing.T) {
		held := hold(key)
		sign := held.before
		held.before = func() {
			sign()
			panic("the private key is hunter2")
		}
		cache := newCache(t, tokens.Options{})
		basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, held)}
		errs := make([]error, 3)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { _, _, errs[i] = cache.Token(t.Context(), newRequest(), basis) })
		}
		synctest.Wait()
		close(held.release)
		all.Wait()
		for _, err := range errs {
			var panicked *tokens.PanicError
			if !errors.As(err, &panicked) {
				t.Fatalf("got %v, want a PanicError", err)
			}
			if !strings.Contains(string(panicked.Stack), "panic_test.go") {
				t.Errorf("the stack does not lead to the panic:\n%s", panicked.Stack)
			}
			if text := fmt.Sprintf("%v %+v %s", err, err, err); strings.Contains(text, "hunter2") {
				t.Errorf("the error shows what the panic was raised with: %s", text)
			}
			if decision.ReasonOf(err) != decision.InternalError {
				t.Errorf("reason %v", decision.ReasonOf(err))
			}
		}
		if cache.Len() != 0 {
			t.Error("something is cached")
		}
		held.before = nil
		obtain(t, cache, newRequest(), basis)
	})
}
