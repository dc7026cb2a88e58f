package signer

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// localKey is a key whose private part is in memory.
type localKey struct {
	kid       string
	algorithm Algorithm
	created   time.Time
	signsFrom time.Time
	private   *privatePart
}

// privatePart keeps the key one pointer further away than fmt follows: where a
// struct has a localKey in a field of its own, fmt calls no method of it, and
// with a verb that fits none it prints what the first pointer leads to. An
// Ed25519 key is a slice, which it would show.
type privatePart struct{ crypto.Signer }

func newLocal(algorithm Algorithm, private crypto.Signer, created, signsFrom time.Time) (*localKey, error) {
	kid, err := thumbprint(publicJWK(algorithm, private, ""))
	if err != nil {
		return nil, err
	}
	return &localKey{kid: kid, algorithm: algorithm, created: created, signsFrom: signsFrom, private: &privatePart{private}}, nil
}

func (k *localKey) KID() string             { return k.kid }
func (k *localKey) Algorithm() string       { return string(k.algorithm) }
func (k *localKey) Created() time.Time      { return k.created }
func (k *localKey) SignsFrom() time.Time    { return k.signsFrom }
func (k *localKey) Public() jose.JSONWebKey { return publicJWK(k.algorithm, k.private.Signer, k.kid) }

// Sign implements RFC 7515 section 5.1, step 5. The cause of a failure is left
// out: it may say something of the key.
func (k *localKey) Sign(_ context.Context, input []byte) ([]byte, error) {
	signature, err := methodOf(k.algorithm).sign(k.private.Signer, input)
	if err != nil {
		return nil, fmt.Errorf("signer: key %s: signing failed", k.kid)
	}
	return signature, nil
}

// from is the same key with another beginning.
func (k *localKey) from(signsFrom time.Time) *localKey {
	other := *k
	other.signsFrom = signsFrom
	return &other
}

// Format answers every fmt verb with the key's name, so that no verb walks into
// the private part.
func (k *localKey) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, string(k.algorithm)+" signing key "+k.kid)
}
