package integration_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func conformanceB(t *testing.T, s *stand) {
	lab := presents(s.lab)
	holds(t, "B1 a token has the thumbprint of the certificate in cnf", func(t *testing.T) {
		_, claims := opened(t, s.tokenFor(t, "lab", lab))
		if diff := cmp.Diff(map[string]any{"x5t#S256": thumbprint(lab)}, claims["cnf"]); diff != "" {
			t.Errorf("cnf (-want +got):\n%s", diff)
		}
		if n := len(thumbprint(lab)); n != 43 {
			t.Errorf("the thumbprint has %d characters", n)
		}
	})
	holds(t, "B2 a new certificate with the same key is another one", func(t *testing.T) {
		token := s.tokenFor(t, "rotating", presents(s.first))
		s.takesToken(t, token, "rotating", s.first)
		s.refusesToken(t, token, s.second, "token_binding_mismatch")
	})
	holds(t, "B3 a token is refused with another certificate and with none", func(t *testing.T) {
		token := s.tokenFor(t, "lab", lab)
		s.takesToken(t, token, "lab", s.lab)
		s.refusesToken(t, token, s.other, "token_binding_mismatch")
		s.refusesToken(t, token, selfSigned(t, testca.Template{CommonName: "lab"}), "token_binding_mismatch")
		s.refusesToken(t, token, nil, "token_without_certificate")
	})
	holds(t, "B4 a token without cnf is refused", func(t *testing.T) {
		s.takesToken(t, s.world.forge(t, nil, values{"cnf": boundTo(s.lab)}), "lab", s.lab) // the forgery is good otherwise
		s.refusesToken(t, s.world.forge(t, nil, nil), s.lab, "token_unbound")
		s.refusesToken(t, s.world.forge(t, nil, values{"cnf": values{}}), s.lab, "token_unbound")
	})
	holds(t, "B5 a cnf that we do not know proves nothing", func(t *testing.T) {
		both := boundTo(s.lab).onTop(values{"jkt": thumbprint(lab)})
		for _, cnf := range []values{{"jkt": thumbprint(lab)}, both, {"x5t#S256": thumbprint(lab) + "="}, {"x5t": thumbprint(lab)}} {
			s.refusesToken(t, s.world.forge(t, nil, values{"cnf": cnf}), s.lab, "token_unbound")
		}
	})
	holds(t, "B6 introspection answers with the token's cnf", func(t *testing.T) {
		token := s.tokenFor(t, "lab", lab)
		_, claims := opened(t, token)
		if diff := cmp.Diff(claims["cnf"], s.introspect(t, "lab", lab, token)["cnf"]); diff != "" {
			t.Errorf("cnf (-token +introspection):\n%s", diff)
		}
	})
	holds(t, "B7 every token is bound, as metadata and clients say", func(t *testing.T) {
		if got := s.metadata(t)["tls_client_certificate_bound_access_tokens"]; got != true {
			t.Errorf("tls_client_certificate_bound_access_tokens is %v", got)
		}
		for client, issued := range map[string]*testca.Issued{"lab": s.lab, "other": s.other, "seed": s.seed} {
			if _, claims := opened(t, s.tokenFor(t, client, presents(issued))); claims["cnf"] == nil {
				t.Errorf("a token of %s has no cnf", client)
			}
		}
		refusesDocument(t, trusting(s.lab).with("tlsClientCertificateBoundAccessTokens", false), "every token is bound")
	})
	holds(t, "B8 old tokens end with the certificate, and soon", s.b8)
	holds(t, "B9 the certificate of the token request is the one that counts", func(t *testing.T) {
		for _, issued := range []*testca.Issued{s.first, s.second} {
			_, claims := opened(t, s.tokenFor(t, "rotating", presents(issued)))
			if diff := cmp.Diff(map[string]any(boundTo(issued)), claims["cnf"]); diff != "" {
				t.Errorf("cnf (-want +got):\n%s", diff)
			}
		}
	})
	holds(t, "B10 a token that is kept is never used for another certificate", func(t *testing.T) {
		var cached bool
		for range 2 {
			for _, issued := range []*testca.Issued{s.first, s.second} {
				_, r := s.expect(t, ask{path: "/rest", as: presents(issued)}, admitted("rotating")) // compares cnf
				cached = r.Cached
			}
		}
		if !cached {
			t.Error("no token was kept")
		}
	})
}

func (s *stand) b8(t *testing.T) {
	old, renewed := selfSigned(t, testca.Template{CommonName: "renewing"}), selfSigned(t, testca.Template{CommonName: "renewing"})
	s.world.writeClient(t, "renewing", trusting(old).with("accessTokenLifetime", "60s"))
	eventually(t, "the client is known", func() bool {
		return s.post(t, posted{form: granting("renewing"), as: presents(old)}).status == http.StatusOK
	})
	got := s.post(t, posted{form: granting("renewing"), as: presents(old)})
	if life := members(t, got.body)["expires_in"]; life != jsonNumber("60") {
		t.Errorf("expires_in is %v", life)
	}
	token, _ := members(t, got.body)["access_token"].(string)
	s.world.writeClient(t, "renewing", trusting(renewed))
	s.until(t, "the old certificate is refused", ask{path: "/rest", as: presents(old), header: carrying(token)}, hasStatus(http.StatusUnauthorized))
	s.expect(t, ask{path: "/rest", as: presents(old), header: carrying(token)}, unauthenticated("certificate_not_pinned"))
	s.refusesToken(t, token, renewed, "token_binding_mismatch")
}
