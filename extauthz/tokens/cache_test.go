package tokens_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestTheSameRequestGetsTheSameTokenUntilRenewal(t *testing.T) {
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, newKey(t, epoch))}
	second := epoch.Truncate(time.Second)
	tests := map[string]struct {
		change func(*tokens.Request)
		hit    bool
	}{
		"at the same moment":                         {func(*tokens.Request) {}, true},
		"just before the renewal":                    {func(r *tokens.Request) { r.At = second.Add(4*time.Minute - 1) }, true},
		"at the renewal":                             {func(r *tokens.Request) { r.At = second.Add(4 * time.Minute) }, false},
		"after the token's end":                      {func(r *tokens.Request) { r.At = second.Add(time.Hour) }, false},
		"dated a moment before the token":            {func(r *tokens.Request) { r.At = second.Add(-10 * time.Second) }, true},
		"after the clock was set back":               {func(r *tokens.Request) { r.At = second.Add(-11 * time.Second) }, false},
		"with an end that is the token's":            {func(r *tokens.Request) { r.NotAfter = second.Add(5 * time.Minute) }, true},
		"with an end that the token would go beyond": {func(r *tokens.Request) { r.NotAfter = second.Add(5*time.Minute - 1) }, false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			cache := newCache(t, tokens.Options{})
			early := newKeys(t, newKey(t, epoch.Add(-time.Hour)))
			basis := tokens.Basis{Proof: basis.Proof, Generation: 1, Keys: early}
			first, _ := obtain(t, cache, newRequest(), basis)
			request := newRequest()
			test.change(&request)
			token, hit := obtain(t, cache, request, basis)
			if hit != test.hit || (token.ID == first.ID) != test.hit {
				t.Errorf("hit %v, the same token %v, want %v", hit, token.ID == first.ID, test.hit)
			}
			if token.Expires.After(request.NotAfter) || !request.At.Before(token.Expires) {
				t.Errorf("the token ends at %v", token.Expires)
			}
			if cache.Len() != 1 {
				t.Errorf("%d tokens kept, want one in the place of the other", cache.Len())
			}
		})
	}
}

func TestRequestsThatDifferNeverShareAToken(t *testing.T) {
	requests := map[string]func(*tokens.Request){
		"as it is":                          func(*tokens.Request) {},
		"another client":                    func(r *tokens.Request) { r.ClientID = "other" },
		"another certificate":               func(r *tokens.Request) { r.Thumbprint[31]++ },
		"the name of a certificate":         func(r *tokens.Request) { r.Certificates = []string{"ab"} },
		"the names of two certificates":     func(r *tokens.Request) { r.Certificates = []string{"a", "b"} },
		"another audience":                  func(r *tokens.Request) { r.Audience += "/" },
		"another issuer":                    func(r *tokens.Request) { r.Issuer += "/" },
		"no binding":                        func(r *tokens.Request) { r.Bind = tokens.BindNone },
		"no binding, another certificate":   func(r *tokens.Request) { r.Bind, r.Thumbprint[31] = tokens.BindNone, 9 },
		"another type":                      func(r *tokens.Request) { r.Typ = tokens.TypJWT },
		"another lifetime":                  func(r *tokens.Request) { r.Lifetime++ },
		"no scope":                          func(r *tokens.Request) { r.Scope = nil },
		"two scopes":                        func(r *tokens.Request) { r.Scope = []string{"ab", "c"} },
		"two scopes of the same letters":    func(r *tokens.Request) { r.Scope = []string{"a", "bc"} },
		"one scope of the same letters":     func(r *tokens.Request) { r.Scope = []string{"abc"} },
		"issuer and audience split here":    func(r *tokens.Request) { r.Issuer, r.Audience = "ab", "c" },
		"issuer and audience split there":   func(r *tokens.Request) { r.Issuer, r.Audience = "a", "bc" },
		"a scope that looks like a length":  func(r *tokens.Request) { r.Scope = []string{"!", "a!b"} },
		"a length that looks like a scope":  func(r *tokens.Request) { r.Scope = []string{"!a", "!b"} },
		"an audience that swallows a scope": func(r *tokens.Request) { r.Audience, r.Scope = "c\x01\x03abc", nil },
	}
	cache := newCache(t, tokens.Options{})
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, newKey(t, epoch))}
	seen := map[string]string{}
	for sentence, change := range requests {
		request := newRequest()
		change(&request)
		token, hit := obtain(t, cache, request, basis)
		if hit || seen[token.ID] != "" {
			t.Errorf("%q shares a token with %q", sentence, seen[token.ID])
		}
		seen[token.ID] = sentence
	}
	if cache.Len() != len(requests) {
		t.Errorf("%d tokens for %d requests", cache.Len(), len(requests))
	}
}

