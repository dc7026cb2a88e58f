package signer

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
)

const (
	// generatedRSABits is the size of RSA keys that are made: 128 bits of
	// strength, as the curves have (NIST SP 800-57 part 1, table 2).
	generatedRSABits = 3072
	// minRSABits is the least that RFC 7518 section 3.3 allows.
	minRSABits = 2048
	// maxRSABits bounds what a signature may cost: tens of milliseconds.
	maxRSABits = 8192
	// rsaExponent is the only public exponent accepted. Smaller ones have weak
	// uses, and larger ones only cost verifiers time.
	rsaExponent = 65537
)

// rsaMethod is RSASSA-PSS (RFC 7518 section 3.5) or RSASSA-PKCS1-v1_5 (3.3).
type rsaMethod struct{ algorithm Algorithm }

var (
	errNotRSA  = errors.New("is no RSA private key of two primes whose parts fit each other")
	errRSASize = fmt.Errorf("n: is not of %d to %d bits", minRSABits, maxRSABits)
	errRSAExp  = fmt.Errorf("e: is not %d", rsaExponent)
)

func (rsaMethod) shape() string        { return "kty RSA" }
func (rsaMethod) fits(jwk object) bool { return jwk.text("kty") == "RSA" }

func (rsaMethod) members() []string {
	return []string{"kty", "n", "e", "d", "p", "q", "dp", "dq", "qi"}
}

// read bounds every number before it calculates with any.
func (m rsaMethod) read(jwk object) (crypto.Signer, error) {
	part := map[string]*big.Int{}
	for _, name := range m.members()[1:] {
		value, ok := unsigned(jwk.text(name))
		if !ok || value.BitLen() > maxRSABits {
			return nil, rsaFault(name)
		}
		part[name] = value
	}
	switch {
	case part["n"].BitLen() < minRSABits:
		return nil, errRSASize
	case part["e"].Cmp(big.NewInt(rsaExponent)) != 0:
		return nil, errRSAExp
	}
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: part["n"], E: rsaExponent},
		D:         part["d"],
		Primes:    []*big.Int{part["p"], part["q"]},
	}
	key.Precompute()
	if key.Validate() != nil || !sameCRT(key, part) {
		return nil, errNotRSA
	}
	return key, nil
}

func rsaFault(name string) error {
	switch name {
	case "n":
		return errRSASize
	case "e":
		return errRSAExp
	}
	return errNotRSA
}

// sameCRT compares the members that could be calculated from the others: a
// reader that believed them must not sign with another key than we do.
func sameCRT(key *rsa.PrivateKey, part map[string]*big.Int) bool {
	computed := key.Precomputed
	return computed.Dp != nil && computed.Dq != nil && computed.Qinv != nil &&
		computed.Dp.Cmp(part["dp"]) == 0 && computed.Dq.Cmp(part["dq"]) == 0 && computed.Qinv.Cmp(part["qi"]) == 0
}

func (rsaMethod) generate() (crypto.Signer, error) {
	return rsa.GenerateKey(rand.Reader, generatedRSABits)
}

func (m rsaMethod) sign(private crypto.Signer, input []byte) ([]byte, error) {
	key, ok := private.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a %T does not sign with RSA", private)
	}
	digest := sha256.Sum256(input)
	if m.algorithm == RS256 {
		return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	}
	// The salt has the length of the digest.
	return rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}

func (rsaMethod) verifies(public any) bool {
	key, ok := public.(*rsa.PublicKey)
	return ok && key.N.BitLen() >= minRSABits && key.N.BitLen() <= maxRSABits
}
