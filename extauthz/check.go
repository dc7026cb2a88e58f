// Package extauthz answers Envoy's external authorization checks: it takes each
// request through the steps of docs/request-path.md, one line a step, and turns
// what comes of them into an answer that is never an allow by accident.
package extauthz

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
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

// Config is what a Server is made of. Every field but the functions is required.
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
	// EndpointOrigin is the origin of our own endpoints, such as
	// https://gateway.example, and EndpointPaths their paths. On routes with
	// [AccessEndpoint] only a request to one of them is let through.
	EndpointOrigin string
	EndpointPaths  []string
	// EndpointHosts are the names, in lower case and without ports, by which callers
	// reach them.
	EndpointHosts []string
	// InjectedTokenLifetime is how long an injected token lives at most.
	InjectedTokenLifetime time.Duration
	// RemoveHeaders are taken off every request that is allowed: headers in
	// which an upstream could believe a certificate that nobody proved.
	RemoveHeaders []string
	// Shadow lets requests that no route covers pass as they came, and, if every
	// route is in shadow, those of which the route cannot be told.
	Shadow bool
	// ClientModes: the mode that a client's document names goes before its route's.
	ClientModes bool
	// InFlight bounds the checks that are decided at once.
	InFlight int
	// Panicked is told of a panic that was made a refusal.
	Panicked func(value any, stack []byte)
	// RevocationUnknown is told of each request of a client that soft mode let in
	// though nothing current was known of revocations.
	RevocationUnknown func(client string, why error)
}

// Server implements envoy.service.auth.v3.Authorization.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	config   Config
	inFlight chan struct{}

	removeForged     []string // where Authorization is set, or a foreign one left
	removeBeside     []string // the same, where Client-Cert is set too
	removeOnAllow    []string // for routes that ask for nothing
	removeOnHandOver []string // for our endpoints, besides a statement that is set
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
	if config.Routes.injectClientCert() {
		config.RemoveHeaders = withClientCert(config.RemoveHeaders)
	}
	forged := append(slices.Clone(config.RemoveHeaders), peercert.StatementHeader)
	return &Server{
		config:           config,
		inFlight:         make(chan struct{}, config.InFlight),
		removeForged:     forged,
		removeBeside:     slices.DeleteFunc(slices.Clone(forged), isClientCert),
		removeOnAllow:    append([]string{"authorization"}, forged...),
		removeOnHandOver: slices.Clone(config.RemoveHeaders),
	}, nil
}

// withClientCert adds the headers of RFC 9440 where they are missing. An upstream
// that is given certificates in them on one route believes them on all.
func withClientCert(names []string) []string {
	names = slices.Clone(names)
	for _, name := range []string{peercert.ClientCertHeader, peercert.ClientCertChainHeader} {
		if !slices.ContainsFunc(names, func(other string) bool { return strings.EqualFold(name, other) }) {
			names = append(names, name)
		}
	}
	return names
}

func isClientCert(name string) bool { return strings.EqualFold(name, peercert.ClientCertHeader) }

// verdict is what the steps made of a request. The zero value is a refusal
// for an internal error.
type verdict struct {
	reason   decision.Reason
	err      error // the Denial, nil if allowed
	route    *Route
	inbound  inbound
	identity authn.Identity
	scope    []string
	token    tokens.Token
	reused   bool
	// clientCert is what the upstream is told of the certificate, "" for nothing.
	clientCert string
	// statement is what an endpoint of ours is told, "" for nothing.
	statement string
	state     *state.State
	// by reads the evidence of the caller who asks.
	by *authn.Authenticator
	// shadow: the request passes as it came.
	shadow bool
}

// Check implements authv3.AuthorizationServer. It never returns an error: to
// Envoy an error is a failure of ours, which an operator may have let through.
func (s *Server) Check(ctx context.Context, in *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	response := s.Decide(ctx, s.config.Authenticator, func() (wire.Request, error) { return wire.FromCheck(in) })
	return response.CheckResponse(), nil
}

