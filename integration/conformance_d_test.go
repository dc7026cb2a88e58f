package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func conformanceD(t *testing.T, s *stand) {
	f := s.front
	ours, theirs := s.metadata(t), members(t, f.public.get(t, f.published, nil).body)
	holds(t, "D1 metadata is where the issuer says it is", func(t *testing.T) {
		for sentence, got := range map[string]answer{
			"an issuer without a path": s.get(t, metadataPath, nil),
			"an issuer with one":       f.public.get(t, f.published, nil),
		} {
			if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: status %d, %s", sentence, got.status, got.header.Get("Content-Type"))
			}
		}
		if got := f.public.get(t, metadataPath, nil); got.status == http.StatusOK {
			t.Error("it is served as if the issuer had no path too")
		}
	})
	holds(t, "D2 the issuer is the one of the tokens, https, without query and fragment", func(t *testing.T) {
		for issuer, c := range map[string]struct {
			metadata map[string]any
			token    string
		}{
			"https://localhost:8443": {ours, s.tokenFor(t, "lab", presents(s.lab))},
			f.issuer:                 {theirs, f.tokenFor(t, "lab", presents(f.lab))},
		} {
			if _, claims := opened(t, c.token); c.metadata["issuer"] != issuer || claims["iss"] != issuer {
				t.Errorf("issuer is %v, iss %v, want %s", c.metadata["issuer"], claims["iss"], issuer)
			}
		}
		for _, issuer := range []string{"http://localhost:8443", "https://localhost:8443?a=b", "https://localhost:8443#a", "localhost"} {
			refusesSettings(t, "issuer: "+toJSON(t, issuer), "issuer")
		}
	})
	holds(t, "D3 there is no response type, and no member is null", func(t *testing.T) {
		for _, metadata := range []map[string]any{ours, theirs} {
			if diff := cmp.Diff([]any{}, metadata["response_types_supported"]); diff != "" {
				t.Errorf("response_types_supported (-want +got):\n%s", diff)
			}
			for name, value := range metadata {
				if value == nil {
					t.Errorf("%s is null", name)
				}
			}
			if endpoint, _ := metadata["token_endpoint"].(string); !strings.HasPrefix(endpoint, "https://") {
				t.Errorf("token_endpoint is %q", endpoint)
			}
		}
	})
	holds(t, "D4 the one grant is named", func(t *testing.T) {
		if diff := cmp.Diff([]any{"client_credentials"}, ours["grant_types_supported"]); diff != "" {
			t.Error(diff)
		}
	})
	holds(t, "D5 the ways to authenticate are those that there are", func(t *testing.T) {
		if diff := cmp.Diff([]any{"tls_client_auth", "self_signed_tls_client_auth"}, ours["token_endpoint_auth_methods_supported"]); diff != "" {
			t.Error(diff)
		}
	})
	holds(t, "D6 the keys are where jwks_uri says", func(t *testing.T) {
		for metadata, through := range map[*map[string]any]site{&ours: s.site, &theirs: f.public} {
			uri, _ := (*metadata)["jwks_uri"].(string)
			got := through.get(t, pathOf(t, uri), nil)
			if keys, _ := members(t, got.body)["keys"].([]any); got.status != http.StatusOK || len(keys) == 0 {
				t.Errorf("%s: status %d, %d keys", uri, got.status, len(keys))
			}
		}
	})
	holds(t, "D7 where certificates need another host, there are aliases for it", func(t *testing.T) {
		want := map[string]any{
			"token_endpoint":         "https://mtls.auth.example/oauth2/token",
			"introspection_endpoint": "https://mtls.auth.example/oauth2/introspect",
			"revocation_endpoint":    "https://mtls.auth.example/oauth2/revoke",
		}
		if diff := cmp.Diff(want, theirs["mtls_endpoint_aliases"]); diff != "" {
			t.Errorf("mtls_endpoint_aliases (-want +got):\n%s", diff)
		}
		if aliases, some := ours["mtls_endpoint_aliases"]; some {
			t.Errorf("with one host there are %v", aliases)
		}
		f.tokenFor(t, "lab", presents(f.lab))
		f.public.refuses(t, posted{form: granting("lab")}, http.StatusUnauthorized, "invalid_client")
	})
	holds(t, "D8 introspection and revocation are where metadata says, and as it says", func(t *testing.T) {
		for _, name := range []string{"introspection_endpoint", "revocation_endpoint"} {
			uri, _ := ours[name].(string)
			form := map[string][]string{"client_id": {"lab"}, "token": {"x"}}
			if got := s.post(t, posted{path: pathOf(t, uri), form: form, as: presents(s.lab)}); got.status != http.StatusOK {
				t.Errorf("%s: status %d", uri, got.status)
			}
			if diff := cmp.Diff(ours["token_endpoint_auth_methods_supported"], ours[name+"_auth_methods_supported"]); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
	holds(t, "D9 metadata and keys can be kept, and are asked for without a certificate", func(t *testing.T) {
		for _, path := range []string{metadataPath, "/.well-known/jwks.json"} {
			first := s.get(t, path, nil)
			tag := first.header.Get("ETag")
			again := s.get(t, path, http.Header{"If-None-Match": {tag}})
			if first.status != http.StatusOK || tag == "" || !strings.HasPrefix(first.header.Get("Cache-Control"), "public, max-age=") || again.status != http.StatusNotModified {
				t.Errorf("%s: status %d with %v, then %d", path, first.status, first.header, again.status)
			}
		}
	})
	otherwise(t, "D10 OpenID Connect's path is not served", func(t *testing.T) {
		if got := s.get(t, "/.well-known/openid-configuration", nil); got.status != http.StatusUnauthorized {
			t.Errorf("status %d", got.status)
		}
	})
	t.Run("the public listener", f.publicListener)
	t.Run("the listener that ends TLS itself", f.directListener)
	t.Run("compatibility: medplum", f.medplum)
}

// refusesSettings has certbearer read a configuration, and refuse it.
func refusesSettings(t *testing.T, text, says string) {
	t.Helper()
	w := prepare(t, plan{settings: text})
	if code, printed := certbearer(t, "clients", "check", "--config", w.config); code != 2 || !strings.Contains(printed, says) {
		t.Errorf("%s: exit code %d, want 2 and %q:\n%s", text, code, says, printed)
	}
}

// pathOf takes the origin off: the world's is no address that anybody listens at.
func pathOf(t *testing.T, uri string) string {
	t.Helper()
	_, rest, found := strings.Cut(uri, "https://")
	at := strings.Index(rest, "/")
	if !found || at < 0 {
		t.Fatalf("%q is no https URL with a path", uri)
	}
	return rest[at:]
}
