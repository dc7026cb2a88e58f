package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// shadowSettings have one route of each kind. What is not said is in shadow.
const shadowSettings = `
audience: https://api.example
mode: shadow
routes:
  - {name: enforced, match: {pathPrefix: /enforced}, mode: enforce}
  - {name: open, match: {pathPrefix: /public}, access: public}
  - {name: rest}
`

// ofTheCaller are headers that certbearer changes where it enforces.
var ofTheCaller = http.Header{"Authorization": {"Bearer " + forgedToken}, "X-Own": {"kept"}}

func TestInShadowTheUpstreamReceivesWhatItWouldWithoutCertbearer(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	w := open(t, plan{settings: shadowSettings, clients: clients})
	asked, unasked := w.envoy(), w.envoy(noAuthorization())
	for sentence, test := range map[string]struct {
		ask  ask
		want want
	}{
		"a stranger":                               {ask{as: unknown}, want{status: 200, reason: "client_unknown"}},
		"a stranger with an Authorization":         {ask{as: unknown, header: ofTheCaller}, want{status: 200, reason: "token_malformed"}},
		"nobody":                                   {ask{}, want{status: 200, reason: "certificate_missing"}},
		"a known client":                           {ask{as: known}, want{status: 200, reason: allowed, client: "partner"}},
		"a known client with an Authorization":     {ask{as: known, header: ofTheCaller, http2: true}, want{status: 200, reason: "token_malformed"}},
		"a known client with a token in its query": {ask{as: known, path: "/hello?access_token=x"}, want{status: 200, reason: "token_in_query"}},
		"a public route":                           {ask{path: "/public", header: ofTheCaller}, want{status: 200, reason: allowedPublic}},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := asked.ask(t, test.ask)
			r := w.record(t, got.id)
			if got.status != test.want.status || r.Reason != test.want.reason || r.Client != test.want.client || r.Mode != "shadow" || r.TokenID != "" {
				t.Errorf("status %d, record %+v, want %+v in shadow", got.status, r, test.want)
			}
			without := unasked.ask(t, test.ask)
			if len(got.received) != 1 || len(without.received) != 1 {
				t.Fatalf("the upstream received %d requests, and %d without certbearer", len(got.received), len(without.received))
			}
			if diff := cmp.Diff(comparable(without.received[0]), comparable(got.received[0])); diff != "" {
				t.Errorf("what the upstream received (-without +with certbearer in shadow):\n%s", diff)
			}
		})
	}
	t.Run("a route that is enforced refuses beside them", func(t *testing.T) {
		asked.expect(t, ask{path: "/enforced", as: unknown}, unauthenticated("client_unknown"))
	})
	t.Run("and admits a known client with a token", func(t *testing.T) {
		asked.expect(t, ask{path: "/enforced", as: known}, want{status: 200, reason: allowed, client: "partner", route: "enforced"})
	})
	t.Run("metrics and health say what is in shadow", func(t *testing.T) {
		_, metrics := w.operations(t, "/metrics")
		for _, line := range []string{`certbearer_shadow{what="global"} 1`, `certbearer_shadow{what="routes"} 2`, `certbearer_shadow_decisions_total{reason="client_unknown",route="rest"} 1`, `certbearer_decisions_total{reason="client_unknown",route="rest"} 0`} {
			if !strings.Contains(metrics, line+"\n") {
				t.Errorf("no %s", line)
			}
		}
		if _, health := w.operations(t, "/healthz"); !strings.Contains(health, `"shadow":{"global":true,"routes":["open","rest"],"clients":0}`) {
			t.Errorf("health is %s", health)
		}
		if !strings.Contains(w.serve.printed(t), "mode: shadow: whatever no route or client takes out of it") {
			t.Error("the log does not warn")
		}
	})
}

// comparable is a request without the id that Envoy gives each.
func comparable(r received) received {
	r.Header = r.Header.Clone()
	r.Header.Del("X-Request-Id")
	return r
}

