package extauthz

import (
	"context"

	"github.com/certbearer/certbearer/extauthz/authn"
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
}

// Explainer takes a request through the steps of a check up to the token, which
// it does not make: it needs no keys.
type Explainer struct{ server Server }

// NewExplainer returns an Explainer. Of the Config it uses Routes,
// Authenticator and DefaultAudience.
func NewExplainer(config Config) *Explainer { return &Explainer{Server{config: config}} }

// Explain decides and fills the trace. clientID, if it is not empty, names the
// client besides the certificate, as the client_id of a token request does:
// with a route for another client it is a ClientConflict.
func (e *Explainer) Explain(ctx context.Context, st *state.State, request *wire.Request, clientID string, t *decision.Trace) Explanation {
	v := e.judge(ctx, st, request, clientID, t)
	explanation := Explanation{Reason: v.reason, Err: v.err, Route: v.route, Identity: v.identity}
	if v.err != nil {
		a, _ := answerTo(v.reason)
		explanation.Status, explanation.OAuthError = a.status.HTTP(), a.code
	}
	return explanation
}

// judge is Server.judge on routes that are all for the named client.
func (e *Explainer) judge(ctx context.Context, st *state.State, request *wire.Request, clientID string, t *decision.Trace) verdict {
	if clientID == "" {
		return e.server.judge(ctx, st, request, t)
	}
	named := Server{config: e.server.config}
	named.config.Routes = e.server.config.Routes.forClient(clientID)
	if route, err := named.config.Routes.choose(request); err == nil && route.Access == AccessCertificate && route.ClientID != clientID {
		err := decision.Denyf(decision.ClientConflict, "client_id", "the request names %.64q, and route %s is for %s", clientID, route.Name, route.ClientID)
		t.Fail(decision.StepResolve, "%v", err)
		return verdict{state: st, route: route}.refuse(err)
	}
	return named.judge(ctx, st, request, t)
}

// forClient returns the routes with those for any client made the client's.
func (r *Routes) forClient(clientID string) *Routes {
	narrowed := &Routes{byName: make(map[string]*Route, len(r.byName)), byPath: r.byPath}
	for _, route := range r.ordered {
		copied := *route
		if copied.ClientID == "" {
			copied.ClientID = clientID
		}
		narrowed.ordered = append(narrowed.ordered, &copied)
		narrowed.byName[copied.Name] = &copied
	}
	return narrowed
}
