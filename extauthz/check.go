// Package extauthz answers Envoy's external authorization checks: it takes each
// request through the steps of docs/request-path.md, one line a step, and turns
// what comes of them into an answer that is never an allow by accident.
package extauthz

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

// Config is what a Server is made of. Every field but Panicked is required.
type Config struct {
	State         *state.Holder
	Routes        *Routes
	Authenticator *authn.Authenticator
	Tokens        *tokens.Cache
	Audit         *audit.Recorder
	Metrics       *audit.Metrics
	// Issuer is iss of the tokens.
	Issuer string
	// DefaultAudience is what a client without audiences may have tokens for.
	DefaultAudience string
	// InjectedTokenLifetime is how long an injected token lives at most.
	InjectedTokenLifetime time.Duration
	// RemoveHeaders are taken off every request that is allowed: headers in
	// which an upstream could believe a certificate that nobody proved.
	RemoveHeaders []string
	// InFlight bounds the checks that are decided at once.
	InFlight int
	// Panicked is told of a panic that was made a refusal.
	Panicked func(value any, stack []byte)
}

// Server implements envoy.service.auth.v3.Authorization.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	config        Config
	inFlight      chan struct{}
	removeOnAllow []string // for routes that set no Authorization
}

// NewServer returns a Server, or what is missing.
func NewServer(config Config) (*Server, error) {
	switch {
	case config.State == nil, config.Routes == nil, config.Authenticator == nil, config.Tokens == nil,
		config.Audit == nil, config.Metrics == nil:
		return nil, errors.New("extauthz: State, Routes, Authenticator, Tokens, Audit and Metrics are required")
	case config.Issuer == "":
		return nil, errors.New("extauthz: the issuer is empty")
	case config.InjectedTokenLifetime < time.Second || config.InjectedTokenLifetime > tokens.MaxLifetime:
		return nil, fmt.Errorf("extauthz: tokens of %s cannot be made", config.InjectedTokenLifetime)
	case config.InFlight < 1:
		return nil, fmt.Errorf("extauthz: %d checks at once are none", config.InFlight)
	}
	return &Server{
		config:        config,
		inFlight:      make(chan struct{}, config.InFlight),
		removeOnAllow: append([]string{"authorization"}, config.RemoveHeaders...),
	}, nil
}

// verdict is what the steps made of a request. The zero value is a refusal
// for an internal error.
type verdict struct {
	reason   decision.Reason
	err      error // the Denial, nil if allowed
	route    *Route
	identity authn.Identity
	token    tokens.Token
	reused   bool
	state    *state.State
}

// Check implements authv3.AuthorizationServer. It never returns an error: to
// Envoy an error is a failure of ours, which an operator may have let through.
func (s *Server) Check(ctx context.Context, in *authv3.CheckRequest) (out *authv3.CheckResponse, err error) {
	began := time.Now()
	var request wire.Request
	defer func() {
		if value := recover(); value != nil {
			out = s.panicked(&request, value, began).CheckResponse()
		}
	}()
	request, err = wire.FromCheck(in)
	request.At = began
	room := s.enter()
	if room {
		defer s.leave()
	}
	v := s.admit(ctx, &request, room, err)
	s.record(&request, &v, time.Since(began))
	return s.answer(&request, &v).CheckResponse(), nil
}