func TestTheCacheIsBoundedAsAWhole(t *testing.T) {
	for _, most := range []int{1, 5, 300, 1023} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			cache := newCache(t, tokens.Options{MaxEntries: most})
			basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, newKey(t, epoch))}
			asked := most + most/4 + 1
			for i := range asked {
				request := newRequest()
				request.ClientID = fmt.Sprint(i)
				obtain(t, cache, request, basis)
				if cache.Len() > most {
					t.Fatalf("%d tokens, at most %d are allowed", cache.Len(), most)
				}
				if _, hit := obtain(t, cache, request, basis); !hit {
					t.Fatal("the newest token was not kept")
				}
			}
			if cache.Len() < most*8/10 {
				t.Errorf("%d tokens kept of %d allowed", cache.Len(), most)
			}
			if got := cache.Stats().Evictions; got != uint64(asked-cache.Len()) {
				t.Errorf("%d evictions, want %d", got, asked-cache.Len())
			}
		})
	}
}

func TestAClientThatIsAtItsBoundDisplacesOnlyItself(t *testing.T) {
	cache := newCache(t, tokens.Options{MaxEntries: 100, MaxPerClient: 3})
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, newKey(t, epoch))}
	other := newRequest()
	other.ClientID, other.Lifetime = "other", time.Minute
	obtain(t, cache, other, basis)
	for i := range 50 {
		request := newRequest()
		request.Thumbprint[0] = byte(i)
		obtain(t, cache, request, basis)
		if got := cache.LenClient("lab-partner"); got > 3 {
			t.Fatalf("%d tokens of one client", got)
		}
	}
	if _, hit := obtain(t, cache, other, basis); !hit {
		t.Error("the other client's token was displaced")
	}
	if got := cache.LenClient("lab-partner"); got != 3 {
		t.Errorf("%d tokens of the client, want 3", got)
	}
}

func TestEvictionTakesWhatWouldGoFirst(t *testing.T) {
	lifetimes := []time.Duration{time.Hour, time.Minute, 30 * time.Minute}
	tests := map[string]struct {
		options tokens.Options
		at      time.Duration
		gone    time.Duration
	}{
		"the soonest to be renewed, of all":            {tokens.Options{MaxEntries: 3}, 0, time.Minute},
		"the soonest to be renewed, of the client":     {tokens.Options{MaxPerClient: 3}, 0, time.Minute},
		"one that is past its renewal before the rest": {tokens.Options{MaxEntries: 3}, 10 * time.Minute, time.Minute},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			cache := newCache(t, test.options)
			basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, newKey(t, epoch))}
			ask := func(lifetime time.Duration, at time.Time) bool {
				request := newRequest()
				request.Lifetime, request.At = lifetime, at
				_, hit := obtain(t, cache, request, basis)
				return hit
			}
			for _, lifetime := range lifetimes {
				ask(lifetime, epoch)
			}
			ask(2*time.Hour, epoch.Add(test.at))
			for _, lifetime := range lifetimes {
				if lifetime != test.gone && !ask(lifetime, epoch.Add(test.at)) {
					t.Errorf("the token of %v is gone", lifetime)
				}
			}
			if ask(test.gone, epoch) {
				t.Errorf("the token of %v was kept", test.gone)
			}
		})
	}
}

