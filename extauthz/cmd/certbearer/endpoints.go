package main

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/discovery"
	"github.com/certbearer/certbearer/extauthz/listener"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/extauthz/tokens"
)

// longestJWKSAge is how long others may keep the key set at most.
const longestJWKSAge = 5 * time.Minute

// jwksAge is half the time for which a new key is published before it signs, or
// less: who keeps the set for that long reads it once more before the key's
// first token.
func jwksAge(c *config.Config) time.Duration { return min(longestJWKSAge, c.Keys.PublishAhead/2) }

// listenPublic opens the listeners of our own endpoints: the plain one behind the
// proxy, which knows certificates by signed statements, and the one that ends TLS
// itself.
func (g *gateway) listenPublic(ctx context.Context) error {
	// Without endpoints too: a token of another replica's may come to this gateway.
	if err := g.loadRevocations(); err != nil {
		return err
	}
	if g.config.Listen.HTTP == "" && g.config.Listen.TLS.Address == "" {
		return nil
	}
	behindProxy, err := g.publicHandlerFrom(peercert.Statement, g.stated, proxyRequestID, unknownSource)
	if err != nil {
		return err
	}
	if err := g.listenHTTP(ctx, "listen.http", g.config.Listen.HTTP, behindProxy); err != nil {
		return err
	}
	if g.config.Listen.TLS.Address == "" {
		return nil
	}
	direct, err := g.publicHandlerFrom(peercert.TLS, handshake, keptRequestID, remoteHost)
	if err != nil {
		return err
	}
	return g.listenTLS(ctx, withRequestID(newID, direct))
}

// presenting says what is known of the certificate of a request's connection.
type presenting func(*http.Request, *state.State, time.Time) peercert.Presented

func (g *gateway) publicHandlerFrom(source peercert.Source, presented presenting, requestID, from func(*http.Request) string) (http.Handler, error) {
	reader, err := peercert.NewReader(peercert.Config{From: source})
	if err != nil {
		return nil, err
	}
	return g.publicHandler(authn.New(reader).Asking(g.crls), presented, requestID, from)
}

// publicHandler serves what anybody may ask: keys, metadata, and the endpoints.
func (g *gateway) publicHandler(by *authn.Authenticator, presented presenting, requestID, from func(*http.Request) string) (exact, error) {
	endpoints, err := tokenendpoint.New(tokenendpoint.Config{
		State:         &g.holder,
		Authenticator: by,
		Presented:     presented,
		RequestID:     requestID,
		Source:        from,
		Audit:         g.recorder,
		Metrics:       g.metrics,
		Revoke:        g.revoke,
		Panicked:      g.panicked,

		RevocationUnknown: g.revocationUnknown,
		Issuer:            g.config.Issuer,
		DefaultAudience:   g.config.Audience,
		IgnoreSecrets:     g.config.Compatibility == config.CompatibilityMedplum,
		InFlight:          g.config.Limits.InFlight,
	})
	if err != nil {
		return nil, err
	}
	published := exact{discovery.JWKSPath: g.jwks()}
	for _, path := range tokenendpoint.Paths() {
		published[path] = endpoints
	}
	return published, g.addMetadata(published)
}

// exact leads each path to its handler as it stands. http.ServeMux would answer
// another spelling of it with a redirection that repeats the query.
type exact map[string]http.Handler

// ServeHTTP answers 404 for every other path.
func (e exact) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler, found := e[r.URL.Path]; found {
		handler.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "not found", http.StatusNotFound)
}

func (g *gateway) jwks() http.Handler {
	return discovery.JWKS(func() *signer.Keys { return g.holder.Load().Keys }, jwksAge(g.config))
}

func (g *gateway) addMetadata(published exact) error {
	origin := config.Origin(g.config.Issuer)
	metadata, err := discovery.Metadata(discovery.Server{
		Issuer:         g.config.Issuer,
		Origin:         origin,
		MTLSOrigin:     g.config.MTLSOrigin,
		TokenPath:      tokenendpoint.TokenPath,
		IntrospectPath: tokenendpoint.IntrospectPath,
		RevokePath:     tokenendpoint.RevokePath,
		AuthMethods:    []string{"tls_client_auth", "self_signed_tls_client_auth"},
	})
	if err != nil {
		return err
	}
	path, err := discovery.MetadataPathOf(g.config.Issuer)
	if err != nil {
		return err
	}
	published[path] = metadata
	return nil
}

// directIdle is short, because strangers can connect, and are up to the limit of
// connections.
const directIdle = 10 * time.Second

