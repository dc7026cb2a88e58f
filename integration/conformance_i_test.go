package integration_test

import (
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/tokens"
)

func conformanceI(t *testing.T, s *stand) {
	lab := presents(s.lab)
	inactive := map[string]any{"active": false}
	holds(t, "I1 of a token that is not active nothing else is said", func(t *testing.T) {
		got := s.post(t, posted{method: http.MethodGet, path: introspectPath, as: lab})
		if got.status != http.StatusMethodNotAllowed {
			t.Errorf("GET: status %d", got.status)
		}
		s.refuses(t, posted{path: introspectPath, form: url.Values{"client_id": {"lab"}}, as: lab}, http.StatusBadRequest, "invalid_request")
		if active := s.introspect(t, "lab", lab, s.tokenFor(t, "lab", lab))["active"]; active != true {
			t.Errorf("a good token: active is %v", active)
		}
		for sentence, token := range map[string]string{
			"nonsense":            "nonsense",
			"a JWT of nobody":     forgedToken,
			"an expired one":      s.world.forge(t, nil, values{"cnf": boundTo(s.lab), "exp": 1}),
			"one of another":      s.tokenFor(t, "other", presents(s.other)),
			"one of a stranger":   s.world.forge(t, nil, values{"cnf": boundTo(s.lab), "sub": "nobody", "client_id": "nobody"}),
			"one of another iss":  s.world.forge(t, nil, values{"cnf": boundTo(s.lab), "iss": "https://x.example"}),
			"one that is changed": s.tokenFor(t, "lab", lab) + "A",
		} {
			if diff := cmp.Diff(inactive, s.introspect(t, "lab", lab, token)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", sentence, diff)
			}
		}
		ofOff := s.world.forge(t, nil, values{"cnf": boundTo(s.off), "sub": "off", "client_id": "off"})
		if diff := cmp.Diff(inactive, s.introspect(t, "resource", presents(s.resource), ofOff)); diff != "" {
			t.Errorf("of a client that is off (-want +got):\n%s", diff)
		}
	})
	holds(t, "I2 who asks is authenticated, and learns of tokens that are meant for it", func(t *testing.T) {
		token := s.tokenFor(t, "lab", lab)
		form := url.Values{"client_id": {"resource"}, "token": {token}}
		s.refuses(t, posted{path: introspectPath, form: form}, http.StatusUnauthorized, "invalid_client")
		s.refuses(t, posted{path: introspectPath, form: form, as: lab}, http.StatusUnauthorized, "invalid_client")
		resource := presents(s.resource)
		if got := s.introspect(t, "resource", resource, token); got["active"] != true || got["client_id"] != "lab" {
			t.Errorf("the resource learns %v", got)
		}
		elsewhere := s.tokenFor(t, "lab", lab, "resource", "https://other.example")
		if diff := cmp.Diff(inactive, s.introspect(t, "resource", resource, elsewhere)); diff != "" {
			t.Errorf("of a token for another resource (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(inactive, s.introspect(t, "other", presents(s.other), token)); diff != "" {
			t.Errorf("another client (-want +got):\n%s", diff)
		}
	})
	holds(t, "I3 of an active token all is said that the token has", func(t *testing.T) {
		token := s.tokenFor(t, "lab", lab)
		_, claims := opened(t, token)
		got := s.introspect(t, "lab", lab, token)
		want := maps.Clone(claims)
		delete(want, "token_use")
		want["active"], want["token_type"] = true, "Bearer"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-token +introspection)\n%s", diff)
		}
		if names := slices.Sorted(maps.Keys(got)); len(names) != 11 {
			t.Errorf("members %v", names)
		}
	})
	otherwise(t, "I4 the answer is JSON, whatever is accepted", func(t *testing.T) {
		got := s.post(t, posted{path: introspectPath, as: lab, form: url.Values{"client_id": {"lab"}, "token": {s.tokenFor(t, "lab", lab)}},
			header: http.Header{"Accept": {"application/token-introspection+jwt"}}})
		if kind := got.header.Get("Content-Type"); got.status != http.StatusOK || kind != "application/json" {
			t.Errorf("status %d, %s", got.status, kind)
		}
	})
	holds(t, "I5 a client revokes its own tokens, and no other's", s.i5)
	holds(t, "I6 a revoked token is refused within a second", s.i6)
}

