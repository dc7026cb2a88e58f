package manifests_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// What istiod makes of the manifests runs in a real Envoy, with certbearer behind
// it as they configure it.
func TestTheGatewayInARealEnvoyLetsOnlyKnownClientsIn(t *testing.T) {
	for folder := range folders {
		t.Run(folder, func(t *testing.T) {
			w := startWorld(t, folder, "")
			// Istio has Envoy write the names of a certificate into the header, unescaped.
			victim := `Cert="` + w.client.URLEncodedPEM() + `"`
			element := issue(t, testca.Template{CommonName: "x", URIs: []string{"spiffe://x,Hash=00;" + victim}})
			pair := issue(t, testca.Template{CommonName: "x", DNSNames: []string{"x;" + victim}})
			stranger := issue(t, testca.Template{CommonName: "my-client"})
			t.Run("a known client's request arrives with a token of ours", func(t *testing.T) {
				forged := http.Header{"X-Forwarded-Client-Cert": {"Hash=00"}, "Client-Cert": {":AAAA:"}, "Certbearer-Statement": {"x"}}
				if status, body := w.ask(t, "GET", "/orders", w.client, forged, ""); status != http.StatusOK {
					t.Fatalf("%d %s", status, body)
				}
				received := w.received()
				if got := claims(t, received); got["client_id"] != "my-client" || got["aud"] != "https://orders.example" {
					t.Errorf("the token says %v", got)
				}
				for name := range forged {
					if received.Get(name) != "" {
						t.Errorf("%s reached the upstream: %q", name, received.Get(name))
					}
				}
			})
			for name, c := range map[string]struct {
				method, path string
				client       *testca.Issued
				header       http.Header
				status       int
			}{
				"a name that is an element of the header":        {"GET", "/orders", element, nil, http.StatusUnauthorized},
				"a name that is a pair of the header":            {"GET", "/orders", pair, nil, http.StatusUnauthorized},
				"no certificate":                                 {"GET", "/orders", nil, nil, http.StatusUnauthorized},
				"a certificate that nobody knows":                {"GET", "/orders", stranger, nil, http.StatusUnauthorized},
				"somebody else's x-forwarded-client-cert":        {"GET", "/orders", nil, http.Header{"X-Forwarded-Client-Cert": {"Cert=\"" + w.client.URLEncodedPEM() + "\""}}, http.StatusUnauthorized},
				"a preflight, where no route is for them":        {"OPTIONS", "/orders", nil, http.Header{"Origin": {"https://a.example"}, "Access-Control-Request-Method": {"GET"}}, http.StatusUnauthorized},
				"a path that could be read as another":           {"GET", "/public%2f..%2forders", w.client, nil, http.StatusBadRequest},
				"a key set that is asked for by POST":            {"POST", "/.well-known/jwks.json", nil, nil, http.StatusUnauthorized},
				"a path that is the key set's when it is normal": {"GET", "/.well-known/jwks.json/../../orders", nil, nil, http.StatusUnauthorized},
			} {
				t.Run(name, func(t *testing.T) {
					if status, body := w.ask(t, c.method, c.path, c.client, c.header, ""); status != c.status {
						t.Errorf("%d %s", status, body)
					}
					if w.received() != nil {
						t.Error("it reached the upstream")
					}
				})
			}
			t.Run("the key set is for everybody", func(t *testing.T) {
				if status, body := w.ask(t, "GET", "/.well-known/jwks.json", nil, nil, ""); status != http.StatusOK || !strings.Contains(body, `"kid"`) {
					t.Errorf("%d %s", status, body)
				}
			})
			t.Run("a client gets a token at the token endpoint", func(t *testing.T) {
				form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
				status, body := w.ask(t, "POST", "/oauth2/token", w.client, form, "grant_type=client_credentials&client_id=my-client")
				if status != http.StatusOK || !strings.Contains(body, `"access_token"`) {
					t.Errorf("%d %s", status, body)
				}
			})
			t.Run("without certbearer nothing goes through", func(t *testing.T) {
				w.stop()
				if status, body := w.ask(t, "GET", "/orders", w.client, nil, ""); status != http.StatusServiceUnavailable {
					t.Errorf("%d %s", status, body)
				}
				if w.received() != nil {
					t.Error("it reached the upstream")
				}
			})
		})
	}
}

// The check of the token is a second lock: it holds where the first is picked.
func TestTheGatewayInARealEnvoyVerifiesTheToken(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	another := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "another", Algorithm: "ES256", Use: "sig"}}}
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, []byte(jsonOf(t, another)), 0o600); err != nil {
		t.Fatal(err)
	}
	w := startWorld(t, "envoy/istio", path)
	if status, body := w.ask(t, "GET", "/orders", w.client, nil, ""); status != http.StatusUnauthorized || !strings.Contains(body, "Jwt") {
		t.Errorf("%d %s", status, body)
	}
	if w.received() != nil {
		t.Error("it reached the upstream")
	}
}

// claims returns what the token of a request says. Envoy has verified it.
func claims(t *testing.T, header http.Header) map[string]any {
	t.Helper()
	text, found := strings.CutPrefix(header.Get("Authorization"), "Bearer ")
	if !found {
		t.Fatalf("Authorization is %q", header.Get("Authorization"))
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := token.UnsafeClaimsWithoutVerification(&all); err != nil {
		t.Fatal(err)
	}
	return all
}
