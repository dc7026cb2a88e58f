package integration_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func conformanceE(t *testing.T, s *stand) {
	holds(t, "E1 the key set has public keys, each with its kid, use and alg", func(t *testing.T) {
		seen := make(map[any]bool)
		for _, key := range s.jwks(t) {
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
				if _, leaked := key[private]; leaked {
					t.Errorf("a key has %s", private)
				}
			}
			if key["kty"] == nil || key["use"] != "sig" || key["alg"] == nil || key["kid"] == "" || seen[key["kid"]] {
				t.Errorf("a key has kty %v, use %v, alg %v, kid %v", key["kty"], key["use"], key["alg"], key["kid"])
			}
			seen[key["kid"]] = true
		}
	})
	holds(t, "E2 keys are large enough and written at their full length", s.e2)
	holds(t, "E3 kid is the key's thumbprint, and a new key is published before it signs", s.e3)
	holds(t, "E4 a signature counts by the algorithm of its key alone", s.e4)
	holds(t, "E5 a signed token is held to its claims, in one reading", s.e5)
	holds(t, "E6 nothing in a token chooses the key but a kid of ours", s.e6)
	holds(t, "E7 a token that is too long or too deep is refused unread", func(t *testing.T) {
		s.refusesToken(t, s.world.forge(t, nil, values{"cnf": boundTo(s.lab), "padding": strings.Repeat("x", 17<<10)}), s.lab, "token_malformed")
		deep := strings.Repeat(`{"a":`, 3000) + "1" + strings.Repeat("}", 3000)
		good := toJSON(t, s.world.usualClaims().onTop(values{"cnf": boundTo(s.lab)}))
		s.refusesToken(t, s.world.signed(t, deep, good), s.lab, "token_malformed")
	})
}

// jwks are the published keys, member by member.
func (s site) jwks(t *testing.T) []map[string]any {
	t.Helper()
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(s.get(t, "/.well-known/jwks.json", nil).body), &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("%d keys, %v", len(set.Keys), err)
	}
	return set.Keys
}

// e2 looks at EC and RSA keys; signer's own tests do at every kind.
func (s *stand) e2(t *testing.T) {
	for through, sizes := range map[*site]map[string]int{&s.site: {"x": 32, "y": 32}, &s.front.site: {"n": 256}, &s.profile.site: {"n": 256}} {
		for _, key := range through.jwks(t) {
			for member, size := range sizes {
				text, _ := key[member].(string)
				if raw, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil || len(raw) < size || member != "n" && len(raw) != size {
					t.Errorf("%v: %s has %d octets, want %d: %v", key["alg"], member, len(raw), size, err)
				}
			}
		}
	}
}

func (s *stand) e3(t *testing.T) {
	before := s.world.signingKey(t).KID()
	mustRun(t, "keys", "rotate", "--config", s.world.config)
	eventually(t, "the new key is published", func() bool { return len(s.jwks(t)) == 2 })
	head, _ := opened(t, s.tokenFor(t, "lab", presents(s.lab)))
	if head["kid"] != before {
		t.Errorf("the new key signs at once")
	}
	for _, key := range s.jwks(t) {
		var parsed jose.JSONWebKey
		if err := parsed.UnmarshalJSON([]byte(toJSON(t, key))); err != nil {
			t.Fatal(err)
		}
		sum, err := parsed.Thumbprint(crypto.SHA256)
		if err != nil || key["kid"] != base64.RawURLEncoding.EncodeToString(sum) {
			t.Errorf("kid is %v, and the thumbprint another: %v", key["kid"], err)
		}
	}
}

// e4 signs what a verifier would accept that took the token's word for its
// algorithm (RFC 8725 sections 2.1 and 3.1).
func (s *stand) e4(t *testing.T) {
	key := s.world.signingKey(t)
	claims := toJSON(t, s.world.usualClaims().onTop(values{"cnf": boundTo(s.lab)}))
	input := func(alg string) string {
		head := toJSON(t, values{"alg": alg, "kid": key.KID(), "typ": "at+jwt"})
		return base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	}
	public := key.Public()
	der, err := x509.MarshalPKIXPublicKey(public.Key)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := public.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for what, secret := range map[string][]byte{"PEM": asPEM, "DER": der, "JWK": jwk, "kid": []byte(key.KID()), "nothing": nil} {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input("HS256")))
		t.Run("HS256 with the public key as secret, "+what, func(t *testing.T) {
			s.refusesToken(t, input("HS256")+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), s.lab, "token_signature_invalid")
		})
	}
	for _, alg := range []string{"none", "None", "", "ES384", "RS256", "PS256", "EdDSA"} {
		t.Run("alg "+alg+" with a key for ES256", func(t *testing.T) {
			s.refusesToken(t, s.world.forge(t, values{"alg": alg}, values{"cnf": boundTo(s.lab)}), s.lab, "token_signature_invalid")
		})
		t.Run("alg "+alg+" without a signature", func(t *testing.T) {
			s.refusesToken(t, input(alg)+".", s.lab, "token_signature_invalid")
		})
	}
}

