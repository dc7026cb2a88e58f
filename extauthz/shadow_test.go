package extauthz_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

// outcome says what becomes of a request, in words: what Envoy does with it, and what the
// record says of it.
func (s *site) outcome(t *testing.T, request *authv3.CheckRequest) string {
	t.Helper()
	got := check(t.Context(), t, s, request)
	records := s.records(t)
	if len(records) == 0 {
		t.Fatal("no record")
	}
	last := records[len(records)-1]
	mode := got.GetDynamicMetadata().GetFields()["mode"].GetStringValue()
	if recorded, _ := last["mode"].(string); recorded != mode {
		t.Errorf("the record's mode is %q, Envoy's %q", recorded, mode)
	}
	words := last["decision"].(string) + " " + last["reason"].(string)
	changes := len(got.GetOkResponse().GetHeaders()) + len(got.GetOkResponse().GetHeadersToRemove()) +
		len(got.GetOkResponse().GetResponseHeadersToAdd()) + len(got.GetOkResponse().GetQueryParametersToSet()) + len(got.GetOkResponse().GetQueryParametersToRemove())
	switch {
	case got.GetOkResponse() != nil && mode == "shadow" && changes == 0:
		if id, given := last["token_id"]; given {
			t.Errorf("token %v was given to nobody, and is in the record", id)
		}
		return "passes as it came: " + words
	case got.GetOkResponse() != nil && mode == "":
		return "admitted: " + words
	case got.GetDeniedResponse() != nil && mode == "":
		return "refused: " + words
	}
	t.Errorf("mode %q and %v", mode, got)
	return ""
}

// shadowCase is a site with routes and modes, and a request to it.
type shadowCase struct {
	global  bool
	routes  []extauthz.Route
	clients map[string]map[string]any
	change  func(*extauthz.Config)
	keyless bool
	request func() *authv3.CheckRequest
	want    string
}

func shadowed(route extauthz.Route) extauthz.Route {
	route.Shadow = true
	return route
}

