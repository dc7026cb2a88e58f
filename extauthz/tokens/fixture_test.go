package tokens_test

import (
	"context"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/tokens"
)

// epoch is a time with a fraction, as the clock's are. It is not after the start
// of a synctest bubble.
var epoch = time.Date(1999, 12, 31, 23, 0, 0, 900_000_000, time.UTC)

// client stands for the record that claims are drawn from.
type client struct{ name string }

// testKey is a key with times and a signing of the test's choice.
type testKey struct {
	signer.Key
	signsFrom time.Time
	before    func()
	chosen    func()
}

func (k *testKey) SignsFrom() time.Time {
	if k.chosen != nil {
		k.chosen()
	}
	return k.signsFrom
}

func (k *testKey) Sign(ctx context.Context, input []byte) ([]byte, error) {
	if k.before != nil {
		k.before()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return k.Key.Sign(ctx, input)
}

func newKey(t testing.TB, signsFrom time.Time) *testKey {
	t.Helper()
	made, err := signer.Open(t.Context(), t.TempDir(), signer.Options{Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	return &testKey{Key: made.All()[0], signsFrom: signsFrom}
}

func newKeys(t testing.TB, keys ...signer.Key) *signer.Keys {
	t.Helper()
	set, err := signer.NewKeys(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func newCache(t testing.TB, options tokens.Options) *tokens.Cache {
	t.Helper()
	cache, err := tokens.NewCache(options)
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

// newRequest is a request that a token is made for.
func newRequest() tokens.Request {
	return tokens.Request{
		Issuer:     "https://gateway.example",
		ClientID:   "lab-partner",
		Audience:   "https://fhir.example/R4",
		Scope:      []string{"system/Patient.rs", "system/Claim.c"},
		Thumbprint: [32]byte{0xfb, 0xff, 31: 1},
		Typ:        tokens.TypAccessToken,
		Lifetime:   5 * time.Minute,
		NotAfter:   epoch.AddDate(1, 0, 0),
		At:         epoch,
	}
}

// obtain returns a token that has to come, and whether it was cached.
func obtain(t *testing.T, cache *tokens.Cache, request tokens.Request, basis tokens.Basis) (tokens.Token, bool) {
	t.Helper()
	token, hit, err := cache.Token(t.Context(), request, basis)
	if err != nil {
		t.Fatal(err)
	}
	if token.Value.Reveal() == "" {
		t.Fatal("the token is empty")
	}
	return token, hit
}