func (s *stand) e5(t *testing.T) {
	now := time.Now().Unix()
	bound := values{"cnf": boundTo(s.lab)}
	for sentence, c := range map[string]struct {
		claims values
		reason string
	}{
		"another issuer":                {values{"iss": "https://other.example"}, "token_issuer_wrong"},
		"no issuer":                     {values{"iss": nil}, "token_issuer_wrong"},
		"another audience":              {values{"aud": "https://other.example"}, "token_audience_wrong"},
		"no audience":                   {values{"aud": nil}, "token_malformed"},
		"the issuer as audience":        {values{"aud": "https://localhost:8443"}, "token_audience_wrong"},
		"an end that was":               {values{"exp": now - 1}, "token_expired"},
		"no end":                        {values{"exp": nil}, "token_malformed"},
		"an end as text":                {values{"exp": fmt.Sprint(now + 600)}, "token_malformed"},
		"a beginning a minute from now": {values{"iat": now + 61}, "token_not_yet_valid"},
		"a beginning as text":           {values{"iat": "now"}, "token_malformed"},
		"nbf, which ours have not":      {values{"nbf": now + 600}, "token_malformed"},
		"no jti":                        {values{"jti": nil}, "token_malformed"},
		"another subject":               {values{"sub": "other"}, "token_malformed"},
		"another use":                   {values{"token_use": "injected"}, "token_type_wrong"},
		"no use":                        {values{"token_use": nil}, "token_malformed"},
	} {
		t.Run(sentence, func(t *testing.T) { s.refusesToken(t, s.world.forge(t, nil, bound.and(c.claims)), s.lab, c.reason) })
	}
	t.Run("crit", func(t *testing.T) {
		s.refusesToken(t, s.world.forge(t, values{"crit": []string{"exp"}}, bound), s.lab, "token_malformed")
	})
	good := toJSON(t, s.world.usualClaims().onTop(bound))
	head := toJSON(t, values{"alg": "ES256", "kid": s.world.signingKey(t).KID(), "typ": "at+jwt"})
	for sentence, texts := range map[string][2]string{
		"a claim twice":               {head, strings.Replace(good, "{", `{"client_id":"other",`, 1)},
		"a claim in another spelling": {head, strings.Replace(good, `"cnf"`, `"CNF"`, 1)},
		"a header twice":              {strings.Replace(head, "{", `{"alg":"none",`, 1), good},
		"claims that are two values":  {head, good + good},
		"claims that are none":        {head, "null"},
	} {
		t.Run(sentence, func(t *testing.T) {
			reason := "token_malformed"
			if strings.Contains(texts[1], "CNF") {
				reason = "token_unbound"
			}
			s.refusesToken(t, s.world.signed(t, texts[0], texts[1]), s.lab, reason)
		})
	}
}

// e6 has a token say where its key is: the key of whoever sends it.
func (s *stand) e6(t *testing.T) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kid := s.world.signingKey(t).KID()
	jwk, err := (&jose.JSONWebKey{Key: own.Public(), KeyID: kid, Algorithm: "ES256"}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	certificate := selfSigned(t, testca.Template{CommonName: "signer", Key: own})
	for name, value := range map[string]any{
		"jwk": json.RawMessage(jwk), "jku": s.base + "/jwks.json", "x5u": s.base + "/x5u.pem",
		"x5c": []string{base64.StdEncoding.EncodeToString(certificate.Certificate.Raw)}, "": nil,
	} {
		for whose, id := range map[string]string{"ours": kid, "its own": "its-own"} {
			head := values{"alg": "ES256", "kid": id, "typ": "at+jwt"}
			reason := "token_signature_invalid"
			if name != "" {
				head[name], reason = value, "token_malformed"
			}
			t.Run("by "+orElse(name, "nothing")+" and a kid that is "+whose, func(t *testing.T) {
				claims := toJSON(t, s.world.usualClaims().onTop(values{"cnf": boundTo(s.lab)}))
				s.refusesToken(t, signedBy(t, own, toJSON(t, head), claims), s.lab, reason)
			})
		}
	}
}

// signedBy signs with a key that nobody knows.
func signedBy(t *testing.T, key *ecdsa.PrivateKey, head, claims string) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(input))
	r, second, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	second.FillBytes(signature[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}
