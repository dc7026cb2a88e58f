package clients_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// injected is a token that the upstream received, verified by the key set.
type injected struct {
	Text     string `json:"-"`
	Typ      string `json:"-"`
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	ClientID string `json:"client_id"`
	ID       string `json:"jti"`
	Use      string `json:"token_use"`
	CNF      struct {
		Thumbprint string `json:"x5t#S256"`
	} `json:"cnf"`
}

func (w *world) verified(t *testing.T, header []string) injected {
	t.Helper()
	if len(header) != 1 {
		t.Fatalf("the upstream received %d Authorization headers", len(header))
	}
	text, isBearer := strings.CutPrefix(header[0], "Bearer ")
	if !isBearer {
		t.Fatal("the Authorization is no bearer token")
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	status, body := w.get(t, nil, w.Issuer()+"/.well-known/jwks.json")
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(body), &keys); err != nil || status != http.StatusOK {
		t.Fatalf("the JWKS is a %d: %v", status, err)
	}
	verified := injected{Text: text}
	if err := token.Claims(&keys, &verified); err != nil {
		t.Fatal(err)
	}
	verified.Typ, _ = token.Headers[0].ExtraHeaders["typ"].(string)
	return verified
}

// thumbprint is x5t#S256 of a certificate (RFC 8705 section 3.1).
func thumbprint(issued *testca.Issued) string {
	sum := sha256.Sum256(issued.Certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
