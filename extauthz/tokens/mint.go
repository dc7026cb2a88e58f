package tokens

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/policies/decision"
)

// The members stand in this order in every token.
type header struct {
	Algorithm string `json:"alg"`
	KID       string `json:"kid"`
	Typ       string `json:"typ"`
}

type claims struct {
	Issuer       string       `json:"iss"`
	Subject      string       `json:"sub"`
	ClientID     string       `json:"client_id"`
	Audience     string       `json:"aud"`
	IssuedAt     int64        `json:"iat"`
	Expires      int64        `json:"exp"`
	ID           string       `json:"jti"`
	Use          string       `json:"token_use"`
	Scope        string       `json:"scope,omitempty"`
	Confirmation confirmation `json:"cnf,omitempty"`
	Certificates []string     `json:"cert_ids,omitempty"`
}

// confirmation is cnf (RFC 7800): the names of the proofs that it asks for.
type confirmation map[string]string

// Mint makes a token (RFC 9068 section 2) and signs it with key. There is no
// nbf: a token is valid from iat on. A request whose NotAfter leaves less than a
// second is denied as [decision.CertificateExpired]; any other error is no
// Denial, for it is a fault of ours.
func Mint(ctx context.Context, key signer.Key, request Request) (Token, error) {
	if err := request.check(); err != nil {
		return Token{}, err
	}
	token, err := plan(&request)
	if err != nil {
		return Token{}, err
	}
	input, err := signingInput(key, &request, &token)
	if err != nil {
		return Token{}, err
	}
	signature, err := key.Sign(ctx, []byte(input))
	if err != nil {
		return Token{}, fmt.Errorf("tokens: signing: %w", err)
	}
	token.Value = conceal(input + "." + base64.RawURLEncoding.EncodeToString(signature))
	return token, nil
}

// MintWith makes a token as Mint does, with the key of the set that signs at
// request.At, and returns that key's name. Where none does it is denied as
// [decision.SigningKeyMissing].
func MintWith(ctx context.Context, keys *signer.Keys, request Request) (token Token, kid string, err error) {
	key, err := keys.Signing(request.At)
	if errors.Is(err, signer.ErrNoSigningKey) {
		return Token{}, "", decision.Deny(decision.SigningKeyMissing, "token", err)
	}
	if err != nil {
		return Token{}, "", err
	}
	token, err = Mint(ctx, key, request)
	return token, key.KID(), err
}

// plan sets everything of a token but its value.
func plan(request *Request) (Token, error) {
	issued := request.At.Unix()
	expires := min(request.At.Add(request.Lifetime).Unix(), request.NotAfter.Unix())
	if expires <= issued {
		return Token{}, decision.Denyf(decision.CertificateExpired, "token", "what it rests on ends at %s",
			request.NotAfter.UTC().Format(time.RFC3339))
	}
	var random [16]byte
	// crypto/rand.Read never returns an error: it ends the process first.
	_, _ = rand.Read(random[:])
	life := time.Duration(expires-issued) * time.Second
	at := time.Unix(issued, 0).UTC()
	return Token{
		ID:       base64.RawURLEncoding.EncodeToString(random[:]),
		IssuedAt: at,
		Expires:  at.Add(life),
		RenewAt:  at.Add(life / 5 * 4),
	}, nil
}

// signingInput is RFC 7515 section 5.1: header and payload, encoded and joined.
func signingInput(key signer.Key, request *Request, token *Token) (string, error) {
	payload := claims{
		Issuer:   request.Issuer,
		Subject:  request.ClientID,
		ClientID: request.ClientID,
		Audience: request.Audience,
		IssuedAt: token.IssuedAt.Unix(),
		Expires:  token.Expires.Unix(),
		ID:       token.ID,
		Use:      request.Use.String(),
		Scope:    strings.Join(request.Scope, " "),

		Certificates: request.Certificates,
	}
	if request.Bind == BindCertificate {
		payload.Confirmation = confirmation{"x5t#S256": base64.RawURLEncoding.EncodeToString(request.Thumbprint[:])}
	}
	head, err := json.Marshal(header{Algorithm: key.Algorithm(), KID: key.KID(), Typ: request.Typ})
	if err != nil {
		return "", fmt.Errorf("tokens: encoding the header: %w", err)
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return "", fmt.Errorf("tokens: encoding the claims: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body), nil
}
