package signer

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
)

// ed25519Method is EdDSA with Ed25519, RFC 8037 section 3.1.
type ed25519Method struct{}

var errNotEd25519 = errors.New("is no private key of Ed25519 that fits its public part")

func (ed25519Method) shape() string { return "kty OKP and crv Ed25519" }

func (ed25519Method) fits(jwk object) bool {
	return jwk.text("kty") == "OKP" && jwk.text("crv") == "Ed25519"
}

func (ed25519Method) members() []string { return []string{"kty", "crv", "x", "d"} }

func (ed25519Method) read(jwk object) (crypto.Signer, error) {
	seed, ok := octets(jwk.text("d"))
	if !ok || len(seed) != ed25519.SeedSize {
		return nil, errNotEd25519
	}
	private := ed25519.NewKeyFromSeed(seed)
	public, ok := octets(jwk.text("x"))
	if !ok || !bytes.Equal(public, private[ed25519.SeedSize:]) {
		return nil, errNotEd25519
	}
	return private, nil
}

func (ed25519Method) generate() (crypto.Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return private, err
}

// sign is over the input itself: Ed25519 hashes by its own rule.
func (ed25519Method) sign(private crypto.Signer, input []byte) ([]byte, error) {
	key, ok := private.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a %T does not sign with Ed25519", private)
	}
	return ed25519.Sign(key, input), nil
}

func (ed25519Method) verifies(public any) bool {
	key, ok := public.(ed25519.PublicKey)
	return ok && len(key) == ed25519.PublicKeySize
}
