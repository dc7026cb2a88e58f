package signer_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// keyFileOf returns name and content of a key file that was made without Go:
// those of RSA and P-384 by openssl, that of Ed25519 in RFC 8037 appendix A.
func keyFileOf(t testing.TB, algorithm signer.Algorithm) (name, content string) {
	t.Helper()
	if algorithm == signer.ES256 {
		return vectorName, vectorFile
	}
	found, err := filepath.Glob(filepath.Join("testdata", "keys", string(algorithm), "*.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", algorithm, found, err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(found[0]), string(data)
}

func keyOf(t testing.TB, algorithm signer.Algorithm) signer.Key {
	t.Helper()
	name, content := keyFileOf(t, algorithm)
	key, err := signer.ParseKey(name, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func everyAlgorithm(t *testing.T, test func(*testing.T, signer.Algorithm)) {
	for _, algorithm := range signer.Algorithms() {
		t.Run(string(algorithm), func(t *testing.T) { test(t, algorithm) })
	}
}

// mustVerify has go-jose verify a signature by a set as it is served, with
// nothing but the key's own algorithm allowed.
func mustVerify(t *testing.T, key signer.Key, jwks []byte) {
	t.Helper()
	header := rawURL([]byte(`{"alg":"` + key.Algorithm() + `","kid":"` + key.KID() + `"}`))
	input := header + "." + rawURL([]byte(`{"sub":"lab-partner"}`))
	signature, err := key.Sign(t.Context(), []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(input+"."+rawURL(signature), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm())})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(&set); err != nil {
		t.Errorf("%s does not verify by %s: %v", key.Algorithm(), jwks, err)
	}
}

func TestWhatAKeyFromElsewhereSignsVerifies(t *testing.T) {
	everyAlgorithm(t, func(t *testing.T, algorithm signer.Algorithm) {
		key := keyOf(t, algorithm)
		if key.Algorithm() != string(algorithm) {
			t.Errorf("algorithm %s", key.Algorithm())
		}
		keys, err := signer.NewKeys(key)
		if err != nil {
			t.Fatal(err)
		}
		mustVerify(t, key, keys.JWKS())
	})
}

func TestAKeyThatIsMadeIsReadBackAndVerifies(t *testing.T) {
	everyAlgorithm(t, func(t *testing.T, algorithm signer.Algorithm) {
		dir := t.TempDir()
		made, err := signer.Open(t.Context(), dir, signer.Options{Generate: true, Algorithm: algorithm})
		if err != nil {
			t.Fatal(err)
		}
		read, err := signer.Open(t.Context(), dir, signer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !read.Equal(made) || read.All()[0].Algorithm() != string(algorithm) {
			t.Errorf("made %v, read %v", made.All(), read.All())
		}
		mustVerify(t, read.All()[0], made.JWKS())
	})
}

func TestAnRSAKeyThatIsMadeHas3072Bits(t *testing.T) {
	made, err := signer.Open(t.Context(), t.TempDir(), signer.Options{Generate: true, Algorithm: signer.PS256})
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []struct{ N string } }
	if err := json.Unmarshal(made.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys[0].N) != 512 { // 384 octets in base64
		t.Errorf("a modulus of %d characters", len(set.Keys[0].N))
	}
}

func TestNoKeyIsMadeForAnAlgorithmThatIsNotOurs(t *testing.T) {
	for _, algorithm := range []signer.Algorithm{"none", "HS256", "RS384", "es256", "Ed25519"} {
		dir := t.TempDir()
		if _, err := signer.Open(t.Context(), dir, signer.Options{Generate: true, Algorithm: algorithm}); err == nil {
			t.Errorf("%s was accepted", algorithm)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(files) > 0 {
			t.Errorf("%s: %q was made", algorithm, files)
		}
	}
}

// The signatures of algorithms that are not random: that of RSA by openssl, that
// of Ed25519 in RFC 8037 appendix A.4.
func TestSignaturesThatAreNotRandomAreTheKnownOnes(t *testing.T) {
	for algorithm, known := range map[signer.Algorithm]struct{ input, signature string }{
		signer.RS256: {"eyJhbGciOiJSUzI1NiJ9.e30",
			"BGrYOvg-nStP_j11m3U3IM90LR5_fsYTtlHiG9ieXV0U7Pmuwvic3LfKkv7KHkgOYnsuboXbpVojxtN6-v5IurQVJ1bYCxB6hYFxJpxdq9gpmG_i-Jk1P2GbWCku9l9SmBOOWMj7xp-apgV1rtXhCdQV-dZAPhKpsMtJPvUXrp1xIjGBlvVuvvg1PeZYa65oWyG-IQIfnR2N1yfMKSvyvGTtBUhBO53fLDKPIAUi_2_xqCawggPrDbXH-Kn-JhrYmuKAhLWobffukWNAty75c-y7b_TZkPQL1gEaIafQR2_fASxR6ppUKbrQ89V12ydmDBV19vqWtzR7c4k5tC2bJw"},
		signer.EdDSA: {"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
			"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
	} {
		signature, err := keyOf(t, algorithm).Sign(t.Context(), []byte(known.input))
		if err != nil || rawURL(signature) != known.signature {
			t.Errorf("%s: %s, %v", algorithm, rawURL(signature), err)
		}
	}
}

func TestTheJWKSHasThePublicMembersOfEachKindAndNoOthers(t *testing.T) {
	want := map[signer.Algorithm][]string{
		signer.ES256: {"alg", "crv", "kid", "kty", "use", "x", "y"},
		signer.ES384: {"alg", "crv", "kid", "kty", "use", "x", "y"},
		signer.PS256: {"alg", "e", "kid", "kty", "n", "use"},
		signer.RS256: {"alg", "e", "kid", "kty", "n", "use"},
		signer.EdDSA: {"alg", "crv", "kid", "kty", "use", "x"},
	}
	everyAlgorithm(t, func(t *testing.T, algorithm signer.Algorithm) {
		keys, err := signer.NewKeys(keyOf(t, algorithm))
		if err != nil {
			t.Fatal(err)
		}
		var set struct{ Keys []map[string]string }
		if err := json.Unmarshal(keys.JWKS(), &set); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[algorithm], slices.Sorted(maps.Keys(set.Keys[0]))); diff != "" {
			t.Error(diff)
		}
		if set.Keys[0]["alg"] != string(algorithm) || set.Keys[0]["use"] != "sig" {
			t.Errorf("%v", set.Keys[0])
		}
	})
}

func TestAKeyOfOneKindIsNoneOfAnother(t *testing.T) {
	for _, algorithm := range signer.Algorithms() {
		name, content := keyFileOf(t, algorithm)
		for _, other := range signer.Algorithms() {
			sameKind := algorithm == signer.PS256 && other == signer.RS256 || algorithm == signer.RS256 && other == signer.PS256
			_, err := signer.ParseKey(name, []byte(strings.Replace(content, `"`+string(algorithm)+`"`, `"`+string(other)+`"`, 1)))
			if accepted := algorithm == other || sameKind; accepted != (err == nil) {
				t.Errorf("a key for %s with alg %s: %v", algorithm, other, err)
			}
			if err != nil && !strings.Contains(err.Error(), "which alg "+string(other)+" takes") {
				t.Errorf("error %q", err)
			}
		}
	}
}

func TestASetTakesNoKeyThatDoesNotFitItsAlgorithm(t *testing.T) {
	for _, algorithm := range signer.Algorithms() {
		public := keyOf(t, algorithm).Public()
		for _, other := range []string{"ES256", "ES384", "ES512", "PS256", "PS384", "RS256", "EdDSA", "HS256", "none", ""} {
			key := remoteKey{kid: public.KeyID, algorithm: other, created: epoch, signsFrom: epoch, public: public}
			key.public.Algorithm = other
			_, isRSA := map[string]bool{"PS256": true, "RS256": true}[other]
			fits := other == string(algorithm) || isRSA && (algorithm == signer.PS256 || algorithm == signer.RS256)
			if _, err := signer.NewKeys(key); fits != (err == nil) {
				t.Errorf("a key for %s in the set as %q: %v", algorithm, other, err)
			}
		}
	}
}

// go-jose takes a salt of any length; other verifiers do not.
func TestTheSaltOfPS256HasTheLengthOfTheDigest(t *testing.T) {
	key := keyOf(t, signer.PS256)
	signature, err := key.Sign(t.Context(), []byte("a.b"))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("a.b"))
	options := &rsa.PSSOptions{SaltLength: sha256.Size}
	if err := rsa.VerifyPSS(key.Public().Key.(*rsa.PublicKey), crypto.SHA256, digest[:], signature, options); err != nil {
		t.Error(err)
	}
}
