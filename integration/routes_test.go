package integration_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// tableOfRoutes leaves /elsewhere to no route, so that what nobody thought of is
// seen to be refused.
const tableOfRoutes = `
audience: https://api.example
routes:
  - {name: cors, access: preflight}
  - {name: open, match: {pathPrefix: /public}, access: public}
  - {name: reads, match: {pathPrefix: /mixed, methods: [GET, HEAD]}, access: public}
  - {name: writes, match: {pathPrefix: /mixed}}
  - {name: lab-only, match: {pathPrefix: /lab}, clientId: lab}
  - {name: billing, match: {pathPrefix: /billing}, audience: "https://billing.example", scope: [billing.read, admin]}
  - {name: hosted, match: {host: "*.tenant.example"}, audience: "https://tenant.example"}
  - {name: rest, match: {pathPrefix: /rest}}
`

// callersOf are the clients of the table: one of everything, one of less.
func callersOf(t *testing.T) (clients map[string]document, lab, other *tls.Certificate) {
	t.Helper()
	labs, others := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "other"})
	return map[string]document{
		"lab": trusting(labs).
			with("audience", []string{"https://api.example", "https://billing.example"}).
			with("scope", []string{"billing.read", "lab.read"}).with("defaultScope", []string{"lab.read"}),
		"other": trusting(others),
	}, presents(labs), presents(others)
}

var preflight = http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}}

// routed is a request and what its route makes of it.
type routed struct {
	ask      ask
	want     want
	audience string // of the token
	scope    string
}

func routedCases(lab, other *tls.Certificate) map[string]routed {
	public := func(route string) want { return want{status: 200, reason: allowedPublic, route: route} }
	of := func(client, route string) want {
		return want{status: 200, reason: allowed, client: client, route: route}
	}
	refused := func(status int, oauth, reason string) want { return want{status: status, reason: reason, oauth: oauth} }
	return map[string]routed{
		"a public route asks for nothing":              {ask: ask{path: "/public/x"}, want: public("open")},
		"a public route puts no token on":              {ask: ask{path: "/public/x", as: lab}, want: public("open")},
		"the prefix itself is covered":                 {ask: ask{path: "/public"}, want: public("open")},
		"a longer segment is not":                      {ask: ask{path: "/publicity"}, want: refused(403, "access_denied", "route_unmatched")},
		"a query is not part of the path":              {ask: ask{path: "/rest?x=/public"}, want: unauthenticated("certificate_missing")},
		"reading may be public":                        {ask: ask{path: "/mixed"}, want: public("reads")},
		"while writing is not":                         {ask: ask{path: "/mixed", method: http.MethodPost}, want: unauthenticated("certificate_missing")},
		"a preflight passes":                           {ask: ask{path: "/rest", method: http.MethodOptions, header: preflight}, want: want{status: 200, reason: allowedPreflight, route: "cors"}},
		"OPTIONS alone is no preflight":                {ask: ask{path: "/rest", method: http.MethodOptions}, want: unauthenticated("certificate_missing")},
		"OPTIONS without the method asked for is none": {ask: ask{path: "/rest", method: http.MethodOptions, header: http.Header{"Origin": {"https://app.example"}}}, want: unauthenticated("certificate_missing")},
		"a GET with its headers is no preflight":       {ask: ask{path: "/rest", header: preflight}, want: unauthenticated("certificate_missing")},
		"a route may be one client's":                  {ask: ask{path: "/lab", as: lab}, want: of("lab", "lab-only"), audience: "https://api.example", scope: "lab.read"},
		"and then is no other's":                       {ask: ask{path: "/lab", as: other}, want: unauthenticated("client_conflict")},
		"a route may have an audience and scopes":      {ask: ask{path: "/billing", as: lab}, want: of("lab", "billing"), audience: "https://billing.example", scope: "billing.read"},
		"that not every client may have":               {ask: ask{path: "/billing", as: other}, want: refused(403, "access_denied", "audience_not_allowed")},
		"a route may be a host's":                      {ask: ask{path: "/lab-of-the-tenant", host: "a.tenant.example:8443", as: other}, want: refused(403, "access_denied", "audience_not_allowed")},
		"the default audience is every client's":       {ask: ask{path: "/rest", as: other}, want: of("other", "rest"), audience: "https://api.example"},
		"what no route covers is refused":              {ask: ask{path: "/elsewhere", as: lab}, want: refused(403, "access_denied", "route_unmatched")},
	}
}

func TestARouteDecidesWhatIsAsked(t *testing.T) {
	realEnvoy(t)
	clients, lab, other := callersOf(t)
	w := open(t, plan{settings: tableOfRoutes, clients: clients})
	for how, g := range map[string]*gate{"named by Envoy": w.envoy(), "found by match": w.envoy(noRouteNames())} {
		for sentence, c := range routedCases(lab, other) {
			t.Run(how+": "+sentence, func(t *testing.T) {
				got, _ := g.expect(t, c.ask, c.want)
				if c.audience == "" {
					return
				}
				if b := g.token(t, got); b.Audience != c.audience || b.Scope != c.scope || b.Typ != "at+jwt" || b.Issuer != "https://localhost:8443" {
					t.Errorf("the token is %+v", b)
				}
			})
		}
	}
}

