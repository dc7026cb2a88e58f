package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestWhatEnvoyGatewayMakesOfTheManifestsHoldsTheMainScenario(t *testing.T) {
	cast, clients := newGatewayCast(t)
	for _, version := range gatewayVersions {
		t.Run(version, func(t *testing.T) {
			openGateway(t, gatewayPlan{version: version, clients: clients}).playAtGateway(t, cast)
		})
	}
}

// With the patch the certificate comes in source.certificate.
func TestThePatchOfEnvoyGatewayHoldsTheMainScenarioToo(t *testing.T) {
	cast, clients := newGatewayCast(t)
	for _, version := range gatewayVersions {
		t.Run(version, func(t *testing.T) {
			openGateway(t, gatewayPlan{
				version: version, clients: clients, settings: "certificate: {from: peer}", more: []string{"patch.yaml"},
				change: func(x *translation) { x.isPatched(t) },
			}).playAtGateway(t, cast)
		})
	}
}

// isPatched holds that the patch changed every check, and the TLS.
func (x *translation) isPatched(t *testing.T) {
	t.Helper()
	checks := 0
	eachPart(x.listener, func(p part) {
		if p["@type"] != "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz" {
			return
		}
		checks++
		if p["includePeerCertificate"] != true || p["validateMutations"] != true {
			t.Errorf("a check is not patched: %v", p)
		}
	})
	if checks < 5 { // one for each route
		t.Errorf("%d checks", checks)
	}
	chain := list(x.listener["filterChains"])[0]
	if at(chain, "transportSocket", "typedConfig", "commonTlsContext", "validationContext", "suppressClientCaList") != true {
		t.Error("suppress_client_ca_list is not set")
	}
}

// gatewayCast is who comes to the gateway.
type gatewayCast struct{ pinned, issued, stranger *testca.Issued }

func newGatewayCast(t *testing.T) (gatewayCast, map[string]document) {
	t.Helper()
	root := authority(t, "Partner Root")
	intermediate := issue(t, root, testca.Template{CommonName: "Partner Intermediate", CA: true})
	c := gatewayCast{
		pinned:   selfSigned(t, testca.Template{CommonName: "partner"}),
		issued:   issue(t, intermediate, testca.Template{CommonName: "issued"}),
		stranger: selfSigned(t, testca.Template{CommonName: "stranger"}),
	}
	return c, map[string]document{
		"partner": trusting(c.pinned).with("scope", []string{"orders.read", "orders.write"}).with("defaultScope", []string{"orders.read"}),
		"issued":  trusting(root),
	}
}

// playAtGateway is the main scenario. Its last act ends certbearer.
func (g *gate) playAtGateway(t *testing.T, c gatewayCast) {
	t.Run("a certificate is judged by its own client", func(t *testing.T) { g.judgesAtGateway(t, c) })
	t.Run("each route is asked about by its name", func(t *testing.T) { g.namesRoutes(t, c) })
	t.Run("a caller's own headers count for nothing", func(t *testing.T) { g.believesNoHeader(t, c) })
	t.Run("a path has one reading", func(t *testing.T) { g.readsPathsOnce(t) })
	t.Run("keys and metadata are for everybody", func(t *testing.T) { g.publishes(t) })
	t.Run("a token of the endpoint is taken at the gateway", func(t *testing.T) { g.givesTokens(t, c) })
	t.Run("without certbearer it is a 503", func(t *testing.T) { g.failsClosed(t, c) })
}

func (g *gate) judgesAtGateway(t *testing.T, c gatewayCast) {
	for sentence, c := range map[string]credential{
		"a pinned one gets its token through":      {as: presents(c.pinned), want: admitted("partner")},
		"one issued by way of an intermediate too": {as: presents(c.issued), want: admitted("issued")},
		"the intermediate has to be presented":     {as: alone(c.issued), want: unauthenticated("client_unknown")},
		"a stranger's is refused":                  {as: presents(c.stranger), want: unauthenticated("client_unknown")},
		"none is refused, with a record":           {want: unauthenticated("certificate_missing")},
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, http2 := range []bool{false, true} {
				got, _ := g.expect(t, ask{path: "/orders/1", as: c.as, http2: http2}, c.want)
				for _, r := range got.received {
					if len(r.Header["X-Forwarded-Client-Cert"]) > 0 {
						t.Error("the upstream received x-forwarded-client-cert")
					}
				}
			}
		})
	}
}

func (g *gate) namesRoutes(t *testing.T, c gatewayCast) {
	as := presents(c.pinned)
	missing := unauthenticated("certificate_missing")
	on := func(w want, route string) want {
		w.route = route
		return w
	}
	for sentence, c := range map[string]struct {
		ask  ask
		want want
	}{
		"the one of its path":                    {ask{path: "/orders/1", as: as}, on(admitted("partner"), "orders")},
		"the one of its method":                  {ask{method: http.MethodPost, path: "/orders", as: as}, on(admitted("partner"), "orders_write")},
		"a public one asks for nothing":          {ask{path: "/status"}, want{status: 200, reason: allowedPublic, route: "status"}},
		"but of its methods":                     {ask{method: http.MethodPost, path: "/status"}, on(missing, "rest")},
		"a preflight asks for nothing":           {ask{method: http.MethodOptions, path: "/orders", header: preflight}, want{status: 200, reason: allowedPreflight, route: "cors"}},
		"an OPTIONS that is none does":           {ask{method: http.MethodOptions, path: "/orders"}, on(missing, "orders")},
		"what no other covers is the last one's": {ask{path: "/statusx", as: as}, on(admitted("partner"), "rest")},
	} {
		t.Run(sentence, func(t *testing.T) { g.expect(t, c.ask, c.want) })
	}
}

