package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/oauthanswer"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

// replayer decides recorded requests again, each at its own time.
type replayer struct {
	settings *config.Config
	clients  *policies.Snapshot
	known    knownRevocations
	table    *extauthz.Routes
	decide   *extauthz.Explainer
	endpoint *authn.Authenticator
}

func newReplayer(c *console, settings *config.Config) (*replayer, error) {
	clients, known, err := loadClients(c, settings)
	if err != nil {
		return nil, err
	}
	table, err := routes(settings)
	if err != nil {
		return nil, err
	}
	// What the proxy forwarded was read already: the certificates of the record are the
	// evidence, wherever they stood.
	gateway, err := peercert.NewReader(peercert.Config{From: peercert.Peer})
	if err != nil {
		return nil, err
	}
	direct, err := peercert.NewReader(peercert.Config{From: peercert.TLS})
	if err != nil {
		return nil, err
	}
	return &replayer{
		settings: settings, clients: clients, known: known, table: table,
		decide: explainerWith(settings, table, authn.New(gateway)), endpoint: authn.New(direct),
	}, nil
}

// replay is what became of a recorded request, and what would become of it now.
type replay struct {
	record audit.Recorded
	from   string // where the certificates are from
	now    *explanation
	again  bool // the record holds all that the decision hung on
	facts  []string
}

// errNoCertificate is for a record that names a certificate and does not hold it.
var errNoCertificate = errors.New("names a certificate and does not hold it: an earlier record of the same thumbprint has it, which --audit FILE finds, or give it with --cert")

// run decides the record again. presented are certificates that the caller gave, nil for
// none.
func (p *replayer) run(ctx context.Context, record audit.Recorded, from string, presented []*x509.Certificate) (*replay, error) {
	r := &replay{record: record, from: from, again: decidedByCertificate(record.Reason)}
	switch {
	case presented != nil && record.Thumbprint == "":
		return nil, errors.New("--cert: the record names no certificate; explain without a record takes one")
	case presented != nil:
		if thumbprintOf(presented[0]) != record.Thumbprint {
			return nil, errors.New("--cert: is another certificate than that of the record")
		}
		r.record.Chain, r.from = presented, "--cert"
	case record.Thumbprint != "" && len(record.Chain) == 0:
		pinned, err := p.pinned(record.Thumbprint)
		if err != nil {
			return nil, err
		}
		if pinned == nil {
			return nil, errNoCertificate
		}
		r.record.Chain, r.from = []*x509.Certificate{pinned}, "a client's trust store"
	}
	var trace decision.Trace
	in := newWorld(p.clients, p.known, r.record.Chain, record.ClientID, record.Time)
	r.now = newExplanation(p.again(ctx, in.state(), r.record, &trace), trace.Entries())
	r.now.readFrom(r.from)
	if !atEndpoint(record) {
		r.now.describeToken(p.settings, record.Time)
	}
	err := r.now.inquire(p.settings.Clients.Directory, in, func(w world) extauthz.Explanation {
		other := r.record
		other.Chain, other.ClientID, other.Time = w.presented, w.clientID, w.at
		return p.again(ctx, w.state(), other, nil)
	})
	if err != nil {
		return nil, err
	}
	r.facts, err = p.facts(r)
	return r, err
}

// again decides the record once more.
func (p *replayer) again(ctx context.Context, st *state.State, record audit.Recorded, t *decision.Trace) extauthz.Explanation {
	if atEndpoint(record) {
		return p.atEndpoint(ctx, st, record, t)
	}
	return p.atGateway(ctx, st, record, t)
}

// atEndpoint tells the record of an endpoint of ours from that of the check before it.
func atEndpoint(record audit.Recorded) bool {
	switch record.Reason {
	case decision.AllowedEndpoint, decision.RouteUnmatched, decision.PathAmbiguous:
		return false
	}
	return slices.Contains(tokenendpoint.Names(), record.Route) && slices.Contains(tokenendpoint.Paths(), record.Path)
}

func (p *replayer) atGateway(ctx context.Context, st *state.State, record audit.Recorded, t *decision.Trace) extauthz.Explanation {
	request := recordedRequest(record)
	route, err := p.table.Select(request, nil)
	elsewhere := err != nil || route.Name != record.Route || record.Reason == decision.AllowedEndpoint
	if elsewhere && p.has(record.Route) {
		// The proxy named the route: it need not be the one that its request matches, and
		// for an endpoint of ours it says that the request leads here.
		request.ContextExtensions = map[string]string{"certbearer.route": record.Route}
	}
	return p.decide.Explain(ctx, st, request, record.ClientID, t)
}

func (p *replayer) has(route string) bool {
	return slices.ContainsFunc(p.settings.Routes, func(r config.Route) bool { return r.Name == route })
}

