package integration_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// signingKey is certbearer's own: a test that has it can make every token that
// certbearer would have to refuse though its signature is good.
func (w *world) signingKey(t *testing.T) signer.Key {
	t.Helper()
	keys, err := signer.Open(t.Context(), filepath.Join(w.folder, "keys"), signer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.Signing(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// values are members of a token's header or of its claims; nil takes one out.
type values map[string]any

func (v values) onTop(other values) values {
	joined := maps.Clone(v)
	for name, value := range other {
		joined[name] = value
		if value == nil {
			delete(joined, name)
		}
	}
	return joined
}

// and is v with more values; nil is one of them.
func (v values) and(other values) values {
	joined := maps.Clone(v)
	maps.Copy(joined, other)
	return joined
}

// forge makes a token like those of the token endpoint, changed, and signed well.
func (w *world) forge(t *testing.T, changedHead, changedClaims values) string {
	t.Helper()
	key := w.signingKey(t)
	head := values{"alg": key.Algorithm(), "kid": key.KID(), "typ": "at+jwt"}.onTop(changedHead)
	return w.signed(t, toJSON(t, head), toJSON(t, w.usualClaims().onTop(changedClaims)))
}

// usualClaims are those of a token of the stand's lab; cnf is left to the test.
func (w *world) usualClaims() values {
	now := time.Now().Unix()
	return values{
		"iss": "https://localhost:8443", "sub": "lab", "client_id": "lab", "aud": "https://api.example", "scope": "orders.read orders.write",
		"iat": now, "exp": now + 600, "jti": "forged-" + time.Now().Format("150405.000000000"), "token_use": "access",
	}
}

// signed joins header and claims as they are written, and signs them.
func (w *world) signed(t *testing.T, head, claims string) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := w.signingKey(t).Sign(t.Context(), []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// opened returns header and claims of a token, whose signature is not looked at.
func opened(t *testing.T, token string) (head, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the token has %d parts", len(parts))
	}
	var texts [2]string
	for i := range texts {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(raw)
	}
	return members(t, texts[0]), members(t, texts[1])
}
