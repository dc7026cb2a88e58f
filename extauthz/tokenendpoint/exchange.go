package tokenendpoint

import (
	"context"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

// exchange is one request and what has come of it.
type exchange struct {
	server   *Server
	request  *http.Request
	ctx      context.Context
	state    *state.State
	at       time.Time
	form     form
	identity authn.Identity

	// reason is why it ended well, set by the endpoint's own step.
	reason  decision.Reason
	tokenID string
	// scheme is how the client authenticated where it should not have.
	scheme string
}

// result is the JSON of a good answer; nil is an empty one.
type result any

// endpoint takes a request through the steps that all endpoints have in common.
func (s *Server) endpoint(name string, act func(*exchange) (result, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{server: s, request: r, ctx: r.Context(), state: s.config.State.Load(), at: time.Now()}
		answer, err := x.guarded(act)
		x.record(name, err)
		if err != nil {
			x.refuse(w, err)
			return
		}
		write(w, http.StatusOK, answer)
	})
}

// guarded makes a panic a refusal, with its record.
func (x *exchange) guarded(act func(*exchange) (result, error)) (answer result, err error) {
	defer func() {
		if value := recover(); value != nil {
			x.server.config.Panicked(value, debug.Stack())
			answer, err = nil, decision.Denyf(decision.InternalError, "", "a fault of certbearer's own; its log has more")
		}
	}()
	return x.run(act)
}

// run reads the form before it takes a place among those that are worked on, and
// before it loads the State: a body that comes slowly keeps nobody else out, and is
// decided by what holds when it is there.
func (x *exchange) run(act func(*exchange) (result, error)) (result, error) {
	if x.request.Method != http.MethodPost {
		return nil, decision.Denyf(decision.MethodNotAllowed, "method", "%.20q", x.request.Method)
	}
	var err error
	if x.form, err = readForm(x.request); err != nil {
		return nil, err
	}
	x.state, x.at = x.server.config.State.Load(), time.Now()
	select {
	case x.server.inFlight <- struct{}{}:
		defer func() { <-x.server.inFlight }()
	default:
		return nil, decision.Denyf(decision.Overloaded, "", "%d requests are being worked on", cap(x.server.inFlight))
	}
	if err := x.authenticate(); err != nil {
		return nil, err
	}
	return act(x)
}

// authenticate finds the client by its client_id and judges the certificate by
// that client alone (RFC 8705 section 2). Who a client is is never guessed from
// its certificate.
func (x *exchange) authenticate() error {
	if err := x.oneMethod(); err != nil {
		return err
	}
	id := x.form.get("client_id")
	if id == "" {
		return decision.Denyf(decision.ParameterInvalid, "client_id", "is missing")
	}
	claim := authn.Claim{Hint: policies.Hint{Parameter: id}}
	presented := x.server.config.Presented(x.request, x.state, x.at)
	var err error
	x.identity, err = x.server.config.Authenticator.Authenticate(x.ctx, x.state, presented, claim, x.at, nil)
	return err
}

// oneMethod refuses every other way to authenticate (RFC 6749 section 2.3): beside
// the certificate because it is one too many, without it because it is not offered.
func (x *exchange) oneMethod() error {
	if values := x.request.Header["Authorization"]; len(values) > 0 {
		x.scheme, _, _ = strings.Cut(values[0], " ")
		return decision.Denyf(decision.AuthMethodUnsupported, "authorization", "clients authenticate by certificate")
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		if x.form.get(name) == "" || name == "client_secret" && x.server.config.IgnoreSecrets {
			continue
		}
		presented := x.server.config.Presented(x.request, x.state, x.at)
		if _, err := x.server.config.Authenticator.Evidence(presented, nil); err != nil {
			return decision.Denyf(decision.AuthMethodUnsupported, name, "clients authenticate by certificate")
		}
		return decision.Denyf(decision.AuthMethodConflict, name, "stands beside a certificate")
	}
	return nil
}
