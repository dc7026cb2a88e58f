package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/envoy/envoytest"
	"github.com/certbearer/certbearer/envoy/run"
)

// minor is the version that is rendered for a build.
func minor(build string) string { return build[:strings.LastIndex(build, ".")] }

func TestEveryVersionOfEnvoyPlaysTheScenario(t *testing.T) {
	for _, build := range run.Versions() {
		t.Run(build, func(t *testing.T) {
			t.Parallel()
			envoytest.Version(t, build)
			openScenario(t, minor(build), build).play(t)
		})
	}
}

// An Envoy without suppress_client_ca_list does not insist in the handshake: what
// it lets in it refuses, on public paths too.
func TestAnOldEnvoyRefusesEveryRequestWhereACertificateIsRequired(t *testing.T) {
	const build = "1.37.0"
	envoytest.Version(t, build)
	clients, known, unknown := partner(t)
	w := open(t, plan{clients: clients, settings: scenarioSettings + `envoy: {version: "1.37", clientCertificate: required}`})
	w.build = build
	g := w.envoy()
	g.keys.as = known
	g.expect(t, ask{as: known}, admitted("partner"))
	g.expect(t, ask{as: unknown}, unauthenticated("client_unknown"))
	g.expect(t, ask{}, unauthenticated("certificate_missing"))
	g.expect(t, ask{path: "/public/x", as: unknown}, want{status: http.StatusOK, reason: allowedPublic})
	for sentence, a := range map[string]ask{
		"a public path":  {path: "/public/x"},
		"a preflight":    {method: http.MethodOptions, header: preflight},
		"the JWKS":       {path: "/.well-known/jwks.json"},
		"the metadata":   {path: metadataPath},
		"any other path": {path: "/unheard-of"},
	} {
		if got := g.ask(t, a); got.status != http.StatusUnauthorized || len(got.received) > 0 {
			t.Errorf("%s: status %d, %d requests at the upstream; want 401 and none", sentence, got.status, len(got.received))
		}
	}
	// Envoy chose no route of ours, and only an endpoint's own leads to it.
	if got := g.site().post(t, posted{form: granting("partner")}); got.status != http.StatusForbidden {
		t.Errorf("the token endpoint: status %d, want 403", got.status)
	}
}
