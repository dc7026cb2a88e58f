package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Algorithm is a JWS algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1) that
// keys of a folder sign with. There is none with a shared secret: whoever
// verifies tokens must not be able to make them.
type Algorithm string

// The algorithms. The zero value stands for [ES256].
const (
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	PS256 Algorithm = "PS256"
	RS256 Algorithm = "RS256"
	// EdDSA is with Ed25519 and no other curve.
	EdDSA Algorithm = "EdDSA"
)

// Algorithms returns the closed set, the standard one first.
func Algorithms() []Algorithm { return []Algorithm{ES256, ES384, PS256, RS256, EdDSA} }

func algorithmNames() string { return alternatives(Algorithms()) }

// alternatives is "a, b or c".
func alternatives(algorithms []Algorithm) string {
	names := make([]string, len(algorithms))
	for i, algorithm := range algorithms {
		names[i] = string(algorithm)
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// permit is an error for an algorithm of ours that is not allowed here.
func (o Options) permit(algorithm Algorithm) error {
	if o.Allowed == nil || slices.Contains(o.Allowed, algorithm) {
		return nil
	}
	return fmt.Errorf("alg: %s is not allowed here, want %s", algorithm, alternatives(o.Allowed))
}

// method is how keys of one algorithm are made, read, written and used.
type method interface {
	// shape says which JWK fits, as "kty EC and crv P-256"; fits says whether
	// one does.
	shape() string
	fits(jwk object) bool
	// members are those of the JWK that hold the key.
	members() []string
	// read makes the key of a JWK that fits and has no other members.
	read(jwk object) (crypto.Signer, error)
	generate() (crypto.Signer, error)
	// sign returns the raw JWS signature over input.
	sign(private crypto.Signer, input []byte) ([]byte, error)
	// verifies reports whether tokens of the algorithm may be verified with the
	// public key: RFC 8725 section 3.1.
	verifies(public any) bool
}

// methodOf returns nil for an algorithm outside the set.
func methodOf(algorithm Algorithm) method {
	switch algorithm {
	case ES256, "":
		return p256
	case ES384:
		return p384
	case PS256, RS256:
		return rsaMethod{algorithm}
	case EdDSA:
		return ed25519Method{}
	}
	return nil
}

// newKey makes a key. It is slow for RSA, a second and more.
func newKey(options Options, created, signsFrom time.Time) (*localKey, error) {
	algorithm := options.Algorithm
	if algorithm == "" {
		algorithm = ES256
	}
	how := methodOf(algorithm)
	if how == nil {
		return nil, fmt.Errorf("signer: %q is no algorithm of ours; want %s", string(algorithm), algorithmNames())
	}
	if err := options.permit(algorithm); err != nil {
		return nil, fmt.Errorf("signer: making a key: %w", err)
	}
	private, err := how.generate()
	if err != nil {
		return nil, fmt.Errorf("signer: making an %s key: %w", algorithm, err)
	}
	return newLocal(algorithm, private, created, signsFrom)
}

// publicOf is the public part as go-jose, and through it every verifier, takes
// it: a pointer, but for Ed25519.
func publicOf(private crypto.Signer) any {
	switch public := private.Public().(type) {
	case *ecdsa.PublicKey:
		return public
	case *rsa.PublicKey:
		return public
	case ed25519.PublicKey:
		return public
	}
	return nil
}

func publicJWK(algorithm Algorithm, private crypto.Signer, kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: publicOf(private), KeyID: kid, Algorithm: string(algorithm), Use: "sig"}
}
