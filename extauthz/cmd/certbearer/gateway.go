package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/listener"
	"github.com/certbearer/certbearer/extauthz/revocations"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/dirsource"
)

// What has to be loaded before requests may come.
const (
	needClients = "clients"
	needKeys    = "keys"
	needCRLs    = "crls"
)

// drainDelay is the time in which whoever watches readyz or gRPC health learns
// that we are leaving, before we stop accepting.
const drainDelay = time.Second

// gateway is a running certbearer: what `serve` starts.
type gateway struct {
	config    *config.Config
	log       *slog.Logger
	holder    state.Holder
	source    *dirsource.Source
	keeper    *signer.Keeper
	recorder  *audit.Recorder
	metrics   *audit.Metrics
	registry  *prometheus.Registry
	cache     *tokens.Cache
	readiness *listener.Readiness
	evidence  *listener.Evidence
	servers   []listener.Server
	direct    *listener.HTTP // that ends TLS itself, nil if there is none
	proxies   *listener.HTTP // for those known by name or address, nil if there is none
	faults    faults
	refusals  refusals
	unknown   refusals // clients let in of whose revocation nobody knows

	crls        *revocations.Keeper // what CAs take back
	followed    func()              // tells that the first clients are there
	haveClients <-chan struct{}
	revocations *tokens.Revocations

	publishing sync.Mutex

	clientsChanged chan struct{} // wakes watchExpiries
	expiries       atomic.Pointer[policies.Expiries]
}

// newGateway opens what a configuration names. Whatever cannot be opened is an
// error, and then nothing is left open.
func newGateway(ctx context.Context, c *config.Config, log *slog.Logger) (_ *gateway, err error) {
	g := &gateway{
		config:    c,
		log:       log,
		source:    dirsource.New(sourceConfig(c)),
		keeper:    signer.NewKeeper(c.Keys.Directory, keyOptions(c), rotation(c)),
		registry:  prometheus.NewRegistry(),
		readiness: listener.NewReadiness(needClients, needKeys, needCRLs),

		clientsChanged: make(chan struct{}, 1),
	}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	if g.recorder, err = audit.Open(c.Audit.To, audit.Limits{}); err != nil {
		return nil, inSetting("audit.to", "audit", err)
	}
	if g.cache, err = tokens.NewCache(cacheOptions(c)); err != nil {
		return nil, err
	}
	if err := g.openCRLs(); err != nil {
		return nil, err
	}
	if err := g.openMetrics(); err != nil {
		return nil, err
	}
	server, err := g.newServer()
	if err != nil {
		return nil, err
	}
	if err := g.listen(ctx, server); err != nil {
		return nil, err
	}
	return g, g.openKeys(ctx)
}

func (g *gateway) openMetrics() error {
	var err error
	g.metrics, err = audit.NewMetrics(g.registry, audit.MetricsConfig{
		Routes:   append(routeNames(g.config), tokenendpoint.Names()...),
		Recorder: g.recorder,
		Cached:   g.cache.Len,
		CRLs:     g.shownCRLs,
		Version:  version,
		Revision: revision(),
	})
	if err != nil {
		return err
	}
	return errors.Join(
		g.registry.Register(collectors.NewGoCollector()),
		g.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})))
}

func (g *gateway) newServer() (*extauthz.Server, error) {
	table, err := routes(g.config)
	if err != nil {
		return nil, err
	}
	authenticator, err := authenticator(g.config)
	if err != nil {
		return nil, err
	}
	return extauthz.NewServer(extauthz.Config{
		State:                 &g.holder,
		Routes:                table,
		Authenticator:         authenticator.Asking(g.crls),
		Tokens:                g.cache,
		Audit:                 g.recorder,
		Metrics:               g.metrics,
		Issuer:                g.config.Issuer,
		DefaultAudience:       g.config.Audience,
		InjectedTokenLifetime: g.config.InjectedTokenLifetime,
		EndpointOrigin:        config.Origin(g.config.Issuer),
		EndpointPaths:         tokenendpoint.Paths(),
		EndpointHosts:         endpointHosts(g.config),
		RemoveHeaders:         certificateHeaders(g.config),
		Shadow:                g.config.Mode == config.ModeShadow,
		ClientModes:           clientModes(g.config),
		InFlight:              g.config.Limits.InFlight,
		Panicked:              func(value any, stack []byte) { g.logPanic("a check", value, stack) },
		RevocationUnknown:     g.revocationUnknown,
	})
}

