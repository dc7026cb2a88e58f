package config_test

import (
	"errors"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certbearer/certbearer/extauthz/config"
)

func FuzzParse(f *testing.F) {
	full, err := os.ReadFile(filepath.Join("testdata", "full.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(minimal))
	for _, seed := range []string{
		"", "---\n", "# nothing", "a: *b", "a: &b 1", "<<: {a: b}", "? {a: b}\n: c", "a: !!binary x", "\xff\xfe",
		"%YAML 1.1\n---\na: b\n...\n---\n", "{", "[[[[", "a:\n\t- b", "a: \"\\x2d----BEGIN\"", "issuer: [&a [*a]]",
		minimal + "routes: [{name: a, match: {host: \"*.b\", pathPrefix: /c, methods: [GET]}, access: public}, {name: d, clientId: e, scope: [f]}]\n",
		minimal + "routes: [{name: a, access: preflight}, {name: a}]\n",
		strings.Replace(minimal, socket, "127.0.0.1:1", 1) + "callers: {certificate: a, key: b, trustedCA: c, sans: [\"spiffe://d/e\"]}\n",
		strings.Replace(minimal, socket, "\"[::1]:0\"", 1) + "callers: unauthenticated\n",
		minimal + "proxies: [{name: a, socket: \"unix:/b\", header: x-c, format: nginx}]\n",
		strings.Replace(minimal, "{grpc", "{proxies: {address: \"[::]:1\", certificate: a, key: b, trustedCA: c}, grpc", 1) +
			"proxies: [{name: a, mtls: [\"spiffe://d/e\"], format: xfcc}, {name: b, addresses: [10.0.0.1, \"fd00::/8\"], format: alb}]\n",
		minimal + "certificate: {from: header, format: traefik}\n",
		minimal + "envoy: {upstream: \"https://[::1]:1\", jwtAuthn: true}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := config.Parse("c.yaml", data, baseDir)
		if err != nil {
			checkErrors(t, data, got, err)
			return
		}
		checkInvariants(t, got)
	})
}

func checkErrors(t *testing.T, data []byte, got *config.Config, err error) {
	var all config.Errors
	if got != nil || !errors.As(err, &all) || len(all) == 0 || len(all) > 101 {
		t.Fatalf("got %v and %T of %d", got, err, len(all))
	}
	lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") +
		strings.Count(string(data), "\u0085") + strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029") + 1
	for _, e := range all {
		if e.Line < 0 || e.Line > lines+1 {
			t.Errorf("line %d of %d: %v", e.Line, lines, e)
		}
		if text := e.Error(); !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x1b") || strings.Contains(text, "-----BEGIN") {
			t.Errorf("not fit to print: %q", text)
		}
	}
}

var address = regexp.MustCompile(`^(unix:/.+|.+:[0-9]{1,5})$`)

func checkInvariants(t *testing.T, c *config.Config) {
	issuer, err := url.Parse(c.Issuer)
	if err != nil || issuer.Scheme != "https" || issuer.Host == "" || strings.ContainsAny(c.Issuer, "?#@ ") {
		t.Errorf("issuer %q", c.Issuer)
	}
	for _, path := range []string{c.Clients.Directory, c.Keys.Directory} {
		if !filepath.IsAbs(path) {
			t.Errorf("path %q", path)
		}
	}
	for _, text := range []string{c.Listen.GRPC, c.Envoy.Listen} {
		if !address.MatchString(text) {
			t.Errorf("address %q", text)
		}
	}
	for _, text := range []string{c.Listen.HTTP, c.Listen.Ops, c.Envoy.AdminListen} {
		if text != "" && !address.MatchString(text) {
			t.Errorf("address %q", text)
		}
	}
	if c.Listen.Admin != "" {
		t.Errorf("admin %q", c.Listen.Admin)
	}
	checkProof(t, c)
	checkProxies(t, c)
	checkBounds(t, c)
	checkRoutes(t, c)
}

func checkProof(t *testing.T, c *config.Config) {
	unix := strings.HasPrefix(c.Listen.GRPC, "unix:")
	mtls := c.Callers.Certificate != "" && c.Callers.Key != "" && c.Callers.TrustedCA != "" && len(c.Callers.SANs) > 0
	switch c.Callers.Proof {
	case config.ProofSocket:
		if !unix || mtls {
			t.Errorf("a socket's proof at %s", c.Listen.GRPC)
		}
	case config.ProofMTLS:
		if unix || !mtls {
			t.Errorf("mTLS at %s with %+v", c.Listen.GRPC, c.Callers)
		}
	case config.ProofNone:
		if unix || mtls {
			t.Errorf("no proof at %s with %+v", c.Listen.GRPC, c.Callers)
		}
	default:
		t.Errorf("proof %q", c.Callers.Proof)
	}
}

