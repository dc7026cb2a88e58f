package integration_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// Callers that have no certificate yet go on to the old service, as they come, while
// those that have one are decided about: any one, and on a resumed session too.
func TestWhoHasNoCertificateMayGoOnToTheOldService(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	old := startUpstream(t)
	w := open(t, plan{settings: fmt.Sprintf(`
envoy: {withoutCertificate: legacy, legacyUpstream: %q, jwtAuthn: true}
routes:
  - {name: open, match: {pathPrefix: /public}, access: public}
  - {name: rest}
  - {name: token, match: {pathPrefix: /oauth2/token}, access: endpoint}
`, old.url("")), clients: clients})
	g := w.envoy()
	g.soon(t, "Envoy has the keys", ask{as: known}, hasStatus(http.StatusOK))
	own := http.Header{
		"Authorization": {"Bearer of-the-old-days"}, "X-Own": {"kept"},
		"Client-Cert": {":AAAA:"}, "X-Forwarded-Client-Cert": {"Hash=00"}, "X-Amzn-Mtls-Clientcert": {"forged"}, "Certbearer-Statement": {"forged"},
	}
	reachesOld := func(t *testing.T, a ask) {
		t.Helper()
		before := old.count()
		got := g.ask(t, a)
		arrived := old.since(before)
		if got.status != http.StatusOK || len(got.received) != 0 || len(arrived) != 1 {
			t.Fatalf("status %d, %d requests at the upstream, %d at the old one", got.status, len(got.received), len(arrived))
		}
		for name, values := range own {
			want := ""
			if name == "Authorization" || name == "X-Own" {
				want = values[0]
			}
			if had := arrived[0].Header.Get(name); had != want {
				t.Errorf("%s is %q at the old service, want %q", name, had, want)
			}
		}
		// A request that certbearer has decided since: its record would come after this one's.
		later := g.ask(t, ask{as: unknown})
		w.record(t, later.id)
		if records := w.recordsOf(t, got.id); len(records) != 0 {
			t.Errorf("certbearer was asked: %+v", records)
		}
	}
	t.Run("without a certificate, over HTTP/1.1", func(t *testing.T) { reachesOld(t, ask{header: own}) })
	t.Run("and HTTP/2", func(t *testing.T) { reachesOld(t, ask{header: own, http2: true, method: http.MethodPost}) })
	t.Run("on a public path too", func(t *testing.T) { reachesOld(t, ask{header: own, path: "/public/x"}) })
	t.Run("on paths that are like those of an endpoint", func(t *testing.T) { reachesOld(t, ask{header: own, path: "/oauth2/token/x"}) })

	oldBefore := old.count()
	t.Run("a known client gets its token", func(t *testing.T) { g.expect(t, ask{as: known}, admitted("partner")) })
	t.Run("a stranger's certificate does not lead past", func(t *testing.T) {
		g.expect(t, ask{as: unknown}, unauthenticated("client_unknown"))
	})
	t.Run("a public path with a certificate is certbearer's", func(t *testing.T) {
		g.expect(t, ask{as: unknown, path: "/public/x", header: own}, want{status: 200, reason: allowedPublic})
	})
	for sentence, test := range map[string]struct {
		as   *tls.Certificate
		want int
	}{"a known client": {known, http.StatusOK}, "a stranger": {unknown, http.StatusUnauthorized}} {
		t.Run("nor does a session that "+sentence+" resumes", func(t *testing.T) {
			first, resumed, again := g.twice(t, test.as)
			if !resumed {
				t.Fatal("the session was not resumed")
			}
			if first != test.want || again != test.want {
				t.Errorf("status %d, and %d on the resumed session, want %d", first, again, test.want)
			}
		})
	}
	t.Run("our endpoints stay ours", func(t *testing.T) {
		got := g.site().post(t, posted{form: url.Values{"grant_type": {"client_credentials"}, "client_id": {"partner"}, "client_secret": {"s"}}})
		if got.status != http.StatusUnauthorized || got.oauth != "invalid_client" {
			t.Errorf("status %d with %q", got.status, got.oauth)
		}
		if jwks := g.ask(t, ask{path: "/.well-known/jwks.json"}); jwks.status != http.StatusOK || len(jwks.received) > 0 {
			t.Errorf("the keys are a %d", jwks.status)
		}
	})
	if got := old.since(oldBefore); len(got) > 0 {
		t.Errorf("the old service received %+v", got)
	}
	t.Run("the log warns", func(t *testing.T) {
		if w.serve.count(t, "envoy.withoutCertificate: legacy: whoever presents no certificate goes past certbearer, as it comes and without a record; set deny when everybody has one") != 1 {
			t.Errorf("it does not:\n%s", w.serve.printed(t))
		}
	})
}

// twice sends a request on a new connection and one on another, which resumes the
// first one's session.
func (g *gate) twice(t *testing.T, as *tls.Certificate) (first int, resumed bool, again int) {
	t.Helper()
	config := g.tls(as)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	status := func() int {
		transport := &http.Transport{TLSClientConfig: config, TLSHandshakeTimeout: patience}
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport, Timeout: patience}).Get(g.url("/hello"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		resumed = response.TLS.DidResume
		return response.StatusCode
	}
	first = status()
	again = status()
	return first, resumed, again
}

// Where nothing else is said the old service is the service itself.
func TestTheOldServiceMayBeTheService(t *testing.T) {
	realEnvoy(t)
	clients, known, _ := partner(t)
	w := open(t, plan{settings: "envoy: {withoutCertificate: legacy}", clients: clients})
	g := w.envoy()
	got := g.ask(t, ask{header: http.Header{"Authorization": {"Basic b2xkOmRheXM="}}})
	if got.status != http.StatusOK || len(got.received) != 1 || got.received[0].Header.Get("Authorization") != "Basic b2xkOmRheXM=" {
		t.Errorf("status %d, received %+v", got.status, got.received)
	}
	g.expect(t, ask{as: known}, admitted("partner"))
}
