package signer

import (
	"bytes"
	"cmp"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// MaxKeys is the most keys that one set holds.
const MaxKeys = 64

// Keys is an immutable set of keys, safe for concurrent use. A nil *Keys is an
// empty one.
type Keys struct {
	ordered []Key
	byKID   map[string]Key
	jwks    []byte
}

// NewKeys builds a set. Keys may come in any order. It refuses an empty set,
// more than [MaxKeys], a kid that stands twice or is not the key's thumbprint,
// an alg that is none of [Algorithms] or does not fit the key, and a key whose
// Public is not public or disagrees with the rest of it.
func NewKeys(keys ...Key) (*Keys, error) {
	if len(keys) == 0 {
		return nil, ErrNoKeys
	}
	if len(keys) > MaxKeys {
		return nil, fmt.Errorf("signer: %d keys, at most %d are allowed; remove keys whose last token has expired", len(keys), MaxKeys)
	}
	set := &Keys{ordered: slices.Clone(keys), byKID: make(map[string]Key, len(keys))}
	slices.SortFunc(set.ordered, compareKeys)
	published := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for _, key := range set.ordered {
		if err := checkPublic(key); err != nil {
			return nil, err
		}
		if set.byKID[key.KID()] != nil {
			return nil, fmt.Errorf("signer: key %s stands twice in the set", key.KID())
		}
		set.byKID[key.KID()] = key
		published.Keys = append(published.Keys, key.Public())
	}
	encoded, err := json.Marshal(published)
	if err != nil {
		return nil, fmt.Errorf("signer: encoding the key set: %w", err)
	}
	set.jwks = encoded
	return set, nil
}

// compareKeys orders by the time from which keys sign. The remaining criteria
// make replicas that read the same keys agree on the one that signs.
func compareKeys(a, b Key) int {
	return cmp.Or(
		a.SignsFrom().Compare(b.SignsFrom()),
		a.Created().Compare(b.Created()),
		cmp.Compare(a.KID(), b.KID()),
	)
}

func checkPublic(key Key) error {
	public := key.Public()
	if !public.IsPublic() || !public.Valid() {
		return fmt.Errorf("signer: key %s does not yield a valid public part", key.KID())
	}
	kid, err := thumbprint(public)
	if err != nil {
		return err
	}
	if kid != key.KID() || public.KeyID != kid || public.Algorithm != key.Algorithm() || public.Use != "sig" {
		return fmt.Errorf("signer: key %s: its kid, alg and use disagree with its public part %s", key.KID(), kid)
	}
	how := methodOf(Algorithm(key.Algorithm()))
	if key.Algorithm() == "" || how == nil || !how.verifies(public.Key) {
		return fmt.Errorf("signer: key %s: its public part does not verify alg %q", kid, key.Algorithm())
	}
	return nil
}

// thumbprint is the kid of a key, RFC 7638. The private part has no share in it.
func thumbprint(key jose.JSONWebKey) (string, error) {
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("signer: a key of an unknown kind has no thumbprint")
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Signing returns the key that signs at the given time: of those whose
// SignsFrom is not after it, the one with the latest. Without any it returns
// [ErrNoSigningKey].
func (k *Keys) Signing(at time.Time) (Key, error) {
	if k == nil {
		return nil, ErrNoSigningKey
	}
	for _, key := range slices.Backward(k.ordered) {
		if !key.SignsFrom().After(at) {
			return key, nil
		}
	}
	return nil, ErrNoSigningKey
}

// Key returns the key of that kid, whether it signs or is only published.
func (k *Keys) Key(kid string) (Key, bool) {
	if k == nil {
		return nil, false
	}
	key, ok := k.byKID[kid]
	return key, ok
}

// All returns the keys, the one that signs from the earliest time first. The
// slice is the caller's.
func (k *Keys) All() []Key {
	if k == nil {
		return nil
	}
	return slices.Clone(k.ordered)
}

// JWKS returns the JSON Web Key Set (RFC 7517 section 5) of the public parts in
// the order of [Keys.All]: the same keys always give the same bytes. The slice
// is the caller's. It is nil for a nil set.
func (k *Keys) JWKS() []byte {
	if k == nil {
		return nil
	}
	return bytes.Clone(k.jwks)
}

// Equal reports whether both sets hold the same keys with the same times, so
// that nothing changes if one takes the place of the other.
func (k *Keys) Equal(other *Keys) bool {
	return slices.EqualFunc(k.All(), other.All(), func(a, b Key) bool {
		return a.KID() == b.KID() && a.Algorithm() == b.Algorithm() &&
			a.SignsFrom().Equal(b.SignsFrom()) && a.Created().Equal(b.Created())
	})
}
