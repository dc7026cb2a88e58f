package integration_test

import (
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// scenario is what has to be so whatever Envoy stands in front: every version, and
// one in a container. All of it shares one world; its last act ends certbearer.
type scenario struct {
	*gate
	presented   map[string]credential
	own, victim *testca.Issued
}

// scenarioSettings have a route of each kind.
const scenarioSettings = `
routes:
  - {name: token, match: {pathPrefix: /oauth2/token}, access: endpoint}
  - {name: cors, match: {pathPrefix: /hello}, access: preflight}
  - {name: open, match: {pathPrefix: /public}, access: public}
  - {name: rest}
`

// openScenario makes the world and its Envoy, of the given version and build where
// they are not empty.
func openScenario(t *testing.T, version, build string) *scenario {
	t.Helper()
	s := &scenario{
		presented: map[string]credential{"none is refused": {want: unauthenticated("certificate_missing")}},
		own:       selfSigned(t, testca.Template{CommonName: "partner"}),
		victim:    selfSigned(t, testca.Template{CommonName: "victim"}),
	}
	clients := map[string]document{"partner": trusting(s.own), "victim": trusting(s.victim)}
	for _, more := range []map[string]credential{pinned(t), chained(t), untimely(t), ofEveryKey(t)} {
		maps.Copy(s.presented, more)
	}
	for _, c := range s.presented {
		maps.Copy(clients, c.clients)
	}
	w := prepare(t, plan{settings: scenarioSettings, clients: clients})
	if version != "" {
		editSettings(t, w.config, settings{"envoy": map[string]any{"version": version}})
	}
	w.start()
	w.build = build
	s.gate = w.envoy()
	return s
}

// play runs every act.
func (s *scenario) play(t *testing.T) {
	for sentence, c := range s.presented {
		t.Run(sentence, func(t *testing.T) { s.expect(t, ask{as: c.as}, c.want) })
	}
	t.Run("HTTP/2 carries the token", func(t *testing.T) { s.expect(t, ask{as: presents(s.own), http2: true}, admitted("partner")) })
	t.Run("no CA is named to clients", s.namesNoCA)
	t.Run("a caller's own headers count for nothing", s.believesNoHeader)
	t.Run("public paths and preflights ask for nothing", s.asksForNothing)
	t.Run("a token of the endpoint is taken at the gateway", s.givesTokens)
	t.Run("without certbearer it is a 503", s.failsClosed)
}

// namesNoCA asks as clients do that obey the list of CAs: Go's own among them.
func (s *scenario) namesNoCA(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := s.tls(nil)
		config.MinVersion, config.MaxVersion = version, version
		config.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(asked.AcceptableCAs) > 0 {
				t.Errorf("%s: %d CAs are named", tls.VersionName(version), len(asked.AcceptableCAs))
			}
			certificate := presents(s.own)
			return certificate, asked.SupportsCertificate(certificate)
		}
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", s.address.String(), config)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (s *scenario) believesNoHeader(t *testing.T) {
	sent := make(map[string][]smuggling)
	for name, values := range smuggled(s.victim) {
		sent[name] = s.smuggle(t, name, values, presents(s.own), admitted("partner"))
	}
	for name, all := range sent { // by now their records are written
		s.dropped(t, name, all)
	}
}

func (s *scenario) asksForNothing(t *testing.T) {
	s.expect(t, ask{path: "/public/x"}, want{status: http.StatusOK, reason: allowedPublic, route: "open"})
	s.expect(t, ask{method: http.MethodOptions, header: preflight}, want{status: http.StatusOK, reason: allowedPreflight, route: "cors"})
	s.expect(t, ask{method: http.MethodOptions}, unauthenticated("certificate_missing"))
	s.expect(t, ask{path: "/public/../hello"}, unauthenticated("certificate_missing"))
}

func (s *scenario) givesTokens(t *testing.T) {
	site, as := s.site(), presents(s.own)
	token := site.tokenFor(t, "partner", as)
	s.expect(t, ask{as: as, header: carrying(token)}, admitted("partner"))
	site.refuses(t, posted{form: granting("partner"), as: presents(s.victim)}, http.StatusUnauthorized, "invalid_client")
	site.refuses(t, posted{form: granting("partner")}, http.StatusUnauthorized, "invalid_client")
}

func (s *scenario) failsClosed(t *testing.T) {
	if code := s.world.serve.stop(t); code != 0 {
		t.Errorf("certbearer ended with %d", code)
	}
	for sentence, a := range map[string]ask{"a client": {as: presents(s.own)}, "nobody": {}, "a public path": {path: "/public/x"}} {
		if got := s.ask(t, a); got.status != http.StatusServiceUnavailable || len(got.received) > 0 {
			t.Errorf("%s: status %d, %d requests at the upstream", sentence, got.status, len(got.received))
		}
	}
}

// Where CERTBEARER_ENVOY is "container", it is Envoy in a container that plays.
func TestTheEnvoyOfThisMachinePlaysTheScenario(t *testing.T) {
	realEnvoy(t)
	openScenario(t, "", "").play(t)
}
