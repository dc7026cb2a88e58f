package integration_test

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func conformanceJ(t *testing.T, s *stand) {
	f, p := s.front, s.profile
	holds(t, "J1 TLS 1.2 has forward secrecy and AEAD only", func(t *testing.T) {
		for where, through := range map[string]site{"Envoy": s.site, "Envoy's public listener": f.public, "certbearer itself": f.direct} {
			for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384} {
				if state, err := through.shake(tls.VersionTLS12, tls.VersionTLS12, []uint16{suite}); err != nil || state.CipherSuite != suite {
					t.Errorf("%s: %s: %v", where, tls.CipherSuiteName(suite), err)
				}
			}
			for _, suite := range []uint16{
				tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
				tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,
			} {
				if _, err := through.shake(tls.VersionTLS12, tls.VersionTLS12, []uint16{suite}); err == nil {
					t.Errorf("%s: it speaks %s", where, tls.CipherSuiteName(suite))
				}
			}
			through.refusesVersion(t, tls.VersionTLS10, tls.VersionTLS11)
		}
	})
	holds(t, "J2 clients have certificates and no secrets", func(t *testing.T) {
		for _, name := range []string{"token", "introspection", "revocation"} {
			if diff := cmp.Diff([]any{"tls_client_auth", "self_signed_tls_client_auth"}, p.metadata(t)[name+"_endpoint_auth_methods_supported"]); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		p.refuses(t, posted{form: granting("pinned", "client_secret", "x"), as: presents(p.pinned)}, http.StatusBadRequest, "invalid_request")
		refusesSettings(t, "{profile: fapi2, compatibility: medplum}", "compatibility")
		p.bindingAlways(t)
	})
	holds(t, "J3 every token is bound, given and taken", func(t *testing.T) {
		_, claims := opened(t, p.tokenFor(t, "pinned", presents(p.pinned)))
		if diff := cmp.Diff(map[string]any(boundTo(p.pinned)), claims["cnf"]); diff != "" {
			t.Error(diff)
		}
		refusesSettings(t, "{profile: fapi2, inject: {bind: none}}", "inject.bind")
		refusesSettings(t, "{profile: fapi2, routes: [{name: a, inboundAuthorization: pass}]}", "inboundAuthorization")
		got := p.ask(t, ask{as: presents(p.pinned), header: carrying(p.world.forge(t, nil, values{"sub": "pinned", "client_id": "pinned"}))})
		if r := p.world.record(t, got.id); got.status != http.StatusUnauthorized || r.Reason != "token_unbound" {
			t.Errorf("status %d, the record is %+v", got.status, r)
		}
	})
	otherwise(t, "J4 under profile: fapi2 the algorithm is PS256, ES256 or EdDSA", func(t *testing.T) {
		for _, algorithm := range []string{"RS256", "ES384"} {
			refusesSettings(t, "{profile: fapi2, keys: {algorithm: "+algorithm+"}}", "keys.algorithm")
		}
		if head, _ := opened(t, p.tokenFor(t, "pinned", presents(p.pinned))); head["alg"] != "PS256" {
			t.Errorf("alg is %v", head["alg"])
		}
	})
	holds(t, "J5 keys are strong, and identifiers cannot be guessed", p.j5)
	holds(t, "J6 metadata is published, and nothing redirects", func(t *testing.T) {
		if p.metadata(t)["issuer"] != "https://localhost:8443" {
			t.Error("the issuer is another")
		}
		for _, query := range []string{"?redirect_uri=https://evil.example", "?return_to=https://evil.example"} {
			form := granting("pinned", "redirect_uri", "https://evil.example")
			if got := p.post(t, posted{path: tokenPath + query, form: form, as: presents(p.pinned)}); got.header.Get("Location") != "" || got.status != http.StatusOK {
				t.Errorf("status %d, Location %q", got.status, got.header.Get("Location"))
			}
		}
	})
	holds(t, "J7 a clock may be ten seconds ahead, and no minute", func(t *testing.T) {
		ahead := func(seconds int64) string {
			return s.world.forge(t, nil, values{"cnf": boundTo(s.lab), "iat": time.Now().Unix() + seconds})
		}
		s.takesToken(t, ahead(10), "lab", s.lab)
		s.refusesToken(t, ahead(61), s.lab, "token_not_yet_valid")
	})
	without(t, "J8 there is no authorization endpoint and no DPoP", func(t *testing.T) {
		for _, name := range []string{"authorization_endpoint", "pushed_authorization_request_endpoint", "code_challenge_methods_supported", "dpop_signing_alg_values_supported"} {
			if value, some := p.metadata(t)[name]; some {
				t.Errorf("%s is %v", name, value)
			}
		}
	})
}

