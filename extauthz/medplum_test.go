package extauthz_test

import (
	"testing"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// The fault is number 3 of reference/medplum.md.
func TestMedplumFault03_ATokenWorksWithItsCertificateAndWhileItsClientDoes(t *testing.T) {
	leaf, other := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "other"})
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, inboundRoute("verify", extauthz.InboundVerify)) })
	s.pin(t, "lab-partner", leaf)
	s.pin(t, "other", other)
	token := s.ownToken(t, leaf, nil).Value.Reveal()
	ask := func(certificate *testca.Issued) string {
		return check(t.Context(), t, s, with(to(requestFrom(certificate), "/verify"), "authorization", "Bearer "+token)).inWords()
	}
	steps := []struct {
		sentence string
		change   func()
		with     *testca.Issued
		want     string
	}{
		{"its certificate", func() {}, leaf, "allowed"},
		{"another's certificate", func() {}, other, "401 token_binding_mismatch"},
		{"no certificate", func() {}, nil, "401 token_without_certificate"},
		{"a store that has changed", func() { s.pin(t, "lab-partner", selfSigned(t, testca.Template{CommonName: "new"})) }, leaf, "401 certificate_not_pinned"},
		{"the store as it was", func() { s.pin(t, "lab-partner", leaf) }, leaf, "allowed"},
		{"a client that is off", func() {
			s.put(t, "lab-partner", map[string]any{"certificateTrustStore": storeOf(leaf), "status": "off"})
		}, leaf, "401 client_inactive"},
	}
	for _, step := range steps {
		step.change()
		if got := ask(step.with); got != step.want {
			t.Errorf("%s: %s, want %s", step.sentence, got, step.want)
		}
	}
}
