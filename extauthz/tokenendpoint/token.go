package tokenendpoint

import (
	"net/url"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

// tokenAnswer is RFC 6749 section 5.1. scope is there whenever the token has any.
type tokenAnswer struct {
	TokenType   string      `json:"token_type"`
	AccessToken tokenString `json:"access_token"`
	ExpiresIn   int64       `json:"expires_in"`
	Scope       string      `json:"scope,omitempty"`
}

// tokenString is the one place where a token becomes text.
type tokenString struct{ tokens.Secret }

// MarshalText writes the token.
func (t tokenString) MarshalText() ([]byte, error) { return []byte(t.Reveal()), nil }

// giveToken makes a new token each time: a kept one is the gateway's.
func (x *exchange) giveToken() (result, error) {
	switch grant := x.form.get("grant_type"); {
	case grant == "":
		return nil, decision.Denyf(decision.ParameterInvalid, "grant_type", "is missing")
	case grant != "client_credentials":
		return nil, decision.Denyf(decision.GrantUnsupported, "grant_type", "is not client_credentials")
	case !x.identity.Client.MayUseCredentials():
		return nil, decision.Denyf(decision.GrantNotAllowed, "client "+x.identity.Client.ID(), "its grantType does not list client_credentials")
	}
	audience, err := x.audience()
	if err != nil {
		return nil, err
	}
	scope, err := grantedScope(x.identity.Client, x.form.get("scope"))
	if err != nil {
		return nil, err
	}
	token, err := x.mint(audience, scope)
	if err != nil {
		return nil, err
	}
	x.reason, x.tokenID = decision.TokenIssued, token.ID
	x.server.config.Metrics.Minted()
	return tokenAnswer{
		TokenType:   "Bearer",
		AccessToken: tokenString{token.Value},
		ExpiresIn:   int64(token.Expires.Sub(token.IssuedAt).Seconds()),
		Scope:       strings.Join(scope, " "),
	}, nil
}

func (x *exchange) mint(audience string, scope []string) (tokens.Token, error) {
	token, _, err := tokens.MintWith(x.ctx, x.state.Keys, tokens.Request{
		Issuer:     x.server.config.Issuer,
		ClientID:   x.identity.Client.ID(),
		Audience:   audience,
		Scope:      scope,
		Thumbprint: x.identity.Evidence.Thumbprint,

		Certificates: x.identity.Accepted.Names,
		Bind:         tokens.BindCertificate,
		Typ:          tokens.TypAccessToken,
		Use:          tokens.UseAccess,
		Lifetime:     x.identity.Client.AccessTokenLifetime(),
		NotAfter:     x.identity.Accepted.TokensUntil,
		At:           x.at,
	})
	return token, err
}

// audience is the one resource that the token is for (RFC 8707 section 2): a token
// for two could be used by each at the other.
func (x *exchange) audience() (string, error) {
	client, byDefault := x.identity.Client, x.server.config.DefaultAudience
	asked := slices.Compact(slices.Sorted(slices.Values(x.form["resource"])))
	switch {
	case len(asked) > 1:
		return "", decision.Denyf(decision.TargetNotAllowed, "resource", "%d of them: a token is for one", len(asked))
	case len(asked) == 1:
		if !isResource(asked[0]) || asked[0] == x.server.config.Issuer || !client.MayHave(asked[0], byDefault) {
			return "", decision.Denyf(decision.TargetNotAllowed, "resource", "%.200q is not one that client %s may have tokens for", asked[0], client.ID())
		}
		return asked[0], nil
	case byDefault != "" && client.MayHave(byDefault, byDefault):
		return byDefault, nil
	}
	if own := client.Audience(); len(own) == 1 {
		return own[0], nil
	}
	return "", decision.Denyf(decision.TargetNotAllowed, "resource", "is missing, and client %s has no audience that would be meant without", client.ID())
}

func isResource(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.IsAbs() && !strings.Contains(text, "#")
}

// grantedScope narrows the client's scopes to those asked for, each of which it
// must have; without a question it gets its default (RFC 6749 section 3.3).
func grantedScope(client *policies.Client, asked string) ([]string, error) {
	if asked == "" {
		return client.DefaultScope(), nil
	}
	var granted []string
	for _, scope := range strings.Split(asked, " ") {
		switch {
		case !tokens.ValidScope(scope) || !client.MayHaveScope(scope):
			return nil, decision.Denyf(decision.ScopeNotAllowed, "scope", "value %d of those asked for is not the client's", len(granted)+1)
		case !slices.Contains(granted, scope):
			granted = append(granted, scope)
		}
	}
	return granted, nil
}
