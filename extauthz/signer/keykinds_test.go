package signer_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// jwkOf returns the JWK in a key file.
func jwkOf(t *testing.T, content string) map[string]string {
	t.Helper()
	var file struct{ Key map[string]string }
	if err := json.Unmarshal([]byte(content), &file); err != nil {
		t.Fatal(err)
	}
	return file.Key
}

// fileOf writes a key file around a JWK.
func fileOf(t *testing.T, jwk map[string]string) string {
	t.Helper()
	content, err := json.Marshal(map[string]any{"created": "2026-01-02T03:04:05Z", "signsFrom": "2026-01-02T03:04:05Z", "key": jwk})
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestParseKeyRefusesOfEachKind(t *testing.T) {
	const (
		p384    = "is no private key on P-384"
		rsaKey  = "is no RSA private key"
		bits    = "n: is not of 2048 to 8192 bits"
		ed25519 = "is no private key of Ed25519"
	)
	tests := map[string]struct {
		algorithm signer.Algorithm
		change    func(jwk map[string]string)
		says      string
	}{
		"P-384 with a private part of another key":     {signer.ES384, func(k map[string]string) { k["d"] = "A" + k["d"][1:] }, p384},
		"P-384 with a private part of 32 octets":       {signer.ES384, func(k map[string]string) { k["d"] = k["d"][:43] }, p384},
		"P-384 with a private part with a line break":  {signer.ES384, func(k map[string]string) { k["d"] += "\n" }, p384},
		"P-384 with a coordinate that lost its zero":   {signer.ES384, func(k map[string]string) { k["x"] = k["x"][4:] }, p384},
		"P-384 that claims to be P-256":                {signer.ES384, func(k map[string]string) { k["crv"] = "P-256" }, "kty EC and crv P-384"},
		"P-384 with a member of RSA":                   {signer.ES384, func(k map[string]string) { k["n"] = "AQAB" }, "a member other than"},
		"Ed25519 with the public part of another key":  {signer.EdDSA, func(k map[string]string) { k["x"] = "A" + k["x"][1:] }, ed25519},
		"Ed25519 with a seed of another key":           {signer.EdDSA, func(k map[string]string) { k["d"] = "A" + k["d"][1:] }, ed25519},
		"Ed25519 with seed and public part in d":       {signer.EdDSA, func(k map[string]string) { k["d"] = k["d"][:40] + k["x"] + "AA" }, ed25519},
		"Ed25519 with y as another curve has":          {signer.EdDSA, func(k map[string]string) { k["y"] = k["x"] }, "a member other than"},
		"X25519, which is for encryption":              {signer.EdDSA, func(k map[string]string) { k["crv"] = "X25519" }, "crv Ed25519"},
		"Ed25519 without its private part":             {signer.EdDSA, func(k map[string]string) { delete(k, "d") }, "only the public part"},
		"RSA without its private part":                 {signer.PS256, func(k map[string]string) { delete(k, "d") }, "only the public part"},
		"RSA without its primes":                       {signer.PS256, func(k map[string]string) { delete(k, "p"); delete(k, "q") }, rsaKey},
		"RSA with its primes exchanged":                {signer.PS256, func(k map[string]string) { k["p"], k["q"] = k["q"], k["p"] }, rsaKey},
		"RSA with a prime of another key":              {signer.RS256, func(k map[string]string) { k["p"] = k["q"] }, rsaKey},
		"RSA with 1 for a prime":                       {signer.RS256, func(k map[string]string) { k["p"], k["q"] = "AQ", k["n"] }, rsaKey},
		"RSA with another exponent for p":              {signer.RS256, func(k map[string]string) { k["dp"] = k["dq"] }, rsaKey},
		"RSA with another coefficient":                 {signer.RS256, func(k map[string]string) { k["qi"] = k["dp"] }, rsaKey},
		"RSA with another private exponent":            {signer.RS256, func(k map[string]string) { k["d"] = k["n"] }, rsaKey},
		"RSA with a leading zero":                      {signer.RS256, func(k map[string]string) { k["n"] = "AAAA" + k["n"] }, bits},
		"RSA without a modulus":                        {signer.RS256, func(k map[string]string) { delete(k, "n") }, bits},
		"RSA with a modulus of 16384 bits":             {signer.RS256, func(k map[string]string) { k["n"] = strings.Repeat("_", 2731) }, bits},
		"RSA with a private exponent of 16384 bits":    {signer.RS256, func(k map[string]string) { k["d"] = strings.Repeat("8", 2732) }, rsaKey},
		"RSA with the exponent 3":                      {signer.RS256, func(k map[string]string) { k["e"] = "Aw" }, "e: is not 65537"},
		"RSA with an exponent beyond any":              {signer.RS256, func(k map[string]string) { k["e"] = k["n"] }, "e: is not 65537"},
		"RSA with three primes":                        {signer.RS256, func(k map[string]string) { k["oth"] = "" }, "a member other than"},
		"RSA with an algorithm that is not offered":    {signer.RS256, func(k map[string]string) { k["alg"] = "RS512" }, "alg: is not ES256, ES384, PS256, RS256 or EdDSA"},
		"RSA for a shared secret's algorithm":          {signer.RS256, func(k map[string]string) { k["alg"] = "HS256" }, "alg: is not"},
		"RSA with the algorithm that is none":          {signer.RS256, func(k map[string]string) { k["alg"] = "none" }, "alg: is not"},
		"a shared secret":                              {signer.RS256, func(k map[string]string) { k["kty"], k["k"] = "oct", "AQAB" }, "kty RSA"},
		"RSA for encryption":                           {signer.PS256, func(k map[string]string) { k["use"] = "enc" }, "use: is not sig"},
		"RSA with the kid of another":                  {signer.PS256, func(k map[string]string) { k["kid"] = vectorKID }, "kid: differs"},
		"Ed25519 with operations beside use":           {signer.EdDSA, func(k map[string]string) { k["key_ops"] = "sign" }, "a member other than"},
		"Ed25519 with certificates that nobody checks": {signer.EdDSA, func(k map[string]string) { k["x5c"] = "" }, "a member other than"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			name, content := keyFileOf(t, test.algorithm)
			jwk := jwkOf(t, content)
			secrets := []string{jwk["d"], jwk["p"], jwk["q"], jwk["dp"], jwk["dq"], jwk["qi"]}
			test.change(jwk)
			_, err := signer.ParseKey(name, []byte(fileOf(t, jwk)))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.HasPrefix(err.Error(), name+": key: ") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q, want one that begins with the file's name and says %q", err, test.says)
			}
			for _, secret := range secrets {
				if secret != "" && strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the private key: %v", err)
				}
			}
		})
	}
}

func TestAnRSAKeyOf1024BitsIsRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	text := func(n *big.Int) string { return rawURL(n.Bytes()) }
	jwk := map[string]string{
		"kty": "RSA", "alg": "PS256", "use": "sig", "kid": vectorKID, "n": text(key.N), "e": "AQAB", "d": text(key.D),
		"p": text(key.Primes[0]), "q": text(key.Primes[1]),
		"dp": text(key.Precomputed.Dp), "dq": text(key.Precomputed.Dq), "qi": text(key.Precomputed.Qinv),
	}
	_, err = signer.ParseKey(vectorName, []byte(fileOf(t, jwk)))
	if err == nil || !strings.Contains(err.Error(), "n: is not of 2048 to 8192 bits") {
		t.Errorf("error %v", err)
	}
}
