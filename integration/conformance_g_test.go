package integration_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func conformanceG(t *testing.T, s *stand) {
	lab := presents(s.lab)
	token := s.tokenFor(t, "lab", lab)
	inQuery := want{status: http.StatusBadRequest, reason: "token_in_query", oauth: "invalid_request"}
	holds(t, "G1 the token is read from Authorization, and from one place", func(t *testing.T) {
		for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
			s.expect(t, ask{path: "/rest", as: lab, header: http.Header{"Authorization": {scheme + " " + token}}}, admitted("lab"))
		}
		s.expect(t, ask{path: "/rest?access_token=" + token, as: lab, header: carrying(token)}, inQuery)
		twice := http.Header{"Authorization": {"Bearer " + token, "Bearer " + token}}
		s.expect(t, ask{path: "/rest", as: lab, header: twice}, want{status: http.StatusUnauthorized, reason: "authorization_refused", oauth: "invalid_token"})
	})
	holds(t, "G2 without a token the challenge has no error", func(t *testing.T) {
		got, _ := s.expect(t, ask{path: "/rest"}, unauthenticated("certificate_missing"))
		if challenge := got.header["Www-Authenticate"]; !slices.Equal(challenge, []string{"Bearer"}) {
			t.Errorf("WWW-Authenticate is %q", challenge)
		}
	})
	holds(t, "G3 a bad token is a 401, too little scope a 403 that names it", func(t *testing.T) {
		s.refusesToken(t, token+"A", s.lab, "token_signature_invalid")
		s.refusesToken(t, "nonsense", s.lab, "token_malformed")
		got, _ := s.expect(t, ask{path: "/writes", as: lab, header: carrying(token)}, want{status: http.StatusForbidden, reason: "scope_insufficient", oauth: "insufficient_scope"})
		if challenge := got.header["Www-Authenticate"]; !slices.Equal(challenge, []string{`Bearer error="insufficient_scope", scope="orders.write"`}) {
			t.Errorf("WWW-Authenticate is %q", challenge)
		}
		writing := s.tokenFor(t, "lab", lab, "scope", "orders.write")
		s.expect(t, ask{path: "/writes", as: lab, header: carrying(writing)}, admitted("lab"))
	})
	holds(t, "G4 a token in the query is refused", func(t *testing.T) {
		for _, query := range []string{"access_token=" + token, "a=b&access_token=" + token, "access%5Ftoken=" + token, "access_token=anything", "access_token"} {
			s.expect(t, ask{path: "/rest?" + query, as: lab}, inQuery)
		}
	})
	without(t, "G5 there is no metadata of resources, and no challenge speaks of any", func(t *testing.T) {
		for _, a := range []ask{{path: "/rest"}, {path: "/rest", header: carrying(token)}} {
			if challenge := s.ask(t, a).header.Get("Www-Authenticate"); strings.Contains(challenge, "resource_metadata") {
				t.Errorf("WWW-Authenticate is %q", challenge)
			}
		}
		if got := s.get(t, "/.well-known/oauth-protected-resource", nil); got.status != http.StatusUnauthorized {
			t.Errorf("status %d", got.status)
		}
	})
}
