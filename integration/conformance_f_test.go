package integration_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func conformanceF(t *testing.T, s *stand) {
	lab := presents(s.lab)
	head, claims := opened(t, s.tokenFor(t, "lab", lab))
	bound := values{"cnf": boundTo(s.lab)}
	holds(t, "F1 typ is at+jwt, and no other is taken", func(t *testing.T) {
		if head["typ"] != "at+jwt" {
			t.Errorf("typ is %v", head["typ"])
		}
		s.takesToken(t, s.world.forge(t, values{"typ": "application/at+jwt"}, bound), "lab", s.lab)
		for _, typ := range []any{"JWT", "jwt", "", "certbearer-cert+jwt", "secevent+jwt"} {
			s.refusesToken(t, s.world.forge(t, values{"typ": typ}, bound), s.lab, "token_type_wrong")
		}
		s.refusesToken(t, s.world.forge(t, values{"typ": nil}, bound), s.lab, "token_malformed")
	})
	holds(t, "F2 every claim of the profile is there", func(t *testing.T) {
		for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} {
			if claims[name] == nil {
				t.Errorf("there is no %s", name)
			}
		}
	})
	holds(t, "F3 sub is the client itself", func(t *testing.T) {
		if claims["sub"] != "lab" || claims["client_id"] != "lab" {
			t.Errorf("sub is %v, client_id %v", claims["sub"], claims["client_id"])
		}
		s.refusesToken(t, s.world.forge(t, nil, bound.and(values{"sub": "a-user"})), s.lab, "token_malformed")
	})
	holds(t, "F4 scope has what was granted", func(t *testing.T) {
		s.grants(t, "lab", lab, "orders.write orders.read", "orders.write orders.read")
	})
	holds(t, "F5 aud is the resource, or the default one", func(t *testing.T) {
		for want, more := range map[string][]string{"https://api.example": nil, "https://other.example": {"resource", "https://other.example"}} {
			if _, claims := opened(t, s.tokenFor(t, "lab", lab, more...)); claims["aud"] != want {
				t.Errorf("aud is %v, want %s", claims["aud"], want)
			}
		}
	})
	otherwise(t, "F6 tokens are signed, with RS256 where the operator wants it", func(t *testing.T) {
		if head["alg"] != "ES256" {
			t.Errorf("alg is %v by default", head["alg"])
		}
		f := s.front
		text := f.tokenFor(t, "lab", presents(f.lab))
		parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.keys.fetch(); err != nil {
			t.Fatal(err)
		}
		if err := parsed.Claims(&f.keys.cached, new(jwt.Claims)); err != nil {
			t.Error(err)
		}
		if got := f.ask(t, ask{as: presents(f.lab), header: carrying(text)}); got.status != http.StatusOK {
			t.Errorf("the gateway refuses it: status %d with %s", got.status, got.oauth)
		}
	})
	holds(t, "F7 the gateway takes tokens for the route's audience only", func(t *testing.T) {
		other := s.tokenFor(t, "lab", lab, "resource", "https://other.example")
		s.refusesToken(t, other, s.lab, "token_audience_wrong")
		s.expect(t, ask{path: "/elsewhere", as: lab, header: carrying(other)}, admitted("lab"))
		s.refusesToken(t, s.world.forge(t, nil, bound.and(values{"iss": "https://evil.example"})), s.lab, "token_issuer_wrong")
		s.refusesToken(t, s.world.forge(t, nil, bound.and(values{"exp": 1})), s.lab, "token_expired")
		good := s.tokenFor(t, "lab", lab)
		s.refusesToken(t, good[:len(good)-4]+"AAAA", s.lab, "token_signature_invalid")
		injected := s.ask(t, ask{path: "/rest", as: lab}).received[0].Header.Get("Authorization")[len("Bearer "):]
		s.refusesToken(t, injected, s.lab, "token_type_wrong")
	})
	holds(t, "F8 nothing speaks of a user", func(t *testing.T) {
		for name := range claims {
			if slices.Contains([]string{"auth_time", "acr", "amr", "name", "email", "nonce"}, name) {
				t.Errorf("there is %s", name)
			}
		}
	})
}
