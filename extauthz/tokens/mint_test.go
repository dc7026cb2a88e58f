package tokens_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

// verify checks the signature with nothing but the JWKS, and returns all that
// stands in the token.
func verify(t *testing.T, keys *signer.Keys, token tokens.Token) (header, claims map[string]any) {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(token.Value.Reveal(), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := parsed.Verify(set)
	if err != nil {
		t.Fatal(err)
	}
	encoded, _, _ := strings.Cut(token.Value.Reveal(), ".")
	head, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(head, &header), json.Unmarshal(payload, &claims)); err != nil {
		t.Fatal(err)
	}
	return header, claims
}

func TestATokenHasExactlyTheseMembers(t *testing.T) {
	der := []byte("a certificate in DER, for all that SHA-256 knows")
	iat := float64(epoch.Unix())
	tests := map[string]struct {
		change func(*tokens.Request)
		typ    string
		differ func(claims map[string]any)
	}{
		"the profile of RFC 9068 with a bound certificate": {
			func(*tokens.Request) {}, "at+jwt", func(map[string]any) {},
		},
		"no cnf where the token is not to be bound": {
			func(r *tokens.Request) { r.Bind = tokens.BindNone }, "at+jwt",
			func(claims map[string]any) { delete(claims, "cnf") },
		},
		"no scope where none is granted": {
			func(r *tokens.Request) { r.Scope = nil }, "at+jwt",
			func(claims map[string]any) { delete(claims, "scope") },
		},
		"the type of RFC 7519 where the verifier knows no other": {
			func(r *tokens.Request) { r.Typ = tokens.TypJWT }, "JWT", func(map[string]any) {},
		},
		"a token for the client's own hands": {
			func(r *tokens.Request) { r.Use = tokens.UseAccess }, "at+jwt",
			func(claims map[string]any) { claims["token_use"] = "access" },
		},
		"the names of the certificates that are asked about": {
			func(r *tokens.Request) { r.Certificates = []string{"one", "two"} }, "at+jwt",
			func(claims map[string]any) { claims["cert_ids"] = []any{"one", "two"} },
		},
		"an end that is the certificate's, rounded down": {
			func(r *tokens.Request) { r.NotAfter = epoch.Add(time.Minute) }, "at+jwt",
			func(claims map[string]any) { claims["exp"] = iat + 60 },
		},
	}
	key := newKey(t, epoch)
	keys := newKeys(t, key)
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			request := newRequest()
			request.Thumbprint = sha256.Sum256(der)
			test.change(&request)
			token, err := tokens.Mint(t.Context(), key, request)
			if err != nil {
				t.Fatal(err)
			}
			header, claims := verify(t, keys, token)
			if diff := cmp.Diff(map[string]any{"alg": "ES256", "kid": key.KID(), "typ": test.typ}, header); diff != "" {
				t.Errorf("header: %s", diff)
			}
			want := map[string]any{
				"iss": "https://gateway.example", "aud": "https://fhir.example/R4",
				"sub": "lab-partner", "client_id": "lab-partner",
				"scope": "system/Patient.rs system/Claim.c",
				"iat":   iat, "exp": iat + 300, "jti": token.ID, "token_use": "injected",
				// printf %s 'a certificate in DER, …' | openssl dgst -sha256 -binary | basenc --base64url
				"cnf": map[string]any{"x5t#S256": "znCl0kflrVwm_63aTDKqW8yuUkzSyxHkjwpUGIfbtKo"},
			}
			test.differ(want)
			if diff := cmp.Diff(want, claims); diff != "" {
				t.Errorf("claims: %s", diff)
			}
			if token.IssuedAt.Unix() != int64(iat) || float64(token.Expires.Unix()) != claims["exp"] {
				t.Errorf("the token says %v to %v of itself", token.IssuedAt, token.Expires)
			}
		})
	}
}

func TestIDsAreLongAndNeverTheSame(t *testing.T) {
	key := newKey(t, epoch)
	seen := map[string]bool{}
	for range 50 {
		token, err := tokens.Mint(t.Context(), key, newRequest())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(token.ID)
		if err != nil || len(raw) < 16 || seen[token.ID] {
			t.Fatalf("jti %q: %d bytes, %v, seen %v", token.ID, len(raw), err, seen[token.ID])
		}
		seen[token.ID] = true
	}
}

