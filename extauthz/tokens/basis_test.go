package tokens_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestATokenServesOnlyWhatItRestsOn(t *testing.T) {
	record, changed := &client{"a"}, &client{"a"}
	key, next := newKey(t, epoch.Add(-time.Hour)), newKey(t, epoch.Add(time.Minute))
	one, both, without := newKeys(t, key), newKeys(t, key, next), newKeys(t, next)
	later := epoch.Add(2 * time.Minute)
	tests := map[string]struct {
		at    time.Time
		basis tokens.Basis
		hit   bool
	}{
		"the same state": {epoch, tokens.Basis{Proof: record, Generation: 5, Keys: one}, true},
		"a later state with the same record and key":        {epoch, tokens.Basis{Proof: record, Generation: 6, Keys: one}, true},
		"a later state with one more key":                   {epoch, tokens.Basis{Proof: record, Generation: 6, Keys: both}, true},
		"a key that no longer signs but is still published": {later, tokens.Basis{Proof: record, Generation: 6, Keys: both}, true},
		"a key that is not published any more":              {later, tokens.Basis{Proof: record, Generation: 6, Keys: without}, false},
		"a record that was changed":                         {epoch, tokens.Basis{Proof: changed, Generation: 6, Keys: one}, false},
		"a record that was changed, without a generation":   {epoch, tokens.Basis{Proof: changed, Generation: 5, Keys: one}, false},
		"an older state with the same record and key":       {epoch, tokens.Basis{Proof: record, Generation: 4, Keys: one}, true},
		"an older state with another record":                {epoch, tokens.Basis{Proof: changed, Generation: 4, Keys: one}, false},
		"an older state that lacks the key":                 {later, tokens.Basis{Proof: record, Generation: 4, Keys: without}, false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			cache := newCache(t, tokens.Options{})
			first, _ := obtain(t, cache, newRequest(), tokens.Basis{Proof: record, Generation: 5, Keys: one})
			request := newRequest()
			request.At = test.at
			token, hit := obtain(t, cache, request, test.basis)
			if hit != test.hit || (token.ID == first.ID) != test.hit {
				t.Errorf("hit %v, the same token %v, want %v", hit, token.ID == first.ID, test.hit)
			}
			verify(t, test.basis.Keys, token)
		})
	}
}

func TestASlowRequestNeverReplacesALaterStatesToken(t *testing.T) {
	old, changed := &client{"old"}, &client{"changed"}
	keys := newKeys(t, newKey(t, epoch))
	before := tokens.Basis{Proof: old, Generation: 1, Keys: keys}
	after := tokens.Basis{Proof: changed, Generation: 2, Keys: keys}
	cache := newCache(t, tokens.Options{})
	obtain(t, cache, newRequest(), before)
	current, hit := obtain(t, cache, newRequest(), after)
	if hit {
		t.Fatal("the changed client got the token of before")
	}
	slow, hit := obtain(t, cache, newRequest(), before)
	if hit || slow.ID == current.ID {
		t.Error("the slow request got the changed client's token")
	}
	again, hit := obtain(t, cache, newRequest(), after)
	if !hit || again.ID != current.ID {
		t.Error("the slow request's token took the place of the current one")
	}
}

func TestTheGenerationOfATokenIsNeverLowered(t *testing.T) {
	record, other := &client{"a"}, &client{"b"}
	keys := newKeys(t, newKey(t, epoch))
	cache := newCache(t, tokens.Options{})
	first, _ := obtain(t, cache, newRequest(), tokens.Basis{Proof: record, Generation: 3, Keys: keys})
	obtain(t, cache, newRequest(), tokens.Basis{Proof: record, Generation: 9, Keys: keys})
	obtain(t, cache, newRequest(), tokens.Basis{Proof: record, Generation: 4, Keys: keys})
	obtain(t, cache, newRequest(), tokens.Basis{Proof: other, Generation: 8, Keys: keys})
	token, hit := obtain(t, cache, newRequest(), tokens.Basis{Proof: record, Generation: 9, Keys: keys})
	if !hit || token.ID != first.ID {
		t.Error("a request of generation 8 replaced what was proved under 9")
	}
}

