package signer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/signer"
)

func rawURL(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// remoteKey stands for a key whose private part is elsewhere.
type remoteKey struct {
	kid, algorithm     string
	created, signsFrom time.Time
	public             jose.JSONWebKey
}

func (k remoteKey) KID() string                                  { return k.kid }
func (k remoteKey) Algorithm() string                            { return k.algorithm }
func (k remoteKey) Created() time.Time                           { return k.created }
func (k remoteKey) SignsFrom() time.Time                         { return k.signsFrom }
func (k remoteKey) Public() jose.JSONWebKey                      { return k.public }
func (k remoteKey) Sign(context.Context, []byte) ([]byte, error) { return nil, errors.New("remote") }

// newRemote makes a key from a scalar of one byte, so that kids are the same in
// every run.
func newRemote(t *testing.T, scalar byte, signsFrom time.Time) remoteKey {
	t.Helper()
	raw := make([]byte, 32)
	raw[31] = scalar
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		t.Fatal(err)
	}
	public := jose.JSONWebKey{Key: &private.PublicKey, Algorithm: "ES256", Use: "sig"}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	public.KeyID = rawURL(sum)
	return remoteKey{kid: public.KeyID, algorithm: "ES256", created: epoch, signsFrom: signsFrom, public: public}
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestSigningIsTheNewestKeyWhoseTimeHasCome(t *testing.T) {
	first := newRemote(t, 1, epoch)
	second := newRemote(t, 2, epoch.Add(time.Hour))
	keys, err := signer.NewKeys(second, first)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		at   time.Time
		want string
	}{
		"nothing signs before the first key may":     {epoch.Add(-1), ""},
		"the first signs from its very moment":       {epoch, first.kid},
		"the first signs until the second may":       {epoch.Add(time.Hour - 1), first.kid},
		"the second takes over at its very moment":   {epoch.Add(time.Hour), second.kid},
		"the newest keeps signing however old it is": {epoch.AddDate(50, 0, 0), second.kid},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			key, err := keys.Signing(test.at)
			if test.want == "" {
				if !errors.Is(err, signer.ErrNoSigningKey) {
					t.Fatalf("got %v, %v, want ErrNoSigningKey", key, err)
				}
				return
			}
			if err != nil || key.KID() != test.want {
				t.Errorf("got %v, %v, want %s", key, err, test.want)
			}
		})
	}
}

func TestKeysOfTheSameMomentAreOrderedTheSameEverywhere(t *testing.T) {
	a, b := newRemote(t, 1, epoch), newRemote(t, 2, epoch)
	one, err := signer.NewKeys(a, b)
	if err != nil {
		t.Fatal(err)
	}
	other, err := signer.NewKeys(b, a)
	if err != nil {
		t.Fatal(err)
	}
	signsOne, _ := one.Signing(epoch)
	signsOther, _ := other.Signing(epoch)
	if signsOne.KID() != signsOther.KID() {
		t.Errorf("%s signs here and %s there", signsOne.KID(), signsOther.KID())
	}
	if diff := cmp.Diff(string(one.JWKS()), string(other.JWKS())); diff != "" {
		t.Error(diff)
	}
}

func TestANilSetIsEmpty(t *testing.T) {
	var keys *signer.Keys
	if _, err := keys.Signing(epoch); !errors.Is(err, signer.ErrNoSigningKey) {
		t.Errorf("Signing: %v", err)
	}
	if _, ok := keys.Key("a"); ok || keys.All() != nil || keys.JWKS() != nil {
		t.Error("a nil set has keys")
	}
}