func (g *gate) believesNoHeader(t *testing.T, c gatewayCast) {
	missing, public := unauthenticated("certificate_missing"), want{status: 200, reason: allowedPublic}
	sent, site := map[string][]smuggling{}, g.site()
	for name, values := range smuggled(c.pinned) {
		header := http.Header{http.CanonicalHeaderKey(name): values}
		sent[name] = []smuggling{
			g.smuggling(t, ask{path: "/orders/1", as: presents(c.issued), header: header}, admitted("issued")),
			g.smuggling(t, ask{path: "/orders/1", as: presents(c.stranger), header: header}, unauthenticated("client_unknown")),
			g.smuggling(t, ask{path: "/orders/1", header: header}, missing),
			g.smuggling(t, ask{path: "/status", header: header}, public),
		}
		if got := site.post(t, posted{form: granting("partner"), header: header}); got.status != http.StatusUnauthorized {
			t.Errorf("%s at the token endpoint: status %d", name, got.status)
		}
	}
	for name, all := range sent { // by now their records are written
		g.dropped(t, name, all)
	}
	forged := want{status: 401, reason: "token_malformed", oauth: "invalid_token"}
	g.expect(t, ask{path: "/orders/1", as: presents(c.pinned), header: carrying(forgedToken)}, forged)
	got, _ := g.expect(t, ask{path: "/orders/1", header: http.Header{"X-Request-Id": {"of-its-own"}}}, missing)
	if got.id == "of-its-own" {
		t.Error("a caller chose the id of its request")
	}
	if got := g.ask(t, ask{path: "/orders/1", header: http.Header{"Client_cert": {"x"}}}); got.status != http.StatusBadRequest {
		t.Errorf("a name with an underscore: status %d", got.status)
	}
}

func (g *gate) smuggling(t *testing.T, a ask, w want) smuggling {
	t.Helper()
	return smuggling{ask: a, want: w, got: g.ask(t, a)}
}

func (g *gate) readsPathsOnce(t *testing.T) {
	for _, path := range []string{"/status/../orders/1", "//orders/1", "/status/./../orders"} {
		g.expect(t, ask{path: path}, unauthenticated("certificate_missing"))
	}
	for _, path := range []string{"/status/..%2forders/1", "/status%5c..%5corders"} {
		if got := g.ask(t, ask{path: path}); got.status != http.StatusBadRequest || len(got.received) > 0 {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
}

func (g *gate) publishes(t *testing.T) {
	if kid := g.keys.kid(t); kid == "" {
		t.Error("a key without an id")
	}
	const token = "https://gateway.example.com" + tokenPath
	if got := g.site().metadata(t)["token_endpoint"]; got != token {
		t.Errorf("the metadata names the token endpoint %v", got)
	}
	g.expect(t, ask{method: http.MethodPost, path: "/.well-known/jwks.json"}, unauthenticated("certificate_missing"))
}

func (g *gate) givesTokens(t *testing.T, c gatewayCast) {
	site, as := g.site(), presents(c.pinned)
	token := site.tokenFor(t, "partner", as)
	g.expect(t, ask{path: "/orders/1", as: as, header: carrying(token)}, admitted("partner"))
	stolen := want{status: 401, reason: "token_binding_mismatch", oauth: "invalid_token"}
	g.expect(t, ask{path: "/orders/1", as: presents(c.issued), header: carrying(token)}, stolen)
	site.tokenFor(t, "issued", presents(c.issued))
	site.refuses(t, posted{form: granting("partner"), as: presents(c.stranger)}, http.StatusUnauthorized, "invalid_client")
	refused := site.refuses(t, posted{form: granting("partner")}, http.StatusUnauthorized, "invalid_client")
	if r := g.world.judged(t, refused.id); r.Reason != "certificate_missing" {
		t.Errorf("the record's reason is %s", r.Reason)
	}
	big := strings.Repeat("x", 65<<10)
	if got := site.post(t, posted{body: big, as: as}); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 65 KiB: status %d", got.status)
	}
}

func (g *gate) failsClosed(t *testing.T, c gatewayCast) {
	if code := g.world.serve.stop(t); code != 0 {
		t.Errorf("certbearer ended with %d", code)
	}
	for sentence, a := range map[string]ask{
		"a client": {path: "/orders/1", as: presents(c.pinned)}, "nobody": {path: "/orders/1"},
		"a public path": {path: "/status"}, "the token endpoint": {method: http.MethodPost, path: tokenPath, as: presents(c.pinned)},
	} {
		if got := g.ask(t, a); got.status != http.StatusServiceUnavailable || len(got.received) > 0 {
			t.Errorf("%s: status %d, %d requests at the upstream", sentence, got.status, len(got.received))
		}
	}
}
