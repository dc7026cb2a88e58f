package signer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// es256Key is a P-256 key held in memory.
type es256Key struct {
	kid       string
	created   time.Time
	signsFrom time.Time
	private   *ecdsa.PrivateKey
}

var errNotP256 = errors.New("is no private key on P-256 that fits its public part")

// newES256 checks that the private part is on P-256 and makes the public part
// it comes with. A signature under any other public part verifies nowhere.
func newES256(private *ecdsa.PrivateKey, created, signsFrom time.Time) (*es256Key, error) {
	scalar, err := private.Bytes()
	if err != nil {
		return nil, errNotP256
	}
	derived, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil || !derived.PublicKey.Equal(&private.PublicKey) {
		return nil, errNotP256
	}
	kid, err := thumbprint(jose.JSONWebKey{Key: &derived.PublicKey})
	if err != nil {
		return nil, err
	}
	return &es256Key{kid: kid, created: created, signsFrom: signsFrom, private: derived}, nil
}

func generateES256(created, signsFrom time.Time) (*es256Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("signer: making an ES256 key: %w", err)
	}
	return newES256(private, created, signsFrom)
}

func (k *es256Key) KID() string          { return k.kid }
func (k *es256Key) Algorithm() string    { return string(jose.ES256) }
func (k *es256Key) Created() time.Time   { return k.created }
func (k *es256Key) SignsFrom() time.Time { return k.signsFrom }

func (k *es256Key) Public() jose.JSONWebKey {
	public := k.private.PublicKey
	return jose.JSONWebKey{Key: &public, KeyID: k.kid, Algorithm: k.Algorithm(), Use: "sig"}
}

// Sign implements RFC 7518 section 3.4.
func (k *es256Key) Sign(_ context.Context, input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return nil, fmt.Errorf("signer: key %s: signing failed", k.kid)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature, nil
}

// Format answers every fmt verb with the key's name, so that no verb walks into
// the private part.
func (k *es256Key) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "ES256 signing key "+k.kid)
}