// recordedRequest is the check of the record, as far as it is recorded.
func recordedRequest(record audit.Recorded) *wire.Request {
	request := &wire.Request{ID: record.RequestID}
	request.Method, request.Host, request.Path, request.At = record.Method, record.Host, record.Path, record.Time
	headers := make(map[string][]string)
	if len(record.Chain) > 0 {
		var ders [][]byte
		for _, certificate := range record.Chain {
			ders = append(ders, certificate.Raw)
		}
		request.PeerCertificate = []byte(envoyPEM(ders[0]))
		headers["x-forwarded-client-cert"] = []string{forwardedHeader(ders, 0)}
	}
	if record.Reason == decision.AllowedPreflight {
		headers["origin"], headers["access-control-request-method"] = []string{"https://recorded.invalid"}, []string{"GET"}
	}
	request.Header = func(name string) []string { return headers[name] }
	return request
}

// atEndpoint authenticates as our endpoints do. What they decide after that hangs on the
// parameters, which no record has.
func (p *replayer) atEndpoint(ctx context.Context, st *state.State, record audit.Recorded, t *decision.Trace) extauthz.Explanation {
	claim := authn.Claim{Hint: policies.Hint{Parameter: record.ClientID}}
	identity, err := p.endpoint.Authenticate(ctx, st, peercert.Presented{TLSChain: record.Chain}, claim, record.Time, t)
	if err == nil {
		return extauthz.Explanation{Reason: decision.AllowedEndpoint, Identity: identity}
	}
	reason := decision.ReasonOf(err)
	answer, _ := oauthanswer.Of(reason)
	return extauthz.Explanation{Reason: reason, Err: err, Identity: identity, Status: answer.Status, OAuthError: answer.Error}
}

// decidedByCertificate reports that the reason follows from what a record holds: the
// certificate, the clients, host, path and method.
func decidedByCertificate(reason decision.Reason) bool {
	switch reason {
	case decision.Allowed, decision.AllowedPublic, decision.AllowedPreflight, decision.AllowedEndpoint, decision.AllowedForeign,
		decision.TokenIssued, decision.TokenIntrospected, decision.RevocationAccepted,
		decision.PathAmbiguous, decision.RouteUnmatched, decision.CertificateMissing,
		decision.ClientUnknown, decision.ClientAmbiguous, decision.ClientConflict, decision.ClientInactive, decision.AnchorSharedUnbound,
		decision.CertificateNotPinned, decision.CertificateExpired, decision.CertificateNotYetValid, decision.CertificateIsCA, decision.CertificatePurpose,
		decision.KeyWeak, decision.KeyUnsupported, decision.SignatureWeak, decision.CriticalExtensionUnknown,
		decision.PathNotFound, decision.PathInvalid, decision.PathExpired, decision.PathTooComplex, decision.SubjectMismatch,
		decision.AudienceNotAllowed:
		return true
	}
	return false
}

func thumbprintOf(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// pinned returns the certificate of a thumbprint from a client's trust store, nil if
// none has it.
func (p *replayer) pinned(thumbprint string) (*x509.Certificate, error) {
	var found *x509.Certificate
	err := eachDocument(p.settings.Clients.Directory, func(_ string, _ int, document policies.Document) {
		for _, entry := range document.TrustStore {
			if found == nil && thumbprintOf(entry.Certificate) == thumbprint {
				found = entry.Certificate
			}
		}
	})
	return found, err
}

// same reports that the request would be decided as it was.
func (r *replay) same() bool {
	if aboutRevocation(r.record.Reason) {
		return r.now.Reason == r.record.Reason
	}
	if r.again && r.now.Allowed && r.record.Reason.Allows() {
		return r.record.Client == "" || r.now.Client == "" || r.record.Client == r.now.Client
	}
	return r.again && r.now.Reason == r.record.Reason
}

// aboutRevocation tells the reasons that hang on what is known of revocations, besides
// what a record holds.
func aboutRevocation(reason decision.Reason) bool {
	switch reason {
	case decision.CertificateRevoked, decision.RevocationUnavailable, decision.RevocationStale:
		return true
	}
	return false
}

// unread reports that there was no certificate to decide by, and that one is needed:
// where it was looked for then is in the record, and the steps of now say nothing.
func (r *replay) unread() bool {
	return len(r.record.Chain) == 0 && r.now.Reason == decision.CertificateMissing
}

// comparison says in a sentence how now differs from then.
func (r *replay) comparison() string {
	now := "allow " + r.now.Reason.String()
	if !r.now.Allowed {
		now = "deny " + r.now.Reason.String()
	}
	switch {
	case r.same():
		return "the same is decided now"
	case !r.again && r.unread():
		return "the record holds neither what was refused then nor a certificate: nothing else can be decided of it"
	case !r.again && aboutRevocation(r.record.Reason):
		return fmt.Sprintf("what was known of revocations then is not in the record; by what explain knows now it is %s", now)
	case !r.again:
		return fmt.Sprintf("the record does not hold what was refused then; all that it holds comes to %s now", now)
	case r.now.Reason == r.record.Reason:
		return fmt.Sprintf("the client is another one now, %s: the clients or the configuration have changed", r.now.Client)
	}
	return fmt.Sprintf("now it is %s: the clients or the configuration have changed since", now)
}
