package integration_test

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/envoy/run"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// certbearer believes the gateway by the name in its certificate alone.
func TestEnvoyGatewayIsBelievedByItsNameAlone(t *testing.T) {
	cast, clients := newGatewayCast(t)
	g := openGateway(t, gatewayPlan{version: run.Default, clients: clients, settings: `
callers: {sans: [other.certbearer.internal]}
proxies: [{name: gateway, mtls: [other.certbearer.internal], format: xfcc}]
`})
	for _, path := range []string{"/orders/1", "/status", "/.well-known/jwks.json", tokenPath} {
		if got := g.ask(t, ask{path: path, as: presents(cast.pinned)}); got.status != http.StatusServiceUnavailable || len(got.received) > 0 {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
}

// A request that got past certbearer by some mistake still needs its token.
func TestEnvoyGatewayVerifiesTheInjectedToken(t *testing.T) {
	cast, clients := newGatewayCast(t)
	g := openGateway(t, gatewayPlan{version: run.Default, clients: clients, change: func(x *translation) {
		eachPart(x.routes, func(p part) {
			filters, _ := p["typedPerFilterConfig"].(part)
			for name := range filters {
				if strings.HasPrefix(name, "envoy.filters.http.ext_authz") {
					delete(filters, name)
				}
			}
		})
	}})
	g.until(t, "a token of the endpoint passes", ask{path: "/orders/1", header: carrying(g.site().tokenFor(t, "partner", presents(cast.pinned)))}, hasStatus(http.StatusOK))
	for sentence, a := range map[string]ask{
		"without a token":     {path: "/orders/1", as: presents(cast.pinned)},
		"with a forged one":   {path: "/orders/1", header: carrying(forgedToken)},
		"with one in a query": {path: "/orders/1?access_token=" + forgedToken},
	} {
		if got := g.ask(t, a); got.status != http.StatusUnauthorized || len(got.received) > 0 {
			t.Errorf("%s: status %d", sentence, got.status)
		}
	}
}

// Envoy Gateway has no field for the limit of headers, which is Envoy's own 60 KiB:
// less than certbearer takes. What lies between reaches nobody.
func TestLargeEvidenceBehindEnvoyGateway(t *testing.T) {
	// Base64 of ones is slashes, of which each takes three bytes when it is encoded,
	// and the certificate stands twice.
	bulk := func(size int) *testca.Issued {
		return selfSigned(t, testca.Template{CommonName: "bulk", ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: bytes.Repeat([]byte{0xff}, size)},
		}})
	}
	large, between, huge := bulk(5_000), bulk(7_800), bulk(20_000)
	g := openGateway(t, gatewayPlan{version: run.Default, clients: map[string]document{
		"large": trusting(large), "between": trusting(between), "huge": trusting(huge),
	}})
	g.expect(t, ask{path: "/orders/1", as: presents(large)}, admitted("large"))
	g.expect(t, ask{path: "/orders/1", as: presents(huge)}, unauthenticated("evidence_too_large"))
	got := g.ask(t, ask{path: "/orders/1", as: presents(between)})
	if got.status != http.StatusInternalServerError || len(got.received) > 0 {
		t.Errorf("what lies between: status %d, %d requests at the upstream", got.status, len(got.received))
	}
	if r := g.world.record(t, got.id); r.Reason != allowed {
		t.Errorf("the record's reason is %s", r.Reason)
	}
}

// Of HTTPRoutes a request is matched with those of the most specific host alone, and
// a host has several spellings.
func TestRoutesOfHostsBehindEnvoyGateway(t *testing.T) {
	cast, clients := newGatewayCast(t)
	g := openGateway(t, gatewayPlan{version: run.Default, clients: clients, routes: `
routes:
  - {name: api, match: {host: api.example.com, pathPrefix: /orders}}
  - {name: below, match: {host: "*.example.com", pathPrefix: /open}, access: public}
  - {name: rest}
`})
	as := presents(cast.pinned)
	for _, c := range []struct{ host, path, route string }{
		{"api.example.com", "/orders", "api"},
		{"API.Example.com", "/orders", "api"},
		{"api.example.com:8443", "/orders", "api"},
		{"api.example.com.", "/orders", "api"},
		{"api.example.com", "/other", "rest"},
		{"other.example.com", "/orders", "rest"},
		{"example.com", "/open", "rest"},
		{"elsewhere.example", "/orders", "rest"},
	} {
		w := admitted("partner")
		w.route = c.route
		g.expect(t, ask{host: c.host, path: c.path, as: as}, w)
	}
	for _, host := range []string{"api.example.com", "other.example.com", "OTHER.example.com:443"} {
		g.expect(t, ask{host: host, path: "/open"}, want{status: http.StatusOK, reason: allowedPublic, route: "below"})
		if got := g.ask(t, ask{host: host, path: "/.well-known/jwks.json"}); got.status != http.StatusOK {
			t.Errorf("the JWKS at %s: status %d", host, got.status)
		}
	}
}