func (g *gateway) listenTLS(ctx context.Context, handler http.Handler) error {
	settings := g.config.Listen.TLS
	server, err := listener.ListenHTTP(ctx, listener.HTTPConfig{
		Address: settings.Address,
		Handler: handler,
		TLS:     &listener.TLS{Certificate: settings.Certificate, Key: settings.Key},
		Limits:  listener.HTTPLimits{IdleTimeout: directIdle},
		Events:  g.events("listen.tls", inDirect),
		Log:     g.log,
	})
	if err != nil {
		return inDirect(err)
	}
	g.direct = server
	g.servers = append(g.servers, server)
	return nil
}

// stated is for requests by way of the proxy: only a statement of our own says
// which certificate it saw.
func (g *gateway) stated(r *http.Request, st *state.State, at time.Time) peercert.Presented {
	return peercert.Presented{
		Header: func(name string) []string { return r.Header[http.CanonicalHeaderKey(name)] },
		Statement: &peercert.StatementTerms{
			Key: func(id string) ([]byte, bool) {
				key, known := st.Statement.ByID(id, at)
				return key.Secret[:], known
			},
			Endpoint: config.Origin(g.config.Issuer) + r.URL.Path,
			Method:   r.Method,
			At:       at,
		},
	}
}

// handshake is for connections whose TLS we ended ourselves. No header counts.
func handshake(r *http.Request, _ *state.State, _ time.Time) peercert.Presented {
	if r.TLS == nil {
		return peercert.Presented{}
	}
	return peercert.Presented{TLSChain: r.TLS.PeerCertificates}
}

// proxyRequestID is the id that Envoy gave the request.
func proxyRequestID(r *http.Request) string { return r.Header.Get("X-Request-Id") }

func unknownSource(*http.Request) string { return "" }

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// requestIDKey is where withRequestID leaves the id of a request.
type requestIDKey struct{}

// newID gives a request an id, as Envoy would. What a caller calls its request is not
// taken for one.
func newID(*http.Request) string { return rand.Text() }

// withRequestID keeps the id of each request and tells it to the caller.
func withRequestID(idOf func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := idOf(r)
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// keptRequestID is the id that withRequestID has kept.
func keptRequestID(r *http.Request) string {
	id, _ := r.Context().Value(requestIDKey{}).(string)
	return id
}

// loadRevocations opens the file and reads what is revoked: without knowing that,
// nothing may be accepted.
func (g *gateway) loadRevocations() error {
	var err error
	if g.revocations, err = tokens.OpenRevocations(g.config.Revocations.File); err != nil {
		return inSetting("revocations.file", "revocations", err)
	}
	revoked, err := g.revocations.Load(time.Now())
	if err != nil {
		return inSetting("revocations.file", "revocations", err)
	}
	g.putRevoked(revoked)
	return nil
}

// revoke keeps a revocation on the disk and puts it in force here. Other processes
// on the same file see it within a second.
func (g *gateway) revoke(ctx context.Context, one tokens.Revocation) error {
	revoked, err := g.revocations.Add(ctx, one, g.holder.Load().Revoked)
	if err != nil {
		g.log.Error("a revocation could not be kept", "error", err.Error())
		return err
	}
	g.putRevoked(revoked)
	return nil
}

func (g *gateway) watchRevocations(ctx context.Context) {
	g.revocations.Run(ctx, func(revoked *tokens.Revoked, err error) {
		g.faults.setRevocations(err)
		g.metrics.Reloaded(audit.SubjectRevocations, err)
		if err != nil {
			g.log.Error("what was revoked before stays revoked", "error", err.Error())
			return
		}
		g.putRevoked(revoked)
	})
}

// putRevoked adds to what is revoked. It publishes only what is new: a Generation
// is for changes.
func (g *gateway) putRevoked(revoked *tokens.Revoked) {
	at := time.Now()
	if current := g.holder.Load().Revoked; current.With(revoked, at).Equal(current) {
		return
	}
	var all *tokens.Revoked
	generation := g.publish(func(s state.State) state.State {
		all = s.Revoked.With(revoked, at)
		s.Revoked = all
		return s
	})
	g.log.Info("revocations loaded", "revoked", all.Len(), "generation", generation)
}

// endpointHosts are the names of the issuer and of the mTLS host, in lower case and
// without ports.
func endpointHosts(c *config.Config) []string {
	var hosts []string
	for _, text := range []string{c.Issuer, c.MTLSOrigin} {
		if origin, err := url.Parse(text); err == nil && origin.Hostname() != "" {
			hosts = append(hosts, strings.ToLower(origin.Hostname()))
		}
	}
	return hosts
}
