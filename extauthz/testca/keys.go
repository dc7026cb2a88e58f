package testca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
)

// KeyKind is an algorithm with its size or curve. The zero value is P256.
type KeyKind int

// The kinds of key that NewKey makes, weak ones (RSA1024, P224) included.
const (
	P256 KeyKind = iota
	P224
	P384
	P521
	RSA1024
	RSA2048
	RSA3072
	Ed25519
)

// NewKey makes a private key from the system's randomness.
func NewKey(kind KeyKind) (crypto.Signer, error) {
	switch kind {
	case P224:
		return ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case RSA1024:
		return rsa.GenerateKey(rand.Reader, 1024)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	default:
		return nil, fmt.Errorf("testca: no key kind %d", int(kind))
	}
}