func TestNewTokensUseTheNewKeyAtOnce(t *testing.T) {
	key, next := newKey(t, epoch), newKey(t, epoch.Add(time.Minute))
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, key, next)}
	for at, want := range map[time.Time]signer.Key{
		epoch.Add(time.Minute - 1): key,
		epoch.Add(time.Minute):     next,
	} {
		cache := newCache(t, tokens.Options{})
		request := newRequest()
		request.At = at
		token, _ := obtain(t, cache, request, basis)
		if header, _ := verify(t, basis.Keys, token); header["kid"] != want.KID() {
			t.Errorf("at %v signed by %v, want %s", at, header["kid"], want.KID())
		}
	}
}

func TestTheCacheDenies(t *testing.T) {
	keys := newKeys(t, newKey(t, epoch))
	future := newKeys(t, newKey(t, epoch.Add(time.Hour)))
	record := &client{}
	var nobody *client
	ended := newRequest()
	ended.NotAfter = ended.At.Add(-time.Second)
	tests := map[string]struct {
		request tokens.Request
		basis   tokens.Basis
		reason  decision.Reason
	}{
		"a state without keys":                 {newRequest(), tokens.Basis{Proof: record}, decision.SigningKeyMissing},
		"a state whose keys do not sign yet":   {newRequest(), tokens.Basis{Proof: record, Keys: future}, decision.SigningKeyMissing},
		"a certificate that has ended":         {ended, tokens.Basis{Proof: record, Keys: keys}, decision.CertificateExpired},
		"a request that is empty":              {tokens.Request{}, tokens.Basis{Proof: record, Keys: keys}, decision.SigningKeyMissing},
		"no proof":                             {newRequest(), tokens.Basis{Keys: keys}, decision.InternalError},
		"a proof that is a nil pointer":        {newRequest(), tokens.Basis{Proof: nobody, Keys: keys}, decision.InternalError},
		"a proof that is equal to others":      {newRequest(), tokens.Basis{Proof: "lab-partner", Keys: keys}, decision.InternalError},
		"a proof that cannot even be compared": {newRequest(), tokens.Basis{Proof: []int{1}, Keys: keys}, decision.InternalError},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			cache := newCache(t, tokens.Options{})
			for range 2 {
				token, hit, err := cache.Token(t.Context(), test.request, test.basis)
				if err == nil || hit || token != (tokens.Token{}) {
					t.Fatalf("got %v, %v, %v", token, hit, err)
				}
				if got := decision.ReasonOf(err); got != test.reason {
					t.Errorf("reason %s, want %s: %v", got, test.reason, err)
				}
			}
			if cache.Len() != 0 {
				t.Error("something was kept")
			}
		})
	}
}

func TestNoTokenOfARemovedKeyIsServedAndNoneIsKept(t *testing.T) {
	compromised, next := newKey(t, epoch.Add(-time.Hour)), newKey(t, epoch.Add(-time.Hour))
	record := &client{"a"}
	before := tokens.Basis{Proof: record, Generation: 1, Keys: newKeys(t, compromised)}
	between := tokens.Basis{Proof: record, Generation: 2, Keys: newKeys(t, next)}
	cache := newCache(t, tokens.Options{})
	const clients = 1000
	ids := map[string]bool{}
	for i := range clients {
		request := newRequest()
		request.ClientID = fmt.Sprint(i)
		basis := before
		if i%4 == 0 {
			basis = between
		}
		token, _ := obtain(t, cache, request, basis)
		ids[token.ID] = true
	}
	if purged := cache.PurgeKeysNotIn(newKeys(t, compromised, next)); purged != 0 || cache.Len() != clients {
		t.Errorf("%d tokens of published keys were purged", purged)
	}
	// Served is none even before the purge.
	request := newRequest()
	request.ClientID = "1"
	token, hit := obtain(t, cache, request, between)
	if header, _ := verify(t, between.Keys, token); hit || ids[token.ID] || header["kid"] != next.KID() {
		t.Errorf("a token of %v was served, hit %v", header["kid"], hit)
	}
	if purged := cache.PurgeKeysNotIn(between.Keys); purged != clients*3/4-1 || cache.Len() != clients/4+1 {
		t.Errorf("%d purged, %d kept", purged, cache.Len())
	}
	for i := range clients {
		request := newRequest()
		request.ClientID = fmt.Sprint(i)
		if token, hit := obtain(t, cache, request, between); ids[token.ID] != (i%4 == 0) || hit != (i%4 == 0 || i == 1) {
			t.Errorf("client %d: a hit %v", i, hit)
		}
	}
	if purged := cache.PurgeKeysNotIn(nil); purged != clients || cache.Len() != 0 {
		t.Errorf("without keys %d are purged and %d kept", purged, cache.Len())
	}
}