// listen opens the sockets. The one for checks comes first: it is the one whose
// settings can be unsafe.
func (g *gateway) listen(ctx context.Context, server *extauthz.Server) error {
	var err error
	g.evidence, err = listener.ListenEvidence(ctx, listener.EvidenceConfig{
		Address:   g.config.Listen.GRPC,
		Callers:   callers(g.config),
		Readiness: g.readiness,
		Events:    g.events("listen.grpc", inCallers),
	})
	if err != nil {
		return inCallers(err)
	}
	g.servers = append(g.servers, g.evidence)
	authv3.RegisterAuthorizationServer(g.evidence, server)
	g.metrics.SetUnauthenticated(g.evidence.Unauthenticated())
	if err := g.listenPublic(ctx); err != nil {
		return err
	}
	if err := g.listenProxies(ctx, server); err != nil {
		return err
	}
	return g.listenHTTP(ctx, "listen.ops", g.config.Listen.Ops, g.opsHandler())
}

// events are told by a listener. key is the setting that its TLS files are of, in
// names it in an error.
func (g *gateway) events(key string, in func(error) error) listener.Events {
	return listener.Events{
		Panicked: func(p listener.Panic) {
			g.metrics.Panicked()
			g.logPanic(p.Where, p.Value, p.Stack)
		},
		Reloaded: func(err error) {
			g.metrics.Reloaded(audit.SubjectTLS, err)
			g.logReload("the certificates of "+key, in(err))
		},
	}
}

// revocationUnknown tells of clients that soft mode lets in, once a minute at most: a
// responder that is down concerns every request.
func (g *gateway) revocationUnknown(client string, why error) {
	if more, ok := g.unknown.tell(time.Now()); ok {
		g.log.Warn("a client was let in although it is not known whether its certificate is revoked", "client", client, "problem", why.Error(), "more_since_the_last_line", more)
	}
}

// panicked is for a panic of an endpoint that was made a refusal.
func (g *gateway) panicked(value any, stack []byte) {
	g.metrics.Panicked()
	g.logPanic("an endpoint", value, stack)
}

func (g *gateway) logPanic(where string, value any, stack []byte) {
	g.log.Error("a request panicked and was refused", "where", where, "panic", panicText(value), "stack", string(stack))
}

// panicText says what a panic was about without its value, which may hold what
// a request brought. The runtime's own errors hold none of that.
func panicText(value any) string {
	var fault runtime.Error
	if err, ok := value.(error); ok && errors.As(err, &fault) {
		return fault.Error()
	}
	return fmt.Sprintf("a value of type %T", value)
}

// run serves until ctx ends and everything under way has finished, or something
// fails.
func (g *gateway) run(ctx context.Context) error {
	if g.evidence.Unauthenticated() {
		g.log.Warn("callers: unauthenticated: whoever can reach listen.grpc can have any client's token", "address", g.evidence.Addr().String())
	}
	for _, warning := range keyWarnings(g.config) {
		g.log.Warn(warning)
	}
	for _, warning := range append(endpointWarnings(g.config), proxyWarnings(g.config)...) {
		g.log.Warn(warning)
	}
	for _, warning := range shadowWarnings(g.config) {
		g.log.Warn(warning)
	}
	if hops := g.config.Certificate.Hops; hops > 1 {
		g.log.Warn("certificate.hops: whoever can reach the calling proxy, and is not the proxy in front of it, can name any client's certificate", "hops", hops)
	}
	for _, server := range g.servers {
		g.log.Info("listening", "address", server.Addr().String())
	}
	defer context.AfterFunc(ctx, func() { g.log.Info("draining") })()
	serving, stopServing := context.WithCancelCause(ctx)
	defer stopServing(nil)
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	loops.Go(func() { g.cache.Run(background) })
	loops.Go(func() { g.watchRevocations(background) })
	loops.Go(func() { _ = g.crls.Run(background) }) // whose error is that it runs already
	loops.Go(func() { g.awaitCRLs(background) })
	loops.Go(func() { g.watchExpiries(background) })
	loops.Go(func() { g.keeper.Run(background, g.keysReported) })
	loops.Go(func() {
		if err := g.source.Run(background, g.publishClients); err != nil {
			stopServing(inSetting("clients.directory", "clients", err))
		}
	})
	group := listener.Group{Servers: g.servers, Readiness: g.readiness, DrainDelay: g.drainDelay()}
	err := group.Serve(serving)
	stopBackground()
	loops.Wait()
	if cause := context.Cause(serving); cause != nil && ctx.Err() == nil {
		err = errors.Join(cause, err)
	}
	g.log.Info("stopped")
	return errors.Join(err, g.closeAudit())
}