func TestWhatIsInShadowPassesAsItCame(t *testing.T) {
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	expired := selfSigned(t, testca.Template{CommonName: "expired", NotAfter: time.Now().Add(-time.Minute)})
	stranger := selfSigned(t, testca.Template{CommonName: "stranger"})
	ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true})
	chained := issue(t, ca, testca.Template{CommonName: "lab", NotAfter: time.Now().Add(-time.Minute)})
	clients := func(mode string, more ...any) map[string]map[string]any {
		document := map[string]any{"certificateTrustStore": storeOf(lab, expired, ca)}
		if mode != "" {
			document["mode"] = mode
		}
		for i := 0; i+1 < len(more); i += 2 {
			document[more[i].(string)] = more[i+1]
		}
		return map[string]map[string]any{"lab": document}
	}
	api := apiRoute()
	at := func(name, path string) extauthz.Route {
		route := apiRoute()
		route.Name, route.Match.PathPrefix = name, path
		return route
	}
	public := extauthz.Route{Name: "public", Access: extauthz.AccessPublic, Inbound: extauthz.InboundReplace}
	endpoint := extauthz.Route{Name: "token", Match: extauthz.Match{PathPrefix: "/oauth2/token"}, Access: extauthz.AccessEndpoint}
	named := apiRoute()
	named.ClientID = "lab"
	from := func(leaf *testca.Issued) func() *authv3.CheckRequest {
		return func() *authv3.CheckRequest { return requestFrom(leaf) }
	}
	asking := func(leaf *testca.Issued, change func(*authv3.CheckRequest)) func() *authv3.CheckRequest {
		return func() *authv3.CheckRequest {
			request := requestFrom(leaf)
			change(request)
			return request
		}
	}
	path := func(path string) func(*authv3.CheckRequest) {
		return func(r *authv3.CheckRequest) { httpOf(r).Path = path }
	}
	naming := func(key, route string) func(*authv3.CheckRequest) {
		return func(r *authv3.CheckRequest) {
			r.Attributes.ContextExtensions = map[string]string{key: route}
		}
	}
	basic := func(r *authv3.CheckRequest) { with(r, "authorization", "Basic bGFiOnNlY3JldA==") }
	for name, test := range map[string]shadowCase{
		"a stranger, in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, request: from(stranger), want: "passes as it came: deny client_unknown"},
		"a known client, in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, clients: clients(""), request: from(lab), want: "passes as it came: allow allowed"},
		"nobody, in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, request: from(nil), want: "passes as it came: deny certificate_missing"},
		"an Authorization of the caller's, in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, clients: clients(""), request: asking(lab, basic), want: "passes as it came: deny authorization_refused"},
		"a public route in shadow keeps what is taken off otherwise": {
			global: true, routes: []extauthz.Route{shadowed(public)}, request: asking(nil, basic), want: "passes as it came: allow allowed_public"},

		"one route in shadow": {
			routes: []extauthz.Route{shadowed(at("patients", "/Patient")), at("rest", "/")}, request: from(stranger), want: "passes as it came: deny client_unknown"},
		"the route beside it": {
			routes: []extauthz.Route{shadowed(at("claims", "/Claim")), at("rest", "/")}, request: from(stranger), want: "refused: deny client_unknown"},
		"one route enforced, when all others are in shadow": {
			global: true, routes: []extauthz.Route{at("patients", "/Patient"), shadowed(at("rest", "/"))}, request: from(stranger), want: "refused: deny client_unknown"},
		"a known client on it": {
			global: true, routes: []extauthz.Route{at("patients", "/Patient"), shadowed(at("rest", "/"))}, clients: clients(""), request: from(lab), want: "admitted: allow allowed"},

		"a client in shadow whose certificate is good": {
			routes: []extauthz.Route{api}, clients: clients("shadow"), request: from(lab), want: "passes as it came: allow allowed"},
		"a client in shadow whose pinned certificate has ended": {
			routes: []extauthz.Route{api}, clients: clients("shadow"), request: from(expired), want: "passes as it came: deny certificate_expired"},
		"a client in shadow whose issued certificate has ended": {
			routes: []extauthz.Route{api}, clients: clients("shadow"), request: from(chained), want: "passes as it came: deny certificate_expired"},
		"a client in shadow that still sends its old Authorization": {
			routes: []extauthz.Route{api}, clients: clients("shadow"), request: asking(lab, basic), want: "passes as it came: deny authorization_refused"},
		"a client in shadow that may not have the audience": {
			routes: []extauthz.Route{api}, clients: clients("shadow", "audience", []string{"https://else.example"}), request: from(lab), want: "passes as it came: deny audience_not_allowed"},
		"a client in shadow that is turned off": {
			routes: []extauthz.Route{api}, clients: clients("shadow", "status", "off"), request: from(lab), want: "refused: deny client_inactive"},
		"a stranger beside a client in shadow": {
			routes: []extauthz.Route{api}, clients: clients("shadow"), request: from(stranger), want: "refused: deny client_unknown"},
		"nobody beside a client in shadow": {
			routes: []extauthz.Route{api}, clients: clients("shadow"), request: from(nil), want: "refused: deny certificate_missing"},
		"a stranger on the route of a client in shadow": {
			routes: []extauthz.Route{named}, clients: clients("shadow"), request: from(stranger), want: "refused: deny path_not_found"},
		"the client in shadow on its route": {
			routes: []extauthz.Route{named}, clients: clients("shadow"), request: from(expired), want: "passes as it came: deny certificate_expired"},
		"a client in shadow where clients' modes do not count": {
			routes: []extauthz.Route{api}, clients: clients("shadow"), change: func(c *extauthz.Config) { c.ClientModes = false },
			request: from(expired), want: "refused: deny certificate_expired"},
		"a client that is enforced on a route in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, clients: clients("enforce"), request: from(lab), want: "admitted: allow allowed"},
		"and its certificate that has ended": {
			global: true, routes: []extauthz.Route{shadowed(api)}, clients: clients("enforce"), request: from(expired), want: "refused: deny certificate_expired"},
		"and its old Authorization": {
			global: true, routes: []extauthz.Route{shadowed(api)}, clients: clients("enforce"), request: asking(lab, basic), want: "refused: deny authorization_refused"},

		"no route, with all in shadow": {
			global: true, routes: []extauthz.Route{shadowed(at("claims", "/Claim"))}, request: from(nil), want: "passes as it came: deny route_unmatched"},
		"no route, with one enforced": {
			global: true, routes: []extauthz.Route{at("claims", "/Claim")}, request: from(nil), want: "passes as it came: deny route_unmatched"},
		"no route, beside one in shadow": {
			routes: []extauthz.Route{shadowed(at("claims", "/Claim"))}, request: from(nil), want: "refused: deny route_unmatched"},
		"a path of two readings, with all in shadow": {
			global: true, routes: []extauthz.Route{shadowed(at("claims", "/Claim")), shadowed(at("rest", "/"))}, request: asking(nil, path("/Patient/%43laim/..")), want: "passes as it came: deny path_ambiguous"},
		"a path of two readings, with one enforced": {
			global: true, routes: []extauthz.Route{at("claims", "/Claim"), shadowed(at("rest", "/"))}, request: asking(nil, path("/%43laim")), want: "refused: deny path_ambiguous"},
		"the same where the proxy names the route in shadow": {
			global: true, routes: []extauthz.Route{at("claims", "/Claim"), shadowed(at("rest", "/"))},
			request: asking(nil, func(r *authv3.CheckRequest) { path("/%43laim")(r); naming("certbearer.route", "rest")(r) }), want: "refused: deny path_ambiguous"},
		"a route that is not known, with all in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, request: asking(lab, naming("certbearer.route", "apj")), want: "passes as it came: deny route_unknown"},
		"a route that is not known, beside an endpoint of ours, which is never in shadow": {
			global: true, routes: []extauthz.Route{endpoint, shadowed(api)}, change: atEndpoint, request: asking(lab, naming("certbearer.route", "apj")), want: "passes as it came: deny route_unknown"},
		"a route that is not known, with one enforced": {
			global: true, routes: []extauthz.Route{shadowed(at("a", "/a")), api}, request: asking(lab, naming("certbearer.route", "apj")), want: "refused: deny route_unknown"},
		"a key that is not known, with all in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, request: asking(lab, naming("certbearer.mode", "shadow")), want: "passes as it came: deny context_extension_unknown"},
		"a key that is not known, with none": {
			routes: []extauthz.Route{api}, request: asking(lab, naming("certbearer.mode", "shadow")), want: "refused: deny context_extension_unknown"},

		"a check of no request, with all in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, request: func() *authv3.CheckRequest { return &authv3.CheckRequest{} }, want: "passes as it came: deny request_malformed"},
		"a check of no request, with one enforced": {
			global: true, routes: []extauthz.Route{at("claims", "/Claim"), shadowed(at("rest", "/"))}, request: func() *authv3.CheckRequest { return &authv3.CheckRequest{} }, want: "refused: deny request_malformed"},
		"a path with a fragment, where the proxy names the route in shadow": {
			global: true, routes: []extauthz.Route{at("claims", "/Claim"), shadowed(at("rest", "/"))},
			request: asking(nil, func(r *authv3.CheckRequest) { path("/x#/../Claim")(r); naming("certbearer.route", "rest")(r) }), want: "refused: deny request_malformed"},
		"a path of two readings in a request that is too long": {
			global: true, routes: []extauthz.Route{at("claims", "/Claim"), shadowed(at("rest", "/"))}, request: asking(nil, func(r *authv3.CheckRequest) {
				path("/x/..;/Claim?" + strings.Repeat("x", 33<<10))(r)
				naming("certbearer.route", "rest")(r)
			}), want: "refused: deny request_malformed"},
		"a path of which nothing is read, before a route without a path": {
			global: true, routes: []extauthz.Route{at("claims", "/Claim"), shadowed(api)},
			request: asking(nil, path("/Claim/"+strings.Repeat("x", 33<<10))), want: "refused: deny request_malformed"},
		"a path that is too long, on a route in shadow": {
			routes: []extauthz.Route{shadowed(at("claims", "/Claim")), api}, request: asking(lab, func(r *authv3.CheckRequest) {
				path("/Claim?" + strings.Repeat("x", 33<<10))(r)
				naming("certbearer.route", "claims")(r)
			}), want: "passes as it came: deny request_malformed"},
		"a path that is too long, to an endpoint of ours": {
			global: true, routes: []extauthz.Route{endpoint, shadowed(api)}, change: atEndpoint, request: asking(lab, func(r *authv3.CheckRequest) {
				path("/oauth2/token?" + strings.Repeat("x", 33<<10))(r)
				naming("certbearer.route", "token")(r)
			}), want: "refused: deny request_malformed"},
		"no clients yet, in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, request: from(lab), want: "passes as it came: deny client_unknown"},
		"no key to sign with, in shadow": {
			global: true, routes: []extauthz.Route{shadowed(api)}, clients: clients(""), keyless: true, request: from(lab), want: "passes as it came: deny signing_key_missing"},

		"an endpoint of ours when all is in shadow": {
			global: true, routes: []extauthz.Route{endpoint, shadowed(api)}, change: atEndpoint,
			request: asking(lab, path("/oauth2/token")), want: "admitted: allow allowed_endpoint"},
		"an endpoint of ours whose route says shadow": {
			global: true, routes: []extauthz.Route{shadowed(endpoint), shadowed(api)}, change: atEndpoint,
			request: asking(lab, path("/oauth2/token")), want: "admitted: allow allowed_endpoint"},
		"the path of an endpoint on a route in shadow, under our name": {
			global: true, routes: []extauthz.Route{shadowed(api)}, change: atEndpoint,
			request: asking(lab, func(r *authv3.CheckRequest) { path("/oauth2/token")(r); httpOf(r).Host = "gateway.example" }), want: "refused: deny client_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(c *extauthz.Config) {
				c.Routes, c.Shadow, c.ClientModes = newRoutes(t, test.routes...), test.global, true
				if test.change != nil {
					test.change(c)
				}
			})
			s.useClients(policies.Empty(policies.Options{}))
			for id, fields := range test.clients {
				s.put(t, id, fields)
			}
			if test.keyless {
				s.holder.Publish(func(current state.State) state.State {
					current.Keys = nil
					return current
				})
			}
			if got := s.outcome(t, test.request()); got != test.want {
				t.Errorf("it %s, want %s", got, test.want)
			}
		})
	}
}

