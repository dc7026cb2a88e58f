package tokenendpoint

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

// introspection is RFC 7662 section 2.2. Of a token that is not active it says
// nothing else.
type introspection struct {
	Active    bool              `json:"active"`
	Scope     string            `json:"scope,omitempty"`
	ClientID  string            `json:"client_id,omitempty"`
	TokenType string            `json:"token_type,omitempty"`
	Expires   int64             `json:"exp,omitempty"`
	IssuedAt  int64             `json:"iat,omitempty"`
	Subject   string            `json:"sub,omitempty"`
	Audience  string            `json:"aud,omitempty"`
	Issuer    string            `json:"iss,omitempty"`
	ID        string            `json:"jti,omitempty"`
	CNF       map[string]string `json:"cnf,omitempty"` // RFC 8705 section 3.2
}

// introspect tells a client of its own tokens, and of those for the audiences in
// its introspects. Every other one is not active to it.
func (x *exchange) introspect() (result, error) {
	text := x.form.get("token")
	if text == "" {
		return nil, decision.Denyf(decision.ParameterInvalid, "token", "is missing")
	}
	verified, err := x.verify(text)
	if err != nil && decision.ReasonOf(err) == decision.NotReady {
		return nil, err
	}
	x.reason = decision.TokenIntrospected
	if err != nil || !x.mayKnow(verified) || !x.stillActive(verified) {
		return introspection{}, nil
	}
	x.tokenID = verified.ID
	answer := introspection{
		Active: true, Scope: strings.Join(x.stillGranted(verified), " "), ClientID: verified.ClientID, TokenType: "Bearer",
		Expires: verified.Expires.Unix(), IssuedAt: verified.IssuedAt.Unix(), Subject: verified.ClientID,
		Audience: verified.Audience, Issuer: x.server.config.Issuer, ID: verified.ID,
	}
	if verified.Bound {
		answer.CNF = map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(verified.Thumbprint[:])}
	}
	return answer, nil
}

func (x *exchange) verify(text string) (tokens.Verified, error) {
	terms := tokens.Terms{Issuer: x.server.config.Issuer, Keys: x.state.Keys, Revoked: x.state.Revoked, At: x.at}
	return terms.Verify(text)
}

// stillGranted is what the client has not lost since.
func (x *exchange) stillGranted(v tokens.Verified) []string {
	return slices.DeleteFunc(slices.Clone(v.Scope), func(scope string) bool {
		return !x.state.Clients.Client(v.ClientID).MayHaveScope(scope)
	})
}

func (x *exchange) mayKnow(v tokens.Verified) bool {
	return v.ClientID == x.identity.Client.ID() || x.identity.Client.MayIntrospect(v.Audience)
}

// stillActive asks for the client that the token is of: turned off or gone, or with
// another certificate in its store, its tokens are refused at the gateway too; and so
// are those of a certificate that was revoked since, which the token names. Whether a
// CA of the client still accepts the certificate cannot be told without it.
func (x *exchange) stillActive(v tokens.Verified) bool {
	client := x.state.Clients.Client(v.ClientID)
	if client == nil || client.Status() != policies.StatusActive || !client.MayHave(v.Audience, x.server.config.DefaultAudience) {
		return false
	}
	if client.Revoked(x.state.CRLs, v.Certificates) {
		return false
	}
	return !v.Bound || client.HasPin(v.Thumbprint) || len(client.Anchors()) > 0
}