// Decide takes one request through all steps and leaves its record. The
// authenticator is that of the proven caller who asks. read makes the request of
// what the caller sent; its error, a Denial, refuses. Whatever panics refuses too.
func (s *Server) Decide(ctx context.Context, by *authn.Authenticator, read func() (wire.Request, error)) (response wire.Response) {
	began := time.Now()
	var request wire.Request
	defer func() {
		if value := recover(); value != nil {
			response = s.panicked(&request, value, began)
		}
	}()
	request, err := read()
	request.At = began
	room := s.enter()
	if room {
		defer s.leave()
	}
	v := s.admit(ctx, by, &request, room, err)
	v.shadow = s.inShadow(&request, &v)
	s.record(&request, &v, time.Since(began))
	return s.answer(&request, &v)
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
func (s *Server) admit(ctx context.Context, by *authn.Authenticator, request *wire.Request, room bool, malformed error) verdict {
	st := s.config.State.Load()
	switch {
	case malformed != nil:
		return verdict{state: st}.refuse(malformed)
	case !room:
		return verdict{state: st}.refuse(decision.Denyf(decision.Overloaded, "", "%d checks are being decided", cap(s.inFlight)))
	}
	return s.decide(ctx, verdict{state: st, by: by}, request)
}

// decide judges the request and, where a certificate was accepted, gets its
// token.
func (s *Server) decide(ctx context.Context, v verdict, request *wire.Request) verdict {
	v = s.judge(ctx, v, request, "", nil)
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

// judge takes the request through the steps, from a verdict that has nothing but
// the State and who asks. Whatever goes wrong refuses. clientID names the client
// besides route and certificate; "" where nothing does.
func (s *Server) judge(ctx context.Context, v verdict, request *wire.Request, clientID string, t *decision.Trace) verdict {
	var err error
	if v.route, err = s.config.Routes.Select(request, t); err != nil {
		return v.refuse(err)
	}
	request.Route = v.route.Name
	if v.route.Access == AccessEndpoint {
		return s.handOver(v, request, t)
	}
	if v.inbound, err = s.readInbound(v.route, v.state, request, t); err != nil {
		v.identity.Evidence = s.unjudged(&v, request)
		return v.refuse(err)
	}
	if v.route.Access != AccessCertificate {
		return v.allow()
	}
	if v.identity, err = s.authenticate(ctx, &v, request, clientID, t); err != nil {
		return v.refuse(v.inbound.refusal(err))
	}
	if err := s.checkAudience(v.route, v.identity.Client); err != nil {
		return v.refuse(err)
	}
	if v.scope, err = grant(&v); err != nil {
		return v.refuse(err)
	}
	if v.clientCert, err = clientCert(&v); err != nil {
		return v.refuse(err)
	}
	return v.allow()
}

// unjudged is the certificate of a request that is refused for something else: the
// record names it, and a mode of its client's counts. The zero Evidence is none.
func (s *Server) unjudged(v *verdict, request *wire.Request) peercert.Evidence {
	if v.route.Access != AccessCertificate {
		return peercert.Evidence{}
	}
	presented := peercert.Presented{PeerCertificate: request.PeerCertificate, Header: request.Header}
	evidence, err := v.by.Evidence(presented, nil)
	if err != nil {
		return peercert.Evidence{}
	}
	return evidence
}

func (v verdict) refuse(err error) verdict {
	v.reason, v.err = decision.ReasonOf(err), err
	return v
}

func (v verdict) allow() verdict {
	switch v.route.Access {
	case AccessCertificate:
		v.reason = decision.Allowed
		if v.inbound.foreign {
			v.reason = decision.AllowedForeign
		}
	case AccessPublic:
		v.reason = decision.AllowedPublic
	case AccessPreflight:
		v.reason = decision.AllowedPreflight
	}
	return v
}

func (s *Server) authenticate(ctx context.Context, v *verdict, request *wire.Request, clientID string, t *decision.Trace) (authn.Identity, error) {
	presented := peercert.Presented{PeerCertificate: request.PeerCertificate, Header: request.Header}
	claim := authn.Claim{
		Hint:    policies.Hint{Route: v.route.ClientID, Parameter: clientID},
		Inbound: v.inbound.verifier(v.route, t),
	}
	return v.by.Authenticate(ctx, v.state, presented, claim, request.At, t)
}

// grant returns the scopes of the injected token. A token of the caller's own
// narrows them: what it was not given, it does not get by coming here.
func grant(v *verdict) ([]string, error) {
	client, wanted := v.identity.Client, v.route.Scope
	if v.inbound.token == nil {
		return client.NarrowScope(wanted), nil
	}
	own := v.inbound.token.Scope
	if len(wanted) == 0 {
		return within(client.NarrowScope(own), own), nil
	}
	granted := within(client.NarrowScope(wanted), own)
	if len(granted) == 0 {
		return nil, decision.Denyf(decision.ScopeInsufficient, "scope", "the token has none of the scopes of route %s", v.route.Name)
	}
	return granted, nil
}

// clientCert returns what the upstream is told of the certificate. Beside a
// foreign Authorization it is told nothing: that is a request for which we do
// not speak.
func clientCert(v *verdict) (string, error) {
	if !v.route.Inject.ClientCert || v.inbound.foreign {
		return "", nil
	}
	return peercert.ClientCert(v.identity.Evidence.Leaf)
}

func within(scopes, most []string) []string {
	var kept []string
	for _, scope := range scopes {
		if slices.Contains(most, scope) {
			kept = append(kept, scope)
		}
	}
	return kept
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
		Scope:      v.scope,
		Thumbprint: v.identity.Evidence.Thumbprint,

		Certificates: v.identity.Accepted.Names,
		Bind:         v.route.Inject.Bind,
		Typ:          v.route.Inject.Typ,
		Lifetime:     s.config.InjectedTokenLifetime,
		NotAfter:     v.until(),
		At:           at,
	}
	return s.config.Tokens.Token(ctx, request, tokens.Basis{Proof: client, Generation: v.state.Generation, Keys: v.state.Keys})
}

// until is the end of what the injected token rests on: the judgement, and a token of
// the caller's own that narrowed it.
func (v *verdict) until() time.Time {
	end := v.identity.Accepted.TokensUntil
	if own := v.inbound.token; own != nil && own.Expires.Before(end) {
		return own.Expires
	}
	return end
}

// answer turns the verdict into what Envoy does.
func (s *Server) answer(request *wire.Request, v *verdict) wire.Response {
	metadata := wire.Metadata{Reason: v.reason.String(), Route: request.Route}
	if v.identity.Client != nil {
		metadata.Client = v.identity.Client.ID()
	}
	if v.shadow {
		return wire.Pass(metadata)
	}
	switch v.reason {
	case decision.Allowed:
		return s.injected(v, metadata)
	case decision.AllowedForeign:
		return wire.Allow(wire.Allowance{Remove: s.removeForged, Metadata: metadata})
	case decision.AllowedEndpoint:
		return s.handedOver(v, metadata)
	case decision.AllowedPublic, decision.AllowedPreflight:
		return wire.Allow(wire.Allowance{Remove: s.removeOnAllow, Metadata: metadata})
	}
	r := refusal(v.reason, request.ID, v.neededScope())
	r.Metadata = metadata
	return wire.Deny(r)
}

// injected sets the token, and the certificate for upstreams that are to have it.
func (s *Server) injected(v *verdict, metadata wire.Metadata) wire.Response {
	a := wire.Allowance{
		Set:      []wire.Header{{Name: "authorization", Value: "Bearer " + v.token.Value.Reveal()}},
		Remove:   s.removeForged,
		Metadata: metadata,
	}
	if v.clientCert != "" {
		a.Set = append(a.Set, wire.Header{Name: peercert.ClientCertHeader, Value: v.clientCert})
		a.Remove = s.removeBeside // Envoy removes after it sets
	}
	return wire.Allow(a)
}

// handedOver sets the statement, or takes off one that did not come from us.
func (s *Server) handedOver(v *verdict, metadata wire.Metadata) wire.Response {
	if v.statement == "" {
		return wire.Allow(wire.Allowance{Remove: append(slices.Clone(s.removeOnHandOver), peercert.StatementHeader), Metadata: metadata})
	}
	return wire.Allow(wire.Allowance{
		Set:      []wire.Header{{Name: peercert.StatementHeader, Value: v.statement}},
		Remove:   s.removeOnHandOver,
		Metadata: metadata,
	})
}

// neededScope is what WWW-Authenticate says of a token with too little scope.
func (v *verdict) neededScope() string {
	if v.route == nil {
		return ""
	}
	return strings.Join(v.route.Scope, " ")
}

func (s *Server) panicked(request *wire.Request, value any, began time.Time) wire.Response {
	s.countPanic(value, debug.Stack())
	v := verdict{state: s.config.State.Load()}.refuse(decision.Denyf(decision.InternalError, "", "a fault of certbearer's own; its log has more"))
	v.shadow = s.inShadow(request, &v)
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
