package discovery_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/discovery"
)

func server() discovery.Server {
	return discovery.Server{
		Issuer: "https://gateway.example", Origin: "https://gateway.example",
		TokenPath: "/oauth2/token", IntrospectPath: "/oauth2/introspect", RevokePath: "/oauth2/revoke",
		AuthMethods: []string{"tls_client_auth", "self_signed_tls_client_auth"},
	}
}

func askMetadata(t *testing.T, of discovery.Server, method, ifNone string) *http.Response {
	t.Helper()
	handler, err := discovery.Metadata(of)
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(method, discovery.MetadataPath, nil)
	if ifNone != "" {
		request.Header.Set("If-None-Match", ifNone)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Result()
}

// What clients read is an interface, so it is written out.
func TestMetadataHasTheseMembers(t *testing.T) {
	plain := map[string]any{
		"issuer": "https://gateway.example", "jwks_uri": "https://gateway.example/.well-known/jwks.json",
		"token_endpoint":                                "https://gateway.example/oauth2/token",
		"introspection_endpoint":                        "https://gateway.example/oauth2/introspect",
		"revocation_endpoint":                           "https://gateway.example/oauth2/revoke",
		"response_types_supported":                      []any{},
		"grant_types_supported":                         []any{"client_credentials"},
		"token_endpoint_auth_methods_supported":         []any{"tls_client_auth", "self_signed_tls_client_auth"},
		"introspection_endpoint_auth_methods_supported": []any{"tls_client_auth", "self_signed_tls_client_auth"},
		"revocation_endpoint_auth_methods_supported":    []any{"tls_client_auth", "self_signed_tls_client_auth"},
		"tls_client_certificate_bound_access_tokens":    true,
	}
	aliases := map[string]any{
		"token_endpoint": "https://mtls.gateway.example/oauth2/token", "introspection_endpoint": "https://mtls.gateway.example/oauth2/introspect",
		"revocation_endpoint": "https://mtls.gateway.example/oauth2/revoke",
	}
	for sentence, test := range map[string]struct {
		change func(*discovery.Server)
		differ map[string]any
	}{
		"on one host":                         {func(*discovery.Server) {}, nil},
		"with a host for certificates":        {func(s *discovery.Server) { s.MTLSOrigin = "https://mtls.gateway.example" }, map[string]any{"mtls_endpoint_aliases": aliases}},
		"with one for both":                   {func(s *discovery.Server) { s.MTLSOrigin = s.Origin }, nil},
		"with an issuer that has a path":      {func(s *discovery.Server) { s.Issuer += "/tenant" }, map[string]any{"issuer": "https://gateway.example/tenant"}},
		"with an issuer that ends in a slash": {func(s *discovery.Server) { s.Issuer += "/" }, map[string]any{"issuer": "https://gateway.example/"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			of := server()
			test.change(&of)
			want := map[string]any{}
			for _, members := range []map[string]any{plain, test.differ} {
				for name, value := range members {
					want[name] = value
				}
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(body(t, askMetadata(t, of, http.MethodGet, ""))), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMetadataAnswers(t *testing.T) {
	first := askMetadata(t, server(), http.MethodGet, "")
	document, tag := body(t, first), first.Header.Get("ETag")
	const fresh = "public, max-age=300"
	for sentence, test := range map[string]struct {
		method, ifNone string
		want           answer
	}{
		"GET has the document":              {http.MethodGet, "", answer{200, fresh, "application/json", "", document}},
		"HEAD has the header of GET":        {http.MethodHead, "", answer{200, fresh, "application/json", "", ""}},
		"GET of what the asker has":         {http.MethodGet, tag, answer{304, fresh, "", "", ""}},
		"GET of another than the asker has": {http.MethodGet, `"a"`, answer{200, fresh, "application/json", "", document}},
		"POST":                              {http.MethodPost, "", answer{405, "no-store", "", "GET, HEAD", ""}},
		"OPTIONS":                           {http.MethodOptions, "", answer{405, "no-store", "", "GET, HEAD", ""}},
	} {
		t.Run(sentence, func(t *testing.T) {
			response := askMetadata(t, server(), test.method, test.ifNone)
			got := answer{response.StatusCode, response.Header.Get("Cache-Control"), response.Header.Get("Content-Type"), response.Header.Get("Allow"), body(t, response)}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if response.StatusCode < 400 && (response.Header.Get("ETag") != tag || response.Header.Get("X-Content-Type-Options") != "nosniff" && response.StatusCode == 200) {
				t.Errorf("%v", response.Header)
			}
		})
	}
	other := server()
	other.Issuer = "https://other.example"
	if askMetadata(t, other, http.MethodGet, "").Header.Get("ETag") == tag {
		t.Error("another document has the same tag")
	}
}

func TestWhereMetadataIs(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://gateway.example":            "/.well-known/oauth-authorization-server",
		"https://gateway.example/":           "/.well-known/oauth-authorization-server",
		"https://gateway.example:8443":       "/.well-known/oauth-authorization-server",
		"https://gateway.example/tenant":     "/.well-known/oauth-authorization-server/tenant",
		"https://gateway.example/tenant/":    "/.well-known/oauth-authorization-server/tenant",
		"https://gateway.example/a/b":        "/.well-known/oauth-authorization-server/a/b",
		"https://gateway.example/a%20tenant": "/.well-known/oauth-authorization-server/a%20tenant",
	} {
		if got, err := discovery.MetadataPathOf(issuer); err != nil || got != want {
			t.Errorf("%s: %s, %v", issuer, got, err)
		}
	}
	if got, err := discovery.MetadataPathOf("https://[secret"); err == nil || got != "" {
		t.Errorf("of no URL: %s, %v", got, err)
	}
}

func TestMedplumFault12_MetadataSaysHowClientsWithCertificatesAuthenticate(t *testing.T) {
	of := server()
	of.MTLSOrigin = "https://mtls.gateway.example"
	var got struct {
		Methods []string          `json:"token_endpoint_auth_methods_supported"`
		Bound   bool              `json:"tls_client_certificate_bound_access_tokens"`
		Aliases map[string]string `json:"mtls_endpoint_aliases"`
	}
	if err := json.Unmarshal([]byte(body(t, askMetadata(t, of, http.MethodGet, ""))), &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(got.Methods, "tls_client_auth") || !got.Bound || got.Aliases["token_endpoint"] == "" {
		t.Errorf("%+v", got)
	}
}