func TestNewKeysRefuses(t *testing.T) {
	good := newRemote(t, 1, epoch)
	with := func(change func(*remoteKey)) []signer.Key {
		key := good
		change(&key)
		return []signer.Key{key}
	}
	tests := map[string][]signer.Key{
		"no key at all":                       nil,
		"a key that stands twice":             {good, good},
		"more keys than verifiers would read": slices.Repeat([]signer.Key{good}, signer.MaxKeys+1),
		"a kid that is not the thumbprint": with(func(k *remoteKey) {
			k.kid, k.public.KeyID = "a", "a"
		}),
		"a key of another kid than its public part": with(func(k *remoteKey) { k.kid = "a" }),
		"a public part under another kid":           with(func(k *remoteKey) { k.public.KeyID = "a" }),
		"a public part without a use":               with(func(k *remoteKey) { k.public.Use = "" }),
		"a public part of another algorithm":        with(func(k *remoteKey) { k.algorithm = "RS256" }),
		"a public part that is a private key": with(func(k *remoteKey) {
			raw := append(make([]byte, 31), 1)
			k.public.Key, _ = ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
		}),
		"a public part that is a shared secret": with(func(k *remoteKey) { k.public.Key = []byte("secret") }),
		"no public part":                        with(func(k *remoteKey) { k.public.Key = nil }),
	}
	for sentence, keys := range tests {
		t.Run(sentence, func(t *testing.T) {
			if set, err := signer.NewKeys(keys...); err == nil {
				t.Errorf("accepted: %s", set.JWKS())
			}
		})
	}
}

func TestJWKSHasExactlyThePublicMembersAndOrder(t *testing.T) {
	key, err := signer.ParseKey(vectorName, []byte(vectorFile))
	if err != nil {
		t.Fatal(err)
	}
	early := newRemote(t, 1, epoch.AddDate(-1, 0, 0))
	keys, err := signer.NewKeys(key, early)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Keys []map[string]any }
	if err := json.Unmarshal(keys.JWKS(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Keys) != 2 || got.Keys[0]["kid"] != early.kid {
		t.Fatalf("keys or their order: %s", keys.JWKS())
	}
	want := map[string]any{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
		"kid": vectorKID, "x": vectorX, "y": vectorY,
	}
	if diff := cmp.Diff(want, got.Keys[1]); diff != "" {
		t.Error(diff)
	}
}

func TestACallerCannotChangeTheSet(t *testing.T) {
	keys, err := signer.NewKeys(newRemote(t, 1, epoch), newRemote(t, 2, epoch))
	if err != nil {
		t.Fatal(err)
	}
	before := string(keys.JWKS())
	clear(keys.JWKS())
	clear(keys.All())
	if string(keys.JWKS()) != before || keys.All()[0] == nil {
		t.Error("the set changed")
	}
}

func TestNoEncodingShowsThePrivatePart(t *testing.T) {
	key, err := signer.ParseKey(vectorName, []byte(vectorFile))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signer.NewKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := base64.RawURLEncoding.DecodeString(vectorD)
	if err != nil {
		t.Fatal(err)
	}
	decimals := strings.Trim(fmt.Sprint(scalar), "[]")
	secrets := []string{vectorD, hex.EncodeToString(scalar), base64.StdEncoding.EncodeToString(scalar), decimals, fmt.Sprintf("%d", scalarInt(scalar))}
	for _, algorithm := range signer.Algorithms() {
		_, content := keyFileOf(t, algorithm)
		scalar, err := base64.RawURLEncoding.DecodeString(jwkOf(t, content)["d"])
		if err != nil {
			t.Fatal(err)
		}
		inside := fmt.Sprintf("%v %s", struct{ hidden signer.Key }{keyOf(t, algorithm)}, struct{ hidden signer.Key }{keyOf(t, algorithm)})
		if strings.Contains(inside, strings.Trim(fmt.Sprint(scalar[:8]), "[]")) || strings.Contains(inside, fmt.Sprint(scalarInt(scalar))) {
			t.Errorf("%s shows the private part: %s", algorithm, inside)
		}
	}
	for _, value := range []any{key, keys, struct{ Key signer.Key }{key}, struct{ hidden any }{keys}} {
		encoded, _ := json.Marshal(value)
		shown := string(encoded)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown += fmt.Sprintf(verb, value)
		}
		for _, secret := range secrets {
			if strings.Contains(shown, secret) {
				t.Errorf("%T shows the private part: %s", value, shown)
			}
		}
	}
}
