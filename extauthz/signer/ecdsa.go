package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
)

// ecdsaMethod is ECDSA on one curve, RFC 7518 section 3.4.
type ecdsaMethod struct {
	curve elliptic.Curve
	name  string
	hash  crypto.Hash
}

var (
	p256 = ecdsaMethod{elliptic.P256(), "P-256", crypto.SHA256}
	p384 = ecdsaMethod{elliptic.P384(), "P-384", crypto.SHA384}
)

// size is the length of a coordinate, of a scalar and of half a signature.
func (m ecdsaMethod) size() int { return m.curve.Params().BitSize / 8 }

func (m ecdsaMethod) shape() string { return "kty EC and crv " + m.name }

func (m ecdsaMethod) fits(jwk object) bool {
	return jwk.text("kty") == "EC" && jwk.text("crv") == m.name
}

func (m ecdsaMethod) members() []string { return []string{"kty", "crv", "x", "y", "d"} }

// read derives the public part from the private one: a signature under any
// other public part verifies nowhere.
func (m ecdsaMethod) read(jwk object) (crypto.Signer, error) {
	fault := errors.New("is no private key on " + m.name + " that fits its public part")
	point := []byte{4} // uncompressed, SEC 1 section 2.3.3
	for _, name := range []string{"x", "y"} {
		coordinate, ok := octets(jwk.text(name))
		if !ok || len(coordinate) != m.size() {
			return nil, fault
		}
		point = append(point, coordinate...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(m.curve, point)
	if err != nil {
		return nil, fault
	}
	scalar, ok := octets(jwk.text("d"))
	if !ok || len(scalar) != m.size() {
		return nil, fault
	}
	private, err := ecdsa.ParseRawPrivateKey(m.curve, scalar)
	if err != nil || !private.PublicKey.Equal(public) {
		return nil, fault
	}
	return private, nil
}

func (m ecdsaMethod) generate() (crypto.Signer, error) {
	return ecdsa.GenerateKey(m.curve, rand.Reader)
}

func (m ecdsaMethod) sign(private crypto.Signer, input []byte) ([]byte, error) {
	key, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a %T does not sign with ECDSA", private)
	}
	digest := m.hash.New()
	digest.Write(input)
	r, s, err := ecdsa.Sign(rand.Reader, key, digest.Sum(nil))
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 2*m.size())
	r.FillBytes(signature[:m.size()])
	s.FillBytes(signature[m.size():])
	return signature, nil
}

func (m ecdsaMethod) verifies(public any) bool {
	key, ok := public.(*ecdsa.PublicKey)
	return ok && key.Curve == m.curve
}