func TestAPublicPrefixDoesNotLeadElsewhere(t *testing.T) {
	realEnvoy(t)
	clients, _, _ := callersOf(t)
	w := open(t, plan{settings: tableOfRoutes, clients: clients})
	missing := unauthenticated("certificate_missing")
	strict, lenient, naming := w.envoy(), w.envoy(noNormalisation(), noRouteNames()), w.envoy(noNormalisation())
	ambiguous := want{status: 400, reason: "path_ambiguous", oauth: "invalid_request"}
	for path, rendered := range map[string]want{
		"/public/../rest":           missing,
		"/public/%2e%2e/rest":       missing,
		"/public/%2E%2e/rest":       missing,
		"/public/./../rest":         missing,
		"//public/..//rest":         missing,
		"//rest":                    missing,
		"/public/..%2frest":         {status: 400},
		"/public/..%5crest":         {status: 400},
		"/public%2f..%2frest":       {status: 400},
		`/public/..\rest`:           {status: 400},
		"/public/../public/../rest": missing,
		"/public/..;/rest":          missing,
	} {
		t.Run("Envoy as rendered: "+path, func(t *testing.T) {
			if rendered.reason == "" {
				strict.refusesItself(t, ask{path: path}, rendered.status)
				return
			}
			strict.expect(t, ask{path: path}, rendered)
		})
		t.Run("an Envoy that normalises nothing: "+path, func(t *testing.T) {
			lenient.expect(t, ask{path: path}, ambiguous)
		})
		t.Run("nor does one that names its route: "+path, func(t *testing.T) {
			naming.expect(t, ask{path: path}, ambiguous)
		})
	}
}

// Tomcat, Spring and others cut off what follows a semicolon: to them /lab;x is
// /lab. The route that Envoy chooses for it is another one.
func TestAPathThatAServiceReadsAsAnotherRoutesIsRefused(t *testing.T) {
	realEnvoy(t)
	clients, lab, other := callersOf(t)
	w := open(t, plan{settings: `
audience: https://api.example
routes:
  - {name: admin, match: {pathPrefix: /admin}}
  - {name: lab-only, match: {pathPrefix: /lab}, clientId: lab}
  - {name: api, match: {pathPrefix: /api}}
  - {name: rest, access: public}
`, clients: clients})
	ambiguous := want{status: 400, reason: "path_ambiguous", oauth: "invalid_request"}
	for how, g := range map[string]*gate{"named by Envoy": w.envoy(), "found by match": w.envoy(noRouteNames()), "not normalised": w.envoy(noNormalisation())} {
		for sentence, c := range map[string]struct {
			ask  ask
			want want
		}{
			"a certificate is asked for":                     {ask{path: "/admin"}, unauthenticated("certificate_missing")},
			"a semicolon does not make it public":            {ask{path: "/admin;x"}, ambiguous},
			"nor one in front of a segment":                  {ask{path: "/admin;x/users"}, ambiguous},
			"nor an encoded one":                             {ask{path: "/admin%3bx"}, ambiguous},
			"nor does one lead another client to a client's": {ask{path: "/lab;x", as: other}, ambiguous},
			"in a path of one route it may stand":            {ask{path: "/api/a;v=1", as: lab}, admitted("lab")},
		} {
			t.Run(how+": "+sentence, func(t *testing.T) { g.expect(t, c.ask, c.want) })
		}
	}
}

// refusesItself expects Envoy's own refusal: certbearer has no record of it.
func (g *gate) refusesItself(t *testing.T, a ask, status int) {
	t.Helper()
	earlier := g.world.record(t, g.ask(t, ask{path: "/elsewhere"}).id)
	got := g.ask(t, a)
	if got.status != status || len(got.received) > 0 {
		t.Errorf("status %d, and %d requests at the upstream; want %d and none", got.status, len(got.received), status)
	}
	// The records are in order: what came between would stand between.
	later := g.world.record(t, g.ask(t, ask{path: "/elsewhere"}).id)
	all := g.world.records(t)
	if at := slices.Index(all, earlier); at < 0 || slices.Index(all, later) != at+1 {
		t.Errorf("certbearer was asked: %+v", all)
	}
}

// A proxy and a certbearer that are configured differently must not meet in the
// middle.
func TestWhatTheProxySaysAndCertbearerDoesNotKnowIsRefused(t *testing.T) {
	realEnvoy(t)
	clients, lab, _ := callersOf(t)
	w := open(t, plan{settings: tableOfRoutes, clients: clients})
	g := w.envoy(
		extension("open", "certbearer.route", "nobody"),
		extension("reads", "certbearer.rout", "open"),
		extension("rest", "another.filter", "x"),
		extension("lab-only", "certbearer.route", "cors"),
	)
	unavailable := func(reason string) want {
		return want{status: 503, reason: reason, oauth: "temporarily_unavailable"}
	}
	for sentence, c := range map[string]struct {
		path string
		want want
	}{
		"a route name that is not configured":   {"/public", unavailable("route_unknown")},
		"a key of our own that is misspelled":   {"/mixed", unavailable("context_extension_unknown")},
		"a route for preflights named for else": {"/lab", want{status: 403, reason: "preflight_expected", oauth: "access_denied"}},
		"while the keys of others are theirs":   {"/rest", want{status: 200, reason: allowed, client: "lab"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, _ := g.expect(t, ask{path: c.path, as: lab}, c.want)
			if retry := got.header.Get("Retry-After"); (c.want.status == 503) != (retry != "") {
				t.Errorf("Retry-After is %q with status %d", retry, got.status)
			}
		})
	}
}
