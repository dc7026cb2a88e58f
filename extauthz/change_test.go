package extauthz_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

// A token in the cache is of the state it was made in. After a change of what
// it rests on, the very next check gets none of it.
func TestWhatBecomesOfATokenWhenTheStateChanges(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	next := selfSigned(t, testca.Template{CommonName: "next"})
	store := map[string]any{"certificateTrustStore": storeOf(pinned)}
	for name, test := range map[string]struct {
		change func(*testing.T, *site)
		want   string // "old token", "new token" or the refusal
	}{
		"nothing changed":                         {func(*testing.T, *site) {}, "old token"},
		"another client came":                     {func(t *testing.T, s *site) { s.pin(t, "other", next) }, "old token"},
		"the client was written again":            {func(t *testing.T, s *site) { s.put(t, "lab", store) }, "new token"},
		"the client was turned off":               {func(_ *testing.T, s *site) { s.change(func(b *policies.Builder) { b.TurnOff("lab") }) }, "401 client_inactive"},
		"the client is gone":                      {func(_ *testing.T, s *site) { s.change(func(b *policies.Builder) { b.Remove("lab") }) }, "401 client_unknown"},
		"the certificate was taken out":           {func(t *testing.T, s *site) { s.pin(t, "lab", next) }, "401 client_unknown"},
		"another client pins the certificate too": {func(t *testing.T, s *site) { s.pin(t, "other", pinned) }, "401 client_ambiguous"},
		"the certificate moved to another client": {func(t *testing.T, s *site) {
			s.change(func(b *policies.Builder) { b.Remove("lab") })
			s.pin(t, "other", pinned)
		}, "new token"},
		"a key was added":       {func(t *testing.T, s *site) { s.useKeys(t, s.key, newKey(t)) }, "old token"},
		"the key was taken out": {func(t *testing.T, s *site) { s.useKeys(t, newKey(t)) }, "new token"},
		"the client came and went": {func(t *testing.T, s *site) {
			s.change(func(b *policies.Builder) { b.Remove("lab") })
			s.put(t, "lab", store)
		}, "new token"},
		"it was off for a moment": {func(t *testing.T, s *site) {
			s.change(func(b *policies.Builder) { b.TurnOff("lab") })
			s.put(t, "lab", store)
		}, "new token"},
		"the audience was taken away": {func(t *testing.T, s *site) {
			s.put(t, "lab", map[string]any{"certificateTrustStore": storeOf(pinned), "audience": []string{"https://x.example"}})
		}, "403 audience_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			s.put(t, "lab", store)
			first, _ := check(t.Context(), t, s, requestFrom(pinned)).token(t)
			test.change(t, s)
			second := check(t.Context(), t, s, requestFrom(pinned))
			got := second.inWords()
			if second.Allowed {
				got = "new token"
				if text, _ := second.token(t); text == first {
					got = "old token"
				}
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// While a token is being signed the client is turned off: whoever asks
// afterwards does not wait for that token.
func TestACheckAfterAChangeDoesNotGetATokenBegunBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pinned := selfSigned(t, testca.Template{CommonName: "lab"})
		s := newSite(t, nil)
		release := make(chan struct{})
		s.key.before = func() error { <-release; return nil }
		s.pin(t, "lab", pinned)
		var before, after answered
		var all sync.WaitGroup
		all.Go(func() { before = check(t.Context(), t, s, requestFrom(pinned)) })
		synctest.Wait()
		s.change(func(b *policies.Builder) { b.TurnOff("lab") })
		all.Go(func() { after = check(t.Context(), t, s, requestFrom(pinned)) })
		synctest.Wait()
		if after.inWords() != "401 client_inactive" {
			t.Errorf("while the token is being made: %s", after.inWords())
		}
		close(release)
		all.Wait()
		if !before.Allowed {
			t.Errorf("the check that was there before: %s", before.inWords())
		}
	})
}

func TestOverloadRefusesAndTheOthersFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(c *extauthz.Config) { c.InFlight = 2 })
		release := make(chan struct{})
		s.key.before = func() error { <-release; return nil }
		var leaves []*testca.Issued
		for i := range 5 {
			leaf := selfSigned(t, testca.Template{CommonName: "lab"})
			s.pin(t, fmt.Sprintf("lab-%d", i), leaf)
			leaves = append(leaves, leaf)
		}
		answers := make([]answered, len(leaves))
		var all sync.WaitGroup
		for i, leaf := range leaves {
			all.Go(func() { answers[i] = check(t.Context(), t, s, requestFrom(leaf)) })
			synctest.Wait()
		}
		for _, got := range answers[2:] {
			if got.inWords() != "503 overloaded" || got.headers["retry-after"] != "1" {
				t.Errorf("beyond the limit: %s", got.inWords())
			}
		}
		close(release)
		all.Wait()
		for _, got := range answers[:2] {
			if !got.Allowed {
				t.Errorf("within the limit: %s", got.inWords())
			}
		}
		if got := check(t.Context(), t, s, requestFrom(leaves[4])); !got.Allowed {
			t.Errorf("after the rush: %s", got.inWords())
		}
		if got := s.count(t, "certbearer_decisions_total", "overloaded"); got != 3 {
			t.Errorf("%v counted as overloaded", got)
		}
	})
}

func TestAPanicOfAStepIsARefusal(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	for name, breakIt := range map[string]func(*testing.T, *site){
		// The snapshot's zero value is documented as unusable.
		"a state that cannot be: the steps panic": func(_ *testing.T, s *site) { s.useClients(new(policies.Snapshot)) },
		"a key that panics where tokens are made": func(t *testing.T, s *site) {
			s.pin(t, "lab", pinned)
			s.key.before = func() error { panic("hunter2") }
		},
		"a key that panics when it is chosen": func(t *testing.T, s *site) {
			s.pin(t, "lab", pinned)
			s.useKeys(t, unripeKey{newKey(t)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			breakIt(t, s)
			got := check(t.Context(), t, s, requestFrom(pinned))
			if got.inWords() != "503 internal_error" || got.headers["retry-after"] != "1" {
				t.Errorf("got %s, %v", got.inWords(), got.headers)
			}
			if count := s.count(t, "certbearer_panics_total", ""); count != 1 || len(s.panics) != 1 {
				t.Errorf("%v panics counted, %d told", count, len(s.panics))
			}
			if count := s.count(t, "certbearer_decisions_total", "internal_error"); count != 1 {
				t.Errorf("%v decisions counted", count)
			}
			records := s.records(t)
			if len(records) != 1 || records[0]["reason"] != "internal_error" || records[0]["decision"] != "deny" ||
				records[0]["request_id"] != "7f2c9d1e-aaaa-bbbb-cccc-0123456789ab" {
				t.Errorf("records %v", records)
			}
			if strings.Contains(fmt.Sprint(records), "hunter2") {
				t.Errorf("the record shows what the panic was raised with: %v", records)
			}
		})
	}
}

func TestAPanicThatNobodyIsToldOfIsARefusalToo(t *testing.T) {
	s := newSite(t, func(c *extauthz.Config) { c.Panicked = nil })
	s.useClients(new(policies.Snapshot))
	got := check(t.Context(), t, s, requestFrom(selfSigned(t, testca.Template{})))
	if got.inWords() != "503 internal_error" {
		t.Errorf("got %s", got.inWords())
	}
}

// unripeKey panics when it is asked whether it may sign.
type unripeKey struct{ signer.Key }

func (unripeKey) SignsFrom() time.Time { panic("hunter2") }