func TestPurgeDropsOneClient(t *testing.T) {
	cache := newCache(t, tokens.Options{})
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, newKey(t, epoch))}
	for i := range 5 {
		request := newRequest()
		request.Thumbprint[0] = byte(i)
		obtain(t, cache, request, basis)
	}
	other := newRequest()
	other.ClientID = "other"
	obtain(t, cache, other, basis)
	if got := cache.PurgeClient("lab-partner"); got != 5 {
		t.Errorf("%d purged, want 5", got)
	}
	if cache.PurgeClient("nobody") != 0 || cache.LenClient("lab-partner") != 0 || cache.Len() != 1 {
		t.Errorf("%d of the client kept, %d in all", cache.LenClient("lab-partner"), cache.Len())
	}
	if _, hit := obtain(t, cache, other, basis); !hit {
		t.Error("the other client's token is gone")
	}
}

func TestSweepDropsWhatIsToBeRenewed(t *testing.T) {
	cache := newCache(t, tokens.Options{})
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, newKey(t, epoch))}
	const short = 600
	for i := range short {
		request := newRequest()
		request.Thumbprint[0], request.Thumbprint[1] = byte(i), byte(i>>8)
		obtain(t, cache, request, basis)
	}
	long := newRequest()
	long.Lifetime = time.Hour
	obtain(t, cache, long, basis)
	renewAt := epoch.Truncate(time.Second).Add(4 * time.Minute)
	if got := cache.Sweep(renewAt.Add(-1)); got != 0 {
		t.Errorf("%d swept before their time", got)
	}
	if got := cache.Sweep(renewAt); got != short {
		t.Errorf("%d swept, want %d", got, short)
	}
	if cache.Len() != 1 || cache.LenClient("lab-partner") != 1 {
		t.Errorf("%d kept, want the long one", cache.Len())
	}
}

func TestRunSweepsUntilItsContextEnds(t *testing.T) {
	keys := newKeys(t, newKey(t, epoch))
	synctest.Test(t, func(t *testing.T) {
		cache := newCache(t, tokens.Options{SweepEvery: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { cache.Run(ctx); close(ended) }()
		request := newRequest()
		request.At = time.Now()
		request.NotAfter = request.At.Add(time.Hour)
		obtain(t, cache, request, tokens.Basis{Proof: &client{}, Generation: 1, Keys: keys})
		time.Sleep(4*time.Minute - 1)
		synctest.Wait()
		if cache.Len() != 1 {
			t.Error("swept before the renewal")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if cache.Len() != 0 {
			t.Error("kept after the renewal")
		}
		cancel()
		<-ended
	})
}

func TestStatsCountWhatHappened(t *testing.T) {
	cache := newCache(t, tokens.Options{})
	basis := tokens.Basis{Proof: &client{}, Generation: 1, Keys: newKeys(t, newKey(t, epoch))}
	for range 4 {
		obtain(t, cache, newRequest(), basis)
	}
	bad := newRequest()
	bad.NotAfter = bad.At
	if _, _, err := cache.Token(t.Context(), bad, basis); decision.ReasonOf(err) != decision.CertificateExpired {
		t.Errorf("an ended certificate: %v", err)
	}
	if diff := cmp.Diff(tokens.Stats{Hits: 3, Misses: 2, Mints: 1}, cache.Stats()); diff != "" {
		t.Error(diff)
	}
}

func TestNegativeLimitsAreRefused(t *testing.T) {
	for _, options := range []tokens.Options{{MaxEntries: -1}, {MaxPerClient: -1}, {SweepEvery: -1}} {
		if _, err := tokens.NewCache(options); err == nil {
			t.Errorf("%+v is accepted", options)
		}
	}
}
