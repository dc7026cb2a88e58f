package main

import (
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/config"
)

func TestEndpointsThatNoRouteLeadsToAreWarnedOf(t *testing.T) {
	const (
		token  = "POST https://gateway.example/oauth2/token "
		mtls   = "POST https://mtls.example:8443/oauth2/token "
		all    = "{name: all}"
		ours   = "{name: t, match: {pathPrefix: /oauth2/token}, access: endpoint}"
		others = ", {name: i, match: {pathPrefix: /oauth2/introspect}, access: endpoint}, {name: r, match: {pathPrefix: /oauth2/revoke}, access: endpoint}"
	)
	for sentence, test := range map[string]struct {
		yaml string
		want []string
	}{
		"no routes":                      {"", nil},
		"routes for each":                {"routes: [" + ours + others + ", " + all + "]", nil},
		"a route for each but one":       {"routes: [{name: x, match: {pathPrefix: /x}}" + others + "]", []string{token + "has no route"}},
		"a broader route before":         {"routes: [" + all + ", " + ours + others + "]", []string{token + "is for route all, which has another access", "/oauth2/introspect is for route all", "/oauth2/revoke is for route all"}},
		"a route without the method":     {"routes: [{name: t, match: {pathPrefix: /oauth2/token, methods: [GET]}, access: endpoint}" + others + "]", []string{token + "has no route"}},
		"a route for another host":       {"routes: [{name: t, match: {host: other.example, pathPrefix: /oauth2/token}, access: endpoint}" + others + "]", []string{token + "has no route"}},
		"a route for the mTLS host":      {"mtlsOrigin: https://mtls.example:8443\nroutes: [{name: t, match: {host: mtls.example, pathPrefix: /oauth2/token}, access: endpoint}" + others + "]", nil},
		"a route for the issuer's alone": {"mtlsOrigin: https://mtls.example:8443\nroutes: [{name: t, match: {host: gateway.example, pathPrefix: /oauth2/token}, access: endpoint}" + others + "]", []string{mtls + "has no route"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			c, err := config.Parse("certbearer.yaml", []byte("issuer: https://gateway.example\naudience: https://api.example\nclients: {directory: c}\nkeys: {directory: k}\nlisten: {grpc: \"unix:/g\", http: \"unix:/h\"}\n"+test.yaml+"\n"), "/")
			if err != nil {
				t.Fatal(err)
			}
			got := endpointWarnings(c)
			if len(got) != len(test.want) {
				t.Fatalf("%q", got)
			}
			for i, want := range test.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("%q does not say %q", got[i], want)
				}
			}
		})
	}
}
