package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/config"
)

func TestWhatIsOpenIsWarnedOf(t *testing.T) {
	const head = "issuer: https://gateway.example\naudience: https://api.example\nlisten: {grpc: \"unix:/run/x.sock\", http: \"unix:/run/y.sock\"}\n"
	for name, test := range map[string]struct {
		settings string
		clients  int // in shadow
		want     []string
	}{
		"nothing": {"", 0, nil},
		"everything": {"mode: shadow\n", 0, []string{
			"mode: shadow: whatever no route or client takes out of it passes as it came, refused or not",
			"routes: 1 route in shadow, whose requests pass as they came: default",
		}},
		"a route": {"routes: [{name: a, mode: shadow, match: {pathPrefix: /a}}, {name: b}]\n", 0, []string{
			"routes: 1 route in shadow, whose requests pass as they came: a",
		}},
		"clients": {"", 2, []string{"clients: 2 clients in shadow, whose requests pass as they came"}},
		"clients that Envoy refuses": {"envoy: {jwtAuthn: true}\n", 1, []string{
			"clients: 1 client in shadow, which get no token, and with envoy.jwtAuthn Envoy refuses every request without",
		}},
		"who has no certificate": {"envoy: {withoutCertificate: legacy}\n", 0, []string{
			"envoy.withoutCertificate: legacy: whoever presents no certificate goes past certbearer, as it comes and without a record; set deny when everybody has one",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			settings, err := config.Parse("c.yaml", []byte(head+test.settings), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			got := append(shadowWarnings(settings), clientShadowWarnings(settings, test.clients)...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
