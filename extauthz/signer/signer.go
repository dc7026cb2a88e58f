// Package signer owns the keys that sign access tokens: their files, the order
// in which they take over from each other, and the JSON Web Key Set by which
// others verify what they signed.
//
// [Open] reads a folder of key files and yields [Keys], an immutable set that a
// published state carries. Every key of the set is in the JWKS, also one that
// does not sign yet: a new key is published first and used later, so that
// verifiers know it when its first token arrives (RFC 7517 section 4.5), and one
// that signs no more stays until its last token has expired. [Rotate] and a
// [Keeper], which also notices what others change, have keys follow each other
// by the times of a [Rotation]; [RemoveCompromised] takes one away at once, and
// a Keeper takes one out of use whose file is gone, whatever else is faulty. All
// of them take the lock of the folder, write whole files, and remove a key only
// when what takes its place is on the disk, so that processes may share a folder
// and be killed at any moment.
//
// Beside them the folder holds [StatementKeys], secrets that replicas share and
// that are in no JWKS. [ReplaceStatement] replaces one at once.
//
// Private keys stay inside. No error, no fmt verb and no JSON encoding of this
// package's values shows any part of one.
package signer

import (
	"context"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ErrNoSigningKey says that no key of the set may sign at the time asked for.
var ErrNoSigningKey = errors.New("signer: no key may sign at this time")

// ErrNoKeys says that a folder holds no key and none was to be made.
var ErrNoKeys = errors.New("signer: no signing key")

// Key signs access tokens. Private parts may be elsewhere, in a key management
// service for instance: only Sign needs them, and it is given a context.
type Key interface {
	// KID is the key's name: its RFC 7638 thumbprint, SHA-256, base64url
	// without padding, 43 characters.
	KID() string
	// Algorithm is the JWS "alg" value (RFC 7518 section 3.1), such as "ES256".
	Algorithm() string
	// Created is when the key was made.
	Created() time.Time
	// SignsFrom is the first moment at which the key may sign.
	SignsFrom() time.Time
	// Public is the public part with kid, alg and use "sig".
	Public() jose.JSONWebKey
	// Sign returns the JWS signature (RFC 7515 section 5.1) over input, which
	// is the JWS signing input, not its digest. The result is raw, not
	// base64url: for ES256 the 64 bytes R || S of RFC 7518 section 3.4. It is
	// safe for concurrent use.
	Sign(ctx context.Context, input []byte) ([]byte, error)
}