// profile is a certbearer with profile: fapi2.
type profile struct {
	*gate
	site
	pinned, weak, unboundCA, boundCA *testca.Issued
}

const profileSettings = `
profile: fapi2
audience: https://api.example
inboundAuthorization: verify
keys: {algorithm: PS256}
`

func openProfile(t *testing.T) *profile {
	t.Helper()
	p := &profile{
		pinned: selfSigned(t, testca.Template{CommonName: "pinned"}),
		weak:   selfSigned(t, testca.Template{CommonName: "weak", Key: keyOf(t, testca.RSA1024)}), unboundCA: authority(t, "Unbound CA"), boundCA: authority(t, "Bound CA"),
	}
	w := prepare(t, plan{settings: profileSettings, clients: map[string]document{
		"pinned": trusting(p.pinned), "weak": trusting(p.weak), "unbound": trusting(p.unboundCA),
		"bound": trusting(p.boundCA).with("tlsClientAuth", map[string]any{"sanDns": "lab.example"}),
	}})
	w.noKeys(t)
	w.start()
	p.gate = w.envoy()
	p.site = p.gate.site()
	return p
}

// bindingAlways is what the profile adds to a client of a CA: a subject.
func (p *profile) bindingAlways(t *testing.T) {
	t.Helper()
	p.tokenFor(t, "bound", presents(issue(t, p.boundCA, testca.Template{DNSNames: []string{"lab.example"}})))
	leaf := presents(issue(t, p.unboundCA, testca.Template{CommonName: "leaf"}))
	got := p.refuses(t, posted{form: granting("unbound"), as: leaf}, http.StatusUnauthorized, "invalid_client")
	if r := p.world.judged(t, got.id); r.Reason != "subject_mismatch" || r.Client != "unbound" {
		t.Errorf("the record is %+v", r)
	}
	p.expect(t, ask{as: leaf}, unauthenticated("subject_mismatch"))
	if _, printed := certbearer(t, "clients", "check", "--config", p.world.config); !strings.Contains(printed, "under profile fapi2 none of the CA's certificates is accepted") {
		t.Errorf("clients check does not warn:\n%s", printed)
	}
}

func (p *profile) j5(t *testing.T) {
	seen := make(map[any]bool)
	for range 3 {
		_, claims := opened(t, p.tokenFor(t, "pinned", presents(p.pinned)))
		id, _ := claims["jti"].(string)
		if raw, err := base64.RawURLEncoding.DecodeString(id); err != nil || len(raw) < 16 || seen[id] {
			t.Errorf("jti is %q", id)
		}
		seen[id] = true
	}
	for _, key := range p.jwks(t) {
		if n, _ := key["n"].(string); base64.RawURLEncoding.DecodedLen(len(n)) < 256 {
			t.Errorf("a key of %d octets", base64.RawURLEncoding.DecodedLen(len(n)))
		}
	}
	got := p.refuses(t, posted{form: granting("weak"), as: presents(p.weak)}, http.StatusUnauthorized, "invalid_client")
	if r := p.world.judged(t, got.id); r.Reason != "key_weak" {
		t.Errorf("the record is %+v", r)
	}
}
