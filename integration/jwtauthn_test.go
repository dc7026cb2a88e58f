package integration_test

import (
	"net/http"
	"testing"
)

// With jwt_authn behind ext_authz a request that got past certbearer by some
// mistake still needs a token that certbearer signed.
func TestEnvoyVerifiesTheInjectedToken(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	w := open(t, plan{settings: `
envoy: {jwtAuthn: true}
routes:
  - {name: open, match: {pathPrefix: /public}, access: public}
  - {name: replacing, match: {pathPrefix: /replacing}, inboundAuthorization: replace}
  - {name: rest, audience: "https://rest.example"}
`, clients: clients})
	w.writeClient(t, "partner", clients["partner"].with("audience", []string{"http://127.0.0.1:8080", "https://rest.example"}))
	asked, unasked := w.envoy(), w.envoy(noAuthorization())
	asked.soon(t, "the client may have both audiences", ask{as: known}, hasStatus(http.StatusOK))
	forged := http.Header{"Authorization": {"Bearer " + forgedToken}}
	t.Run("a token of certbearer passes", func(t *testing.T) { asked.expect(t, ask{as: known}, admitted("partner")) })
	t.Run("so does one of another route", func(t *testing.T) {
		asked.expect(t, ask{path: "/replacing", as: known, header: forged}, admitted("partner"))
	})
	t.Run("a public route needs none", func(t *testing.T) {
		asked.expect(t, ask{path: "/public"}, want{status: 200, reason: allowedPublic})
	})
	t.Run("certbearer refuses first", func(t *testing.T) { asked.expect(t, ask{as: unknown}, unauthenticated("client_unknown")) })
	for sentence, a := range map[string]ask{
		"an Envoy that does not ask lets nobody pass without a token": {as: known},
		"nor with a forged one": {as: known, header: forged},
		"nor with one in the query, where Envoy would look by default": {path: "/hello?access_token=" + forgedToken},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := unasked.ask(t, a); got.status != http.StatusUnauthorized || len(got.received) > 0 {
				t.Errorf("status %d, and %d requests at the upstream", got.status, len(got.received))
			}
		})
	}
}