func TestOneClientInShadowAndThenEnforced(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	labs := selfSigned(t, testca.Template{CommonName: "lab"})
	lab := presents(labs)
	clients["lab"] = trusting(labs).with("mode", "shadow")
	w := open(t, plan{clients: clients})
	g := w.envoy()
	old := http.Header{"Authorization": {"Basic bGFiOnNlY3JldA=="}}
	passes := func(t *testing.T, a ask, reason string) {
		t.Helper()
		got := g.ask(t, a)
		r := w.record(t, got.id)
		if got.status != http.StatusOK || r.Mode != "shadow" || r.Reason != reason {
			t.Errorf("status %d, record %+v", got.status, r)
		}
		if len(got.received) != 1 || got.received[0].Header.Get("Authorization") != a.header.Get("Authorization") {
			t.Errorf("the upstream received %+v", got.received)
		}
	}
	t.Run("its requests pass as they came", func(t *testing.T) {
		passes(t, ask{as: lab}, allowed)
		passes(t, ask{as: lab, header: old}, "authorization_refused")
	})
	t.Run("others are decided as ever", func(t *testing.T) {
		g.expect(t, ask{as: known}, admitted("partner"))
		g.expect(t, ask{as: unknown}, unauthenticated("client_unknown"))
		g.expect(t, ask{header: old}, want{status: 401, reason: "authorization_refused", oauth: "invalid_token"})
	})
	t.Run("turned off, it is refused", func(t *testing.T) {
		w.writeClient(t, "lab", clients["lab"].with("status", "off"))
		g.soon(t, "the client is off", ask{as: lab}, hasStatus(http.StatusUnauthorized))
	})
	t.Run("enforced, it gets a token", func(t *testing.T) {
		w.writeClient(t, "lab", clients["lab"].with("mode", "enforce"))
		g.soon(t, "the client is enforced", ask{as: lab}, hasStatus(http.StatusOK))
		g.expect(t, ask{as: lab}, admitted("lab"))
		g.expect(t, ask{as: lab, header: old}, want{status: 401, reason: "authorization_refused", oauth: "invalid_token"})
	})
}

// Behind nginx what certbearer answers is all that the upstream gets of an Authorization:
// in shadow it answers with the caller's own.
func TestInShadowBehindNginxTheCallersAuthorizationStays(t *testing.T) {
	lab, stranger := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "stranger"})
	w := openBehindNginx(t, plan{settings: `
audience: https://api.example
mode: shadow
nginx: {serverNames: [localhost]}
routes:
  - {name: enforced, match: {pathPrefix: /enforced}, mode: enforce}
  - {name: rest}
`, clients: map[string]document{"lab": trusting(lab)}})
	p := w.rendered(t)
	own := http.Header{"Authorization": {"Basic own"}}
	for sentence, a := range map[string]ask{
		"a stranger":            {as: presents(stranger), header: own},
		"nobody":                {header: own},
		"a known client":        {as: presents(lab), header: own},
		"one that sent none":    {as: presents(lab)},
		"one that is not known": {as: presents(stranger)},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := p.ask(t, a)
			if got.status != http.StatusOK || len(got.received) != 1 {
				t.Fatalf("status %d, the upstream received %+v", got.status, got.received)
			}
			if had := got.received[0].Header.Get("Authorization"); had != a.header.Get("Authorization") {
				t.Errorf("the upstream received Authorization %q", had)
			}
			if r := w.record(t, got.id); r.Mode != "shadow" || r.Proxy != "nginx" || r.Evidence != "header" {
				t.Errorf("the record is %+v", r)
			}
		})
	}
	if got := p.ask(t, ask{as: presents(stranger), path: "/enforced"}); got.status != http.StatusUnauthorized || len(got.received) > 0 {
		t.Errorf("on a route that is enforced: status %d", got.status)
	}
}
