package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/certbearer/certbearer/extauthz/listener"
	"github.com/certbearer/certbearer/policies"
)

// opsHandler serves operators: probes, faults, metrics.
func (g *gateway) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", livez)
	mux.HandleFunc("GET /readyz", g.readyz)
	mux.HandleFunc("GET /healthz", g.healthz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.registry, promhttp.HandlerOpts{}))
	return mux
}

func livez(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"live": true})
}

// readyz says whether requests should come here: 200, or 503 with the reasons.
func (g *gateway) readyz(w http.ResponseWriter, _ *http.Request) {
	reasons := g.readiness.Reasons()
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, map[string]any{"ready": len(reasons) == 0, "waiting_for": reasons})
}

// health is what an operator should know. Its JSON is an interface.
type health struct {
	// Healthy is false if something is configured that is not in use.
	Healthy bool `json:"healthy"`
	// CallersUnauthenticated warns: whoever reaches the socket is believed.
	CallersUnauthenticated bool   `json:"callers_unauthenticated"`
	Generation             uint64 `json:"generation"`
	Clients                int    `json:"clients"`
	// Shadow is what is in shadow: its requests pass as they came.
	Shadow   inShadow `json:"shadow"`
	Faults   []string `json:"faults"`
	Warnings []string `json:"warnings"`
}

// healthz answers 200 while everything configured is in use, 500 with the
// faults otherwise. It is for alerts: a fault does not stop us from serving what
// was good before.
func (g *gateway) healthz(w http.ResponseWriter, _ *http.Request) {
	st := g.holder.Load()
	h := health{
		CallersUnauthenticated: g.evidence.Unauthenticated(),
		Generation:             st.Generation,
		Faults:                 g.faults.texts(),
		Warnings:               append([]string{}, slices.Concat(g.keyWarnings(st), proxyWarnings(g.config), g.faults.warnings())...),
		Shadow:                 shadowOf(g.config, st.Clients),
	}
	crlFaults, crlWarnings := g.crlTroubles(time.Now())
	h.Faults, h.Warnings = append(h.Faults, crlFaults...), append(h.Warnings, crlWarnings...)
	h.Warnings = append(h.Warnings, clientShadowWarnings(g.config, h.Shadow.Clients)...)
	h.Warnings = append(h.Warnings, expiryWarnings(g.expiries.Load())...)
	if st.Clients != nil {
		h.Clients = st.Clients.Len()
	}
	for _, err := range g.currentFaults() {
		if err != nil {
			h.Faults = append(h.Faults, err.Error())
		}
	}
	h.Healthy = len(h.Faults) == 0
	status := http.StatusOK
	if !h.Healthy {
		status = http.StatusInternalServerError
	}
	answer(w, status, h)
}

// currentFaults are those that who has them can tell at any moment; nil for none.
func (g *gateway) currentFaults() []error {
	all := []error{inCallers(g.evidence.Fault()), inSetting("audit.to", "audit", g.recorder.Fault())}
	if g.direct != nil {
		all = append(all, inDirect(g.direct.Fault()))
	}
	if g.proxies != nil {
		all = append(all, inProxies(g.proxies.Fault()))
	}
	return all
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked has gone
}

// faults remembers what could not be loaded.
type faults struct {
	mu          sync.Mutex
	clients     policies.Report
	kept        string // what strict reading has done about clients' faults
	keys        []error
	audit       error // of opening it anew
	revocations error
}

func (f *faults) setRevocations(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revocations = inSetting("revocations.file", "revocations", err)
}

func (f *faults) setClients(snapshot *policies.Snapshot, report policies.Report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clients, f.kept = report, ""
	if report.Kept {
		f.kept = keptText(snapshot)
	}
}

func (f *faults) setAudit(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.audit = err
}

// setKeys takes the faults of the keys folder, of which each may be nil.
func (f *faults) setKeys(errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = errs
}

// texts returns the faults, never nil.
func (f *faults) texts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []string{}
	for _, err := range append(slices.Clone(f.keys), f.audit, f.revocations) {
		if err != nil {
			out = append(out, err.Error())
		}
	}
	if f.kept != "" {
		out = append(out, f.kept)
	}
	for _, fault := range slices.Concat(f.clients.Faults, f.clients.CRLs.Faults) {
		out = append(out, "clients: "+fault.Error())
	}
	return out
}

func (f *faults) warnings() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []string{}
	for _, warning := range slices.Concat(f.clients.Warnings, f.clients.CRLs.Warnings) {
		out = append(out, "clients: "+warning.Error())
	}
	return out
}

// listenHTTP opens a listener and adds it to the servers; an empty address is
// none.
func (g *gateway) listenHTTP(ctx context.Context, name, address string, handler http.Handler) error {
	if address == "" {
		return nil
	}
	server, err := listener.ListenHTTP(ctx, listener.HTTPConfig{Address: address, Handler: handler, Events: g.events(name, func(err error) error { return inSetting(name, "listener", err) }), Log: g.log})
	if err != nil {
		return inSetting(name, "listener", err)
	}
	g.servers = append(g.servers, server)
	return nil
}

// crlFiles are the lists in use beside the client documents.
func (f *faults) crlFiles() []policies.CRLFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clients.CRLs.Files
}
