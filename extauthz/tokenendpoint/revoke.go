package tokenendpoint

import (
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

// revoke takes a token of the client's own out of use (RFC 7009 section 2). One
// that is not in use any more, or was never one of ours, is as good as revoked.
// token_type_hint is not needed to find a token, and so not looked at.
func (x *exchange) revoke() (result, error) {
	text := x.form.get("token")
	if text == "" {
		return nil, decision.Denyf(decision.ParameterInvalid, "token", "is missing")
	}
	verified, err := x.verify(text)
	if err != nil {
		switch decision.ReasonOf(err) {
		case decision.NotReady:
			return nil, err
		case decision.TokenNotYetValid: // of a replica whose clock is ahead: it will be in use
		default:
			x.reason = decision.RevocationAccepted
			return nil, nil
		}
	}
	switch {
	case verified.ClientID != x.identity.Client.ID():
		return nil, decision.Denyf(decision.TokenNotOwn, "token", "it is client %s's", verified.ClientID)
	case verified.Use != tokens.UseAccess:
		return nil, decision.Denyf(decision.TokenTypeUnsupported, "token", "it was injected by the gateway, and its end is near")
	}
	revocation := tokens.Revocation{ID: verified.ID, ClientID: verified.ClientID, Expires: verified.Expires, At: x.at.UTC()}
	if err := x.server.config.Revoke(x.ctx, revocation); err != nil {
		return nil, decision.Deny(decision.RevocationFailed, "token", err)
	}
	x.reason, x.tokenID = decision.RevocationAccepted, verified.ID
	return nil, nil
}