func TestEndAndRenewal(t *testing.T) {
	second := epoch.Truncate(time.Second)
	tests := map[string]struct {
		lifetime time.Duration
		notAfter time.Time
		expires  time.Time
		renewAt  time.Time
	}{
		"a full life is renewed after four fifths":                      {5 * time.Minute, epoch.AddDate(1, 0, 0), second.Add(5 * time.Minute), second.Add(4 * time.Minute)},
		"a life cut short is renewed after four fifths of what is left": {5 * time.Minute, second.Add(10 * time.Second), second.Add(10 * time.Second), second.Add(8 * time.Second)},
		"the last second is a life too":                                 {5 * time.Minute, second.Add(time.Second), second.Add(time.Second), second.Add(800 * time.Millisecond)},
		"the longest life":                                              {tokens.MaxLifetime, epoch.AddDate(1, 0, 0), second.Add(tokens.MaxLifetime), second.Add(tokens.MaxLifetime / 5 * 4)},
		"an end far beyond what dates hold":                             {time.Hour, time.Unix(1<<60, 0), second.Add(time.Hour), second.Add(48 * time.Minute)},
	}
	key := newKey(t, epoch)
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			request := newRequest()
			request.Lifetime, request.NotAfter = test.lifetime, test.notAfter
			token, err := tokens.Mint(t.Context(), key, request)
			if err != nil {
				t.Fatal(err)
			}
			if !token.Expires.Equal(test.expires) || !token.RenewAt.Equal(test.renewAt) {
				t.Errorf("ends %v, renewed %v; want %v, %v", token.Expires, token.RenewAt, test.expires, test.renewAt)
			}
		})
	}
}

func TestMintRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*tokens.Request)
		reason decision.Reason
	}{
		"a certificate that ended before":               {func(r *tokens.Request) { r.NotAfter = r.At.Add(-time.Hour) }, decision.CertificateExpired},
		"a certificate that ends now":                   {func(r *tokens.Request) { r.NotAfter = r.At }, decision.CertificateExpired},
		"a certificate that ends within this second":    {func(r *tokens.Request) { r.NotAfter = r.At.Add(50 * time.Millisecond) }, decision.CertificateExpired},
		"a request that names no end":                   {func(r *tokens.Request) { r.NotAfter = time.Time{} }, decision.CertificateExpired},
		"a request without a time":                      {func(r *tokens.Request) { r.At = time.Time{} }, decision.InternalError},
		"no issuer":                                     {func(r *tokens.Request) { r.Issuer = "" }, decision.InternalError},
		"no client":                                     {func(r *tokens.Request) { r.ClientID = "" }, decision.InternalError},
		"no audience":                                   {func(r *tokens.Request) { r.Audience = "" }, decision.InternalError},
		"a client id whose encoding would be another's": {func(r *tokens.Request) { r.ClientID = "a\xff" }, decision.InternalError},
		"a scope with a space, which would be two":      {func(r *tokens.Request) { r.Scope = []string{"a b"} }, decision.InternalError},
		"an empty scope":                                {func(r *tokens.Request) { r.Scope = []string{""} }, decision.InternalError},
		"a scope with a quote":                          {func(r *tokens.Request) { r.Scope = []string{`a"`} }, decision.InternalError},
		"a scope with a backslash":                      {func(r *tokens.Request) { r.Scope = []string{`a\`} }, decision.InternalError},
		"a scope beyond ASCII":                          {func(r *tokens.Request) { r.Scope = []string{"ä"} }, decision.InternalError},
		"more scopes than a header holds":               {func(r *tokens.Request) { r.Scope = []string{strings.Repeat("a", 8<<10)} }, decision.InternalError},
		"a token bound to no certificate":               {func(r *tokens.Request) { r.Thumbprint = [32]byte{} }, decision.InternalError},
		"an unknown binding":                            {func(r *tokens.Request) { r.Bind = 7 }, decision.InternalError},
		"an unknown type":                               {func(r *tokens.Request) { r.Typ = "certbearer-cert+jwt" }, decision.InternalError},
		"a token for callers that is bound to nothing":  {func(r *tokens.Request) { r.Use, r.Bind = tokens.UseAccess, tokens.BindNone }, decision.InternalError},
		"a token for callers of the general type":       {func(r *tokens.Request) { r.Use, r.Typ = tokens.UseAccess, tokens.TypJWT }, decision.InternalError},
		"no lifetime":                                   {func(r *tokens.Request) { r.Lifetime = 0 }, decision.InternalError},
		"a lifetime that is negative":                   {func(r *tokens.Request) { r.Lifetime = -time.Hour }, decision.InternalError},
		"a lifetime of over a day":                      {func(r *tokens.Request) { r.Lifetime = tokens.MaxLifetime + 1 }, decision.InternalError},
	}
	key := newKey(t, epoch)
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			request := newRequest()
			test.change(&request)
			token, err := tokens.Mint(t.Context(), key, request)
			if err == nil {
				t.Fatalf("made %+v", token)
			}
			if got := decision.ReasonOf(err); got != test.reason {
				t.Errorf("reason %s, want %s: %v", got, test.reason, err)
			}
			if token != (tokens.Token{}) {
				t.Error("a token came with the error")
			}
		})
	}
}

func TestBindingsHaveTheConfigurationsWords(t *testing.T) {
	for word, want := range map[string]tokens.Binding{"cnf": tokens.BindCertificate, "none": tokens.BindNone} {
		var got tokens.Binding
		if err := got.UnmarshalText([]byte(word)); err != nil || got != want {
			t.Errorf("%s: %v, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "None", "x5t"} {
		if err := new(tokens.Binding).UnmarshalText([]byte(word)); err == nil {
			t.Errorf("%q is accepted", word)
		}
	}
}