// drainDelay is for callers that look at our readiness. Where Envoy finds us by
// a socket, nobody does, and a stop need not take longer.
func (g *gateway) drainDelay() time.Duration {
	if !listensBeyond(g.config) {
		return 0
	}
	return drainDelay
}

func (g *gateway) publish(change func(state.State) state.State) uint64 {
	g.publishing.Lock() // so that the gauge follows the order of publications
	defer g.publishing.Unlock()
	generation := g.holder.Publish(change)
	g.metrics.SetGeneration(generation)
	return generation
}

func (g *gateway) publishClients(snapshot *policies.Snapshot, report policies.Report) {
	g.faults.setClients(snapshot, report)
	for _, fault := range report.Faults {
		g.log.Error("client document not in use", "fault", fault.Error())
	}
	for _, warning := range report.Warnings {
		g.log.Warn("client document", "warning", warning.Error())
	}
	g.metrics.Reloaded(audit.SubjectClients, firstFault(report.Faults))
	g.publishCRLs(report.CRLs)
	if report.Kept {
		g.log.Warn(keptText(snapshot), "documents", report.Documents, "faults", len(report.Faults))
	}
	if snapshot == nil {
		return
	}
	g.crls.Follow(snapshot)
	generation := g.publish(func(s state.State) state.State {
		s.Clients = snapshot
		return s
	})
	g.metrics.SetClients(audit.Clients{
		Active: snapshot.Count(policies.StatusActive),
		Off:    snapshot.Count(policies.StatusOff),
		Error:  snapshot.Count(policies.StatusError),
		Faulty: len(report.Faults),
	})
	g.tellShadow(snapshot)
	g.clientsPublished()
	g.log.Info("clients loaded", "clients", snapshot.Len(), "documents", report.Documents, "faults", len(report.Faults), "generation", generation)
	g.readiness.Lift(needClients)
	g.followed()
}

// keptText says what clients.strict has done about faults.
func keptText(snapshot *policies.Snapshot) string {
	if snapshot == nil {
		return "clients.strict: no client is loaded until every fault is mended"
	}
	return "clients.strict: the whole last good set stays in use, but for clients turned off, until every fault is mended"
}

func firstFault(faults []policies.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &faults[0]
}

// reload reads everything again that a file holds, but not the configuration
// itself: that takes a restart.
func (g *gateway) reload() {
	g.log.Info("reloading clients, keys and the audit file")
	g.source.Reload()
	g.keeper.Reload()
	err := inSetting("audit.to", "audit", g.recorder.Reopen())
	g.faults.setAudit(err)
	g.metrics.Reloaded(audit.SubjectAudit, err)
	if err != nil {
		g.log.Error("the audit file that is open stays in use", "error", err.Error())
	}
}

func (g *gateway) logReload(what string, err error) {
	if err != nil {
		g.log.Error("the last good files stay in use", "what", what, "error", err.Error())
		return
	}
	g.log.Info("read again", "what", what)
}

// close frees what was opened and never served.
func (g *gateway) close() {
	for _, server := range g.servers {
		if closer, ok := server.(interface{ Close() error }); ok {
			_ = closer.Close() // the error that brought us here says more
		}
	}
	if g.recorder != nil {
		_ = g.closeAudit()
	}
}

// auditPatience bounds the writing of the last records.
const auditPatience = 2 * time.Second

func (g *gateway) closeAudit() error {
	ctx, cancel := context.WithTimeout(context.Background(), auditPatience)
	defer cancel()
	if err := g.recorder.Close(ctx); err != nil {
		return inSetting("audit.to", "audit", err)
	}
	return nil
}
