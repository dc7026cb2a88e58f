// Package tokenendpoint owns the endpoints at which clients authenticate by their
// certificate: the token endpoint with the client_credentials grant (RFC 6749
// section 4.4, RFC 8705 section 2), introspection (RFC 7662) and revocation
// (RFC 7009).
//
// A request is read once, into an [exchange]; the client is authenticated before
// anything else of it is looked at; then the endpoint's own step decides. Every
// answer is written in one place, must not be stored, and leaves one audit record.
package tokenendpoint

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/tokens"
)

// The paths of the endpoints.
const (
	TokenPath      = "/oauth2/token"
	IntrospectPath = "/oauth2/introspect"
	RevokePath     = "/oauth2/revoke"
)

// Paths lists them all.
func Paths() []string { return []string{TokenPath, IntrospectPath, RevokePath} }

// The names under which records and metrics have the endpoints, in the place of a
// route's.
const (
	TokenName      = "token_endpoint"
	IntrospectName = "introspection_endpoint"
	RevokeName     = "revocation_endpoint"
)

// Names lists them all.
func Names() []string { return []string{TokenName, IntrospectName, RevokeName} }

// Config is what a Server is made of. All of it is required but the flags.
type Config struct {
	State         *state.Holder
	Authenticator *authn.Authenticator
	// Presented says what is known of the connection that a request came on.
	Presented func(*http.Request, *state.State, time.Time) peercert.Presented
	// RequestID is the request's handle for the caller and the operator.
	RequestID func(*http.Request) string
	// Source is the caller's address, "" if it is not known.
	Source  func(*http.Request) string
	Audit   *audit.Recorder
	Metrics *audit.Metrics
	// Revoke keeps a revocation and puts it in force before it returns.
	Revoke func(context.Context, tokens.Revocation) error

	// Panicked is told of a panic that was made a refusal.
	Panicked func(value any, stack []byte)
	// RevocationUnknown is told of each request of a client that soft mode let in
	// though nothing current was known of revocations; it may be nil.
	RevocationUnknown func(client string, why error)

	// Issuer is iss, DefaultAudience the aud of tokens for which no resource is
	// asked; it may be empty.
	Issuer          string
	DefaultAudience string
	// IgnoreSecrets takes a client_secret beside a certificate for nothing, as
	// clients written for Medplum send one. It is never a way to authenticate.
	IgnoreSecrets bool
	// InFlight bounds the requests that are worked on at once.
	InFlight int
}

// Server serves the endpoints.
type Server struct {
	config   Config
	inFlight chan struct{}
	byPath   map[string]http.Handler
}

// New returns a Server, or what is missing.
func New(config Config) (*Server, error) {
	switch {
	case config.State == nil, config.Authenticator == nil, config.Presented == nil, config.RequestID == nil, config.Source == nil,
		config.Audit == nil, config.Metrics == nil, config.Revoke == nil, config.Panicked == nil:
		return nil, errors.New("tokenendpoint: State, Authenticator, Presented, RequestID, Source, Audit, Metrics, Revoke and Panicked are required")
	case config.Issuer == "":
		return nil, errors.New("tokenendpoint: the issuer is empty")
	case config.InFlight < 1:
		return nil, errors.New("tokenendpoint: no requests at once are none")
	}
	s := &Server{config: config, inFlight: make(chan struct{}, config.InFlight), byPath: make(map[string]http.Handler)}
	s.byPath[TokenPath] = s.endpoint(TokenName, (*exchange).giveToken)
	s.byPath[IntrospectPath] = s.endpoint(IntrospectName, (*exchange).introspect)
	s.byPath[RevokePath] = s.endpoint(RevokeName, (*exchange).revoke)
	return s, nil
}

// ServeHTTP implements http.Handler. Paths other than [Paths] are a 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if endpoint, found := s.byPath[r.URL.Path]; found {
		endpoint.ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}