func atEndpoint(c *extauthz.Config) {
	c.EndpointOrigin, c.EndpointPaths, c.EndpointHosts = issuer, []string{"/oauth2/token"}, []string{"api.example", "gateway.example"}
}

func TestOverloadLetsThroughOnlyWhatIsInShadow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		patients := apiRoute()
		patients.Name, patients.Match.PathPrefix = "patients", "/Patient"
		s := newSite(t, func(c *extauthz.Config) {
			c.Routes, c.InFlight, c.Shadow, c.ClientModes = newRoutes(t, patients, shadowed(apiRoute())), 1, true, true
		})
		release := make(chan struct{})
		s.key.before = func() error { <-release; return nil }
		lab := selfSigned(t, testca.Template{CommonName: "lab"})
		s.put(t, "lab", map[string]any{"certificateTrustStore": storeOf(lab), "mode": "shadow"})
		first := make(chan struct{})
		go func() {
			defer close(first)
			check(t.Context(), t, s, requestFrom(lab))
		}()
		synctest.Wait()
		// Whose certificate it is would have to be found out: that is the work there is no room for.
		if got := check(t.Context(), t, s, requestFrom(lab)); got.inWords() != "503 overloaded" {
			t.Errorf("on a route that is enforced: %s", got.inWords())
		}
		elsewhere := requestFrom(lab)
		httpOf(elsewhere).Path = "/Claim"
		if got := check(t.Context(), t, s, elsewhere); !got.Allowed || len(got.headers) > 0 || len(got.GetOkResponse().GetHeadersToRemove()) > 0 {
			t.Errorf("on a route in shadow: %s with %v", got.inWords(), got.headers)
		}
		close(release)
		<-first
		for metric, want := range map[string]float64{"certbearer_decisions_total": 1, "certbearer_shadow_decisions_total": 1} {
			if got := s.count(t, metric, "overloaded"); got != want {
				t.Errorf("%s has %v that were overloaded, want %v", metric, got, want)
			}
		}
	})
}

func TestAPanicLetsThroughOnlyWhatIsInShadow(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	for name, test := range map[string]struct {
		change func(*extauthz.Config)
		want   string
	}{
		"all is in shadow":       {func(c *extauthz.Config) { c.Shadow, c.Routes = true, newRoutes(t, shadowed(apiRoute())) }, "passes as it came: deny internal_error"},
		"the route is in shadow": {func(c *extauthz.Config) { c.Routes = newRoutes(t, shadowed(apiRoute())) }, "passes as it came: deny internal_error"},
		"the route is not":       {func(c *extauthz.Config) { c.Shadow = true }, "refused: deny internal_error"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, test.change)
			s.useClients(new(policies.Snapshot))
			if got := s.outcome(t, requestFrom(pinned)); got != test.want {
				t.Errorf("it %s, want %s", got, test.want)
			}
			if count := s.count(t, "certbearer_panics_total", ""); count != 1 {
				t.Errorf("%v panics counted", count)
			}
		})
	}
}