func (s *stand) i5(t *testing.T) {
	lab := presents(s.lab)
	token := s.tokenFor(t, "lab", lab)
	revoke := func(client string, as ...string) url.Values {
		form := url.Values{"client_id": {client}, "token": {token}}
		for i := 0; i < len(as); i += 2 {
			form.Set(as[i], as[i+1])
		}
		return form
	}
	s.refuses(t, posted{path: revokePath, form: revoke("lab")}, http.StatusUnauthorized, "invalid_client")
	s.refuses(t, posted{path: revokePath, form: revoke("other"), as: presents(s.other)}, http.StatusBadRequest, "unauthorized_client")
	s.refuses(t, posted{path: revokePath, form: revoke("lab", "token", ""), as: lab}, http.StatusBadRequest, "invalid_request")
	if got := s.post(t, posted{method: http.MethodGet, path: revokePath, as: lab}); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", got.status)
	}
	for _, unknown := range []string{"nonsense", forgedToken, token + "A"} {
		if got := s.post(t, posted{path: revokePath, form: revoke("lab", "token", unknown), as: lab}); got.status != http.StatusOK || got.body != "" {
			t.Errorf("an unknown token: status %d with %q", got.status, got.body)
		}
	}
	s.takesToken(t, token, "lab", s.lab)
	injected := s.ask(t, ask{path: "/rest", as: lab}).received[0].Header.Get("Authorization")[len("Bearer "):]
	s.refuses(t, posted{path: revokePath, form: revoke("lab", "token", injected), as: lab}, http.StatusBadRequest, "unsupported_token_type")
	for range 2 {
		if got := s.post(t, posted{path: revokePath, form: revoke("lab", "token_type_hint", "nonsense"), as: lab}); got.status != http.StatusOK {
			t.Errorf("with a hint: status %d with %s", got.status, got.oauth)
		}
	}
	s.refusesToken(t, token, s.lab, "token_revoked")
}

func (s *stand) i6(t *testing.T) {
	lab := presents(s.lab)
	token := s.tokenFor(t, "lab", lab)
	s.takesToken(t, token, "lab", s.lab)
	if got := s.post(t, posted{path: revokePath, form: url.Values{"client_id": {"lab"}, "token": {token}}, as: lab}); got.status != http.StatusOK {
		t.Fatalf("status %d with %s", got.status, got.oauth)
	}
	s.refusesToken(t, token, s.lab, "token_revoked")
	if diff := cmp.Diff(map[string]any{"active": false}, s.introspect(t, "lab", lab, token)); diff != "" {
		t.Errorf("introspection (-want +got):\n%s", diff)
	}
	s.expect(t, ask{path: "/rest", as: lab}, admitted("lab")) // the certificate is as good as before
	t.Run("after a restart too", func(t *testing.T) {
		good := s.tokenFor(t, "lab", lab)
		if code := s.world.serve.stop(t); code != 0 {
			t.Errorf("certbearer ended with %d", code)
		}
		s.world.start()
		s.until(t, "Envoy is connected again", ask{path: "/rest", as: lab, header: carrying(good)}, hasStatus(http.StatusOK))
		s.refusesToken(t, token, s.lab, "token_revoked")
	})
	t.Run("by another process too", func(t *testing.T) {
		token := s.tokenFor(t, "lab", lab)
		s.takesToken(t, token, "lab", s.lab)
		s.world.revokeElsewhere(t, token)
		took := s.until(t, "the token is refused", ask{path: "/rest", as: lab, header: carrying(token)}, hasStatus(http.StatusUnauthorized))
		s.refusesToken(t, token, s.lab, "token_revoked")
		if took > 2*time.Second { // it is one, and one more for a busy machine
			t.Errorf("it took %v", took)
		}
	})
}

// revokeElsewhere does what another certbearer on the same file does.
func (w *world) revokeElsewhere(t *testing.T, token string) {
	t.Helper()
	_, claims := opened(t, token)
	id, _ := claims["jti"].(string)
	file, err := tokens.OpenRevocations(filepath.Join(w.folder, "revocations", "revoked.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if _, err := file.Add(t.Context(), tokens.Revocation{ID: id, ClientID: "lab", Expires: now.Add(time.Hour), At: now}, nil); err != nil {
		t.Fatal(err)
	}
}