// enter takes a place among the checks in progress, which is kept until the
// answer is made and recorded: the record costs too.
func (s *Server) enter() bool {
	select {
	case s.inFlight <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s *Server) leave() { <-s.inFlight }

// admit decides, if there is room to.
func (s *Server) admit(ctx context.Context, request *wire.Request, room bool, malformed error) verdict {
	st := s.config.State.Load()
	switch {
	case malformed != nil:
		return verdict{state: st}.refuse(malformed)
	case !room:
		return verdict{state: st}.refuse(decision.Denyf(decision.Overloaded, "", "%d checks are being decided", cap(s.inFlight)))
	}
	return s.decide(ctx, st, request)
}

// decide judges the request and, where a certificate was accepted, gets its
// token.
func (s *Server) decide(ctx context.Context, st *state.State, request *wire.Request) verdict {
	v := s.judge(ctx, st, request, "", nil)
	if v.reason != decision.Allowed {
		return v
	}
	var err error
	if v.token, v.reused, err = s.token(ctx, &v, request.At); err != nil {
		s.reportPanic(err)
		return v.refuse(err)
	}
	return v
}

// judge takes the request through the steps. Whatever goes wrong refuses.
// clientID names the client besides route and certificate; "" where nothing does.
func (s *Server) judge(ctx context.Context, st *state.State, request *wire.Request, clientID string, t *decision.Trace) verdict {
	v := verdict{state: st}
	var err error
	if v.route, err = s.config.Routes.Select(request, t); err != nil {
		return v.refuse(err)
	}
	request.Route = v.route.Name
	if err := checkInbound(v.route, request, t); err != nil {
		return v.refuse(err)
	}
	if v.route.Access != AccessCertificate {
		return v.allow()
	}
	if v.identity, err = s.authenticate(ctx, st, v.route, request, clientID, t); err != nil {
		return v.refuse(err)
	}
	if err := s.checkAudience(v.route, v.identity.Client); err != nil {
		return v.refuse(err)
	}
	return v.allow()
}

func (v verdict) refuse(err error) verdict {
	v.reason, v.err = decision.ReasonOf(err), err
	return v
}

func (v verdict) allow() verdict {
	switch v.route.Access {
	case AccessCertificate:
		v.reason = decision.Allowed
	case AccessPublic:
		v.reason = decision.AllowedPublic
	case AccessPreflight:
		v.reason = decision.AllowedPreflight
	}
	return v
}

func checkInbound(route *Route, request *wire.Request, t *decision.Trace) error {
	if len(request.Header("authorization")) == 0 {
		return nil
	}
	if route.Inbound == InboundReplace {
		t.Note(decision.StepAuthorization, "the caller's Authorization is ignored")
		return nil
	}
	err := decision.Denyf(decision.AuthorizationRefused, "authorization", "the caller sent its own, and route %s has inboundAuthorization: reject", route.Name)
	t.Fail(decision.StepAuthorization, "%v", err)
	return err
}

func (s *Server) authenticate(ctx context.Context, st *state.State, route *Route, request *wire.Request, clientID string, t *decision.Trace) (authn.Identity, error) {
	presented := peercert.Presented{PeerCertificate: request.PeerCertificate, Header: request.Header}
	return s.config.Authenticator.Authenticate(ctx, st, presented, policies.Hint{Route: route.ClientID, Parameter: clientID}, request.At, t)
}

func (s *Server) checkAudience(route *Route, client *policies.Client) error {
	if client.MayHave(route.Audience, s.config.DefaultAudience) {
		return nil
	}
	return decision.Denyf(decision.AudienceNotAllowed, "client "+client.ID(), "it may not have tokens for %s, the audience of route %s", route.Audience, route.Name)
}

func (s *Server) token(ctx context.Context, v *verdict, at time.Time) (tokens.Token, bool, error) {
	client := v.identity.Client
	request := tokens.Request{
		Issuer:     s.config.Issuer,
		ClientID:   client.ID(),
		Audience:   v.route.Audience,
		Scope:      client.NarrowScope(v.route.Scope),
		Thumbprint: v.identity.Evidence.Thumbprint,
		Bind:       v.route.Inject.Bind,
		Typ:        v.route.Inject.Typ,
		Lifetime:   s.config.InjectedTokenLifetime,
		NotAfter:   v.identity.Accepted.Until,
		At:         at,
	}
	return s.config.Tokens.Token(ctx, request, tokens.Basis{Proof: client, Generation: v.state.Generation, Keys: v.state.Keys})
}

// answer turns the verdict into what Envoy does.
func (s *Server) answer(request *wire.Request, v *verdict) wire.Response {
	metadata := wire.Metadata{Reason: v.reason.String(), Route: request.Route}
	if v.identity.Client != nil {
		metadata.Client = v.identity.Client.ID()
	}
	switch v.reason {
	case decision.Allowed:
		return wire.Allow(wire.Allowance{
			Set:      []wire.Header{{Name: "authorization", Value: "Bearer " + v.token.Value.Reveal()}},
			Remove:   s.config.RemoveHeaders,
			Metadata: metadata,
		})
	case decision.AllowedPublic, decision.AllowedPreflight:
		return wire.Allow(wire.Allowance{Remove: s.removeOnAllow, Metadata: metadata})
	}
	r := refusal(v.reason, request.ID)
	r.Metadata = metadata
	return wire.Deny(r)
}

func (s *Server) panicked(request *wire.Request, value any, began time.Time) wire.Response {
	s.countPanic(value, debug.Stack())
	v := verdict{state: s.config.State.Load()}.refuse(decision.Denyf(decision.InternalError, "", "a fault of certbearer's own; its log has more"))
	s.record(request, &v, time.Since(began))
	return s.answer(request, &v)
}

// reportPanic looks for a panic of another goroutine: tokens are signed apart
// from the checks that wait for them.
func (s *Server) reportPanic(err error) {
	var panicked *tokens.PanicError
	if errors.As(err, &panicked) {
		s.countPanic(panicked.Value, panicked.Stack)
	}
}

func (s *Server) countPanic(value any, stack []byte) {
	s.config.Metrics.Panicked()
	if s.config.Panicked != nil {
		s.config.Panicked(value, stack)
	}
}
