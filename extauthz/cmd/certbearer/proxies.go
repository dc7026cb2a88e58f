package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/listener"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/subrequest"
	"github.com/certbearer/certbearer/extauthz/wire"
)

// listenProxies opens what proxies ask at over HTTP: a socket for each that has
// one, and one listener for those that are known by name or address.
func (g *gateway) listenProxies(ctx context.Context, checks *extauthz.Server) error {
	var known []listener.Proxy
	for i, proxy := range g.config.Proxies {
		key := fmt.Sprintf("proxies[%d]", i)
		handler, err := g.proxyHandler(checks, proxy)
		if err != nil {
			return inSetting(key, "peercert", err)
		}
		if err := g.listenHTTP(ctx, key+".socket", proxy.Socket, handler); err != nil {
			return err
		}
		if proxy.Socket == "" {
			known = append(known, listener.Proxy{Name: proxy.Name, SANs: proxy.MTLS, Addresses: networks(proxy.Addresses), Handler: handler})
		}
	}
	if len(known) == 0 {
		return nil
	}
	settings := g.config.Listen.Proxies
	events := g.events("listen.proxies", inProxies)
	events.Refused = g.proxyRefused
	server, err := listener.ListenProxies(ctx, listener.ProxiesConfig{
		Address: settings.Address, Proxies: known, TLS: proxiesTLS(settings), Events: events, Log: g.log,
	})
	if err != nil {
		return inProxies(err)
	}
	g.proxies = server
	g.servers = append(g.servers, server)
	return nil
}

// proxyHandler serves one proxy: its checks, our endpoints with the certificate of
// the header that it writes, keys and metadata, and whether to send requests here.
func (g *gateway) proxyHandler(checks *extauthz.Server, proxy config.Proxy) (http.Handler, error) {
	reader, err := peercert.NewReader(evidenceOf(proxy.Format, proxy.Header))
	if err != nil {
		return nil, err
	}
	by := authn.For(proxy.Name, reader).Asking(g.crls)
	published, err := g.publicHandler(by, forwarded, keptRequestID, unknownSource)
	if err != nil {
		return nil, err
	}
	published["/livez"], published["/readyz"] = http.HandlerFunc(livez), http.HandlerFunc(g.readyz)
	if !asks(proxy) {
		return withRequestID(newID, published), nil
	}
	asked, err := subrequest.Handler(subrequest.Config{
		RequestID: keptRequestID,
		Decide: func(ctx context.Context, read func() (wire.Request, error)) wire.Response {
			return checks.Decide(ctx, by, read)
		},
	})
	if err != nil {
		return nil, err
	}
	return withRequestID(proxyOrNewID, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subrequest.IsCheck(r) {
			asked.ServeHTTP(w, r)
			return
		}
		published.ServeHTTP(w, r)
	})), nil
}

// asks reports a proxy that can ask about requests. A load balancer of a cloud cannot:
// it would lead its clients' own questions here, and give them tokens that are for
// services. Nor does it set x-request-id, so that a client's would be taken for its.
// One that writes RFC 9440 is known by its address, which is all that it has.
func asks(proxy config.Proxy) bool {
	switch proxy.Format {
	case config.FormatALB, config.FormatALBLeaf:
		return false
	case config.FormatRFC9440:
		return len(proxy.Addresses) == 0
	}
	return true
}

// evidenceOf says where and how a proxy writes the client's certificate.
func evidenceOf(format config.Format, header string) peercert.Config {
	if format == config.FormatXFCC {
		return peercert.Config{From: peercert.XFCC}
	}
	return peercert.Config{From: peercert.Header, Header: header, Format: peercert.Format(format)}
}

// forwarded is for requests of a proven proxy, whose header counts.
func forwarded(r *http.Request, _ *state.State, _ time.Time) peercert.Presented {
	return peercert.Presented{Header: func(name string) []string { return r.Header[http.CanonicalHeaderKey(name)] }}
}

// proxyOrNewID is the id that the proxy gave the request, or a new one.
func proxyOrNewID(r *http.Request) string {
	if ids := r.Header["X-Request-Id"]; len(ids) == 1 && isRequestID(ids[0]) {
		return ids[0]
	}
	return newID(r)
}

// isRequestID reports a text that can stand in records and answers as it is.
func isRequestID(text string) bool {
	const most = 128
	return text != "" && len(text) <= most && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

func networks(texts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text)) // config has read them
	}
	return all
}

func proxiesTLS(settings config.ListenProxies) *listener.ProxiesTLS {
	if settings.Certificate == "" {
		return nil
	}
	return &listener.ProxiesTLS{Certificate: settings.Certificate, Key: settings.Key, TrustedCA: settings.TrustedCA}
}

// certificateHeaders are the headers in which an upstream could believe a
// certificate: those of proxies in common use, and those that are configured here.
func certificateHeaders(c *config.Config) []string {
	names := envoy.CertificateHeaders()
	sources := []peercert.Config{evidenceOf(c.Certificate.Format, c.Certificate.Header)}
	if c.Certificate.From != config.FromHeader {
		sources = nil
	}
	for _, proxy := range c.Proxies {
		if proxy.Format != config.FormatXFCC {
			sources = append(sources, evidenceOf(proxy.Format, proxy.Header))
		}
	}
	for _, source := range sources {
		reader, err := peercert.NewReader(source)
		if err != nil {
			continue // whoever reads by it says so
		}
		for _, name := range reader.Headers() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// proxyWarnings says which proxies are believed without a proof, and what passes
// in the clear.
func proxyWarnings(c *config.Config) []string {
	var warnings []string
	for i, proxy := range c.Proxies {
		if len(proxy.Addresses) > 0 {
			warnings = append(warnings, fmt.Sprintf("proxies[%d].addresses: whoever can connect to listen.proxies from %s is believed as proxy %s, and can have any client's token",
				i, strings.Join(proxy.Addresses, ", "), proxy.Name))
		}
	}
	settings := c.Listen.Proxies
	host, _, err := net.SplitHostPort(settings.Address)
	if ip, notIP := netip.ParseAddr(host); err == nil && settings.Certificate == "" && (notIP != nil || !ip.IsLoopback()) {
		warnings = append(warnings, "listen.proxies: is plain HTTP: tokens pass it in the clear; give it a certificate and key")
	}
	return warnings
}

// refusals tells of what comes too often for a line each, such as connections that
// are no proxy's: once a minute at most.
type refusals struct {
	mu    sync.Mutex
	last  time.Time
	since int // those that were not told
}

const refusalsEvery = time.Minute

func (r *refusals) tell(at time.Time) (since int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.last.IsZero() && at.Sub(r.last) < refusalsEvery {
		r.since++
		return 0, false
	}
	since, r.since, r.last = r.since, 0, at
	return since, true
}

// proxyRefused counts a connection that is no proxy's.
func (g *gateway) proxyRefused(remote net.Addr, err error) {
	g.metrics.ProxyRefused()
	if more, ok := g.refusals.tell(time.Now()); ok {
		g.log.Warn("a connection to listen.proxies was refused", slog.String("remote", remote.String()), slog.String("error", err.Error()), slog.Int("more_since_the_last_line", more))
	}
}

// listensBeyond reports that somebody looks at our readiness before sending requests.
func listensBeyond(c *config.Config) bool {
	return c.Callers.Proof != config.ProofSocket || c.Listen.Proxies.Address != ""
}
