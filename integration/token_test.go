package integration_test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// bearer is a token that the key set behind Envoy verifies.
type bearer struct {
	KID      string
	Typ      string
	Issuer   string           `json:"iss"`
	Audience string           `json:"aud"`
	Subject  string           `json:"sub"`
	ClientID string           `json:"client_id"`
	Scope    string           `json:"scope"`
	ID       string           `json:"jti"`
	Expires  *jwt.NumericDate `json:"exp"`
	CNF      struct {
		Thumbprint string `json:"x5t#S256"`
	} `json:"cnf"`
}

// keySet is the JWKS as it is had through Envoy, without a certificate unless
// there is one.
type keySet struct {
	gate   *gate
	as     *tls.Certificate
	get    func() (answer, error) // in the place of gate
	cached jose.JSONWebKeySet
}

func (k *keySet) fetch() error {
	get := k.get
	if get == nil {
		get = func() (answer, error) { return k.gate.try(ask{path: "/.well-known/jwks.json", as: k.as}) }
	}
	a, err := get()
	if err != nil {
		return err
	}
	if a.status != 200 {
		return fmt.Errorf("the JWKS is a %d", a.status)
	}
	k.cached = jose.JSONWebKeySet{}
	return json.Unmarshal([]byte(a.body), &k.cached)
}

// kid fetches the key set and returns the id of its first key.
func (k *keySet) kid(t *testing.T) string {
	t.Helper()
	if err := k.fetch(); err != nil {
		t.Fatal(err)
	}
	if len(k.cached.Keys) == 0 {
		t.Fatal("the JWKS is empty")
	}
	return k.cached.Keys[0].KeyID
}

// verify reads the one Authorization header of a request.
func (k *keySet) verify(header []string) (bearer, error) {
	if len(header) != 1 {
		return bearer{}, fmt.Errorf("%d Authorization headers", len(header))
	}
	text, found := strings.CutPrefix(header[0], "Bearer ")
	if !found {
		return bearer{}, errors.New("the Authorization is no bearer token")
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return bearer{}, err
	}
	head := token.Headers[0]
	if len(k.cached.Key(head.KeyID)) == 0 {
		if err := k.fetch(); err != nil {
			return bearer{}, err
		}
	}
	typ, _ := head.ExtraHeaders["typ"].(string)
	b := bearer{KID: head.KeyID, Typ: typ}
	if err := token.Claims(&k.cached, &b); err != nil {
		return bearer{}, err
	}
	if b.Expires == nil || !time.Now().Before(b.Expires.Time()) {
		return bearer{}, errors.New("the token has expired")
	}
	return b, nil
}
