package extauthz

import (
	"context"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/oauthanswer"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// Explanation is a decision that was made to be looked at.
type Explanation struct {
	Reason   decision.Reason
	Err      error // the Denial, nil if the request would be allowed
	Route    *Route
	Identity authn.Identity
	// Status and OAuthError are what the caller would get, zero if the request
	// would be allowed.
	Status     int
	OAuthError string
	// Shadow: none of it is carried out, the request passes as it came.
	Shadow bool
}

// Explainer takes a request through the steps of a check up to the token, which
// it does not make: it needs no keys.
type Explainer struct{ server Server }

// NewExplainer returns an Explainer. Of the Config it uses Routes,
// Authenticator, DefaultAudience, what is said of endpoints, and the modes.
func NewExplainer(config Config) *Explainer { return &Explainer{Server{config: config}} }

// Explain decides and fills the trace. clientID, if it is not empty, names the
// client besides the certificate, as the client_id of a token request does:
// with a route for another client it is a ClientConflict.
func (e *Explainer) Explain(ctx context.Context, st *state.State, request *wire.Request, clientID string, t *decision.Trace) Explanation {
	v := e.server.judge(ctx, verdict{state: st, by: e.server.config.Authenticator}, request, clientID, t)
	explanation := Explanation{Reason: v.reason, Route: v.route, Identity: v.identity, Shadow: e.server.inShadow(request, &v)}
	if !v.reason.Allows() {
		explanation.Err = v.err
		a, _ := oauthanswer.Of(v.reason)
		explanation.Status, explanation.OAuthError = a.Status, a.Error
	}
	return explanation
}