// checkProxies holds each proxy to one way of being known, and two to different
// connections.
func checkProxies(t *testing.T, c *config.Config) {
	known := map[string]string{}
	for _, p := range c.Proxies {
		ways := 0
		for _, is := range []bool{p.Socket != "", len(p.MTLS) > 0, len(p.Addresses) > 0} {
			if is {
				ways++
			}
		}
		if ways != 1 || p.Name == "" || p.Header == "" || p.Header != strings.ToLower(p.Header) || p.Format == "" {
			t.Errorf("proxy %+v", p)
		}
		if p.Socket == "" && c.Listen.Proxies.Address == "" || len(p.MTLS) > 0 && c.Listen.Proxies.TrustedCA == "" {
			t.Errorf("proxy %+v at %+v", p, c.Listen.Proxies)
		}
		for _, network := range p.Addresses {
			if prefix, err := netip.ParsePrefix(network); err != nil || prefix != prefix.Masked() || prefix.Bits() < 8 {
				t.Errorf("network %q", network)
			}
		}
		for _, key := range append(append([]string{p.Name, p.Socket}, p.MTLS...), p.Addresses...) {
			if other, twice := known[key]; twice && key != "" && other != p.Name {
				t.Errorf("%s is said of %s and %s", key, other, p.Name)
			}
			known[key] = p.Name
		}
	}
	if (c.Certificate.From == config.FromHeader) != (c.Certificate.Header != "" && c.Certificate.Format != "") {
		t.Errorf("certificate %+v", c.Certificate)
	}
}

func checkBounds(t *testing.T, c *config.Config) {
	if c.InjectedTokenLifetime < 10*time.Second || c.InjectedTokenLifetime > time.Hour ||
		c.Envoy.Timeout < 10*time.Millisecond || c.Envoy.Timeout > 10*time.Second || c.Keys.PublishAhead < time.Second {
		t.Errorf("durations %v %v %v", c.InjectedTokenLifetime, c.Envoy.Timeout, c.Keys.PublishAhead)
	}
	if c.Keys.RotateEvery != 0 && c.Keys.RotateEvery < 2*c.Keys.PublishAhead {
		t.Errorf("keys follow after %v, published for %v", c.Keys.RotateEvery, c.Keys.PublishAhead)
	}
	if c.Limits.InFlight < 1 || c.Limits.TokensPerClient < 1 || c.Limits.TokenCacheEntries < c.Limits.TokensPerClient {
		t.Errorf("limits %+v", c.Limits)
	}
	if c.Certificate.Hops < 0 || c.Certificate.Hops > 10 {
		t.Errorf("hops %d", c.Certificate.Hops)
	}
	if c.Envoy.JWTAuthn && c.Listen.HTTP == "" {
		t.Error("a verifier without keys")
	}
}

func checkRoutes(t *testing.T, c *config.Config) {
	names := map[string]bool{}
	for _, route := range c.Routes {
		if names[route.Name] || route.Name == "" || len(route.Name) > 64 {
			t.Errorf("route %q", route.Name)
		}
		names[route.Name] = true
		checkMatch(t, route)
		if route.InboundAuthorization == "" {
			t.Errorf("route %+v", route)
		}
		certificate := route.Access == config.AccessCertificate
		if certificate != (route.Audience != "") || certificate != (route.Inject.Bind != "" && route.Inject.Typ != "" && route.Inject.ClientCert != "") {
			t.Errorf("route %+v", route)
		}
		if route.Audience != "" && strings.HasPrefix(c.Issuer, route.Audience) && len(c.Issuer)-len(route.Audience) <= 1 {
			t.Errorf("issuer %s is the audience of %+v", c.Issuer, route)
		}
		if !certificate && (route.ClientID != "" || route.Scope != nil) {
			t.Errorf("route %+v", route)
		}
	}
	if len(names) == 0 {
		t.Error("no route")
	}
}

func checkMatch(t *testing.T, route config.Route) {
	prefix := route.Match.PathPrefix
	if !strings.HasPrefix(prefix, "/") || filepath.Clean(prefix) != prefix || strings.ContainsAny(prefix, "%?#\\ ") {
		t.Errorf("prefix %q", prefix)
	}
	if host := route.Match.Host; host == "" || strings.ToLower(host) != host || strings.LastIndexByte(host, '*') > 0 {
		t.Errorf("host %q", host)
	}
	if route.Access == config.AccessPreflight && !slices.Equal(route.Match.Methods, []string{"OPTIONS"}) {
		t.Errorf("a preflight of %v", route.Match.Methods)
	}
}
