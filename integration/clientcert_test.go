package integration_test

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// handedOn are routes of which some hand the certificate on.
const handedOn = `
inject: {clientCert: rfc9440}
routes:
  - {name: open, match: {pathPrefix: /public}, access: public, inboundAuthorization: replace}
  - {name: quiet, match: {pathPrefix: /quiet}, inject: {clientCert: none}}
  - {name: passing, match: {pathPrefix: /passing}, inboundAuthorization: pass}
  - {name: rest}
`

func TestAnUpstreamSeesTheProvenCertificateAndNoOther(t *testing.T) {
	realEnvoy(t)
	root := authority(t, "Root")
	near := issue(t, root, testca.Template{CommonName: "Near", CA: true})
	own := issue(t, near, testca.Template{CommonName: "partner"})
	victim := selfSigned(t, testca.Template{CommonName: "victim"})
	w := open(t, plan{settings: handedOn, clients: map[string]document{"partner": trusting(root), "victim": trusting(victim)}})
	proven, forged := []string{":" + standardBase64(own) + ":"}, []string{":" + standardBase64(victim) + ":"}
	foreign := want{status: 200, reason: "allowed_foreign", client: "partner"}
	public := want{status: 200, reason: allowedPublic}
	for sentence, g := range map[string]*gate{
		"Envoy as rendered": w.envoy(), "an Envoy that lets a caller's headers in": w.envoy(noEarlyRemoval()),
	} {
		for detail, c := range map[string]struct {
			path          string
			as            *tls.Certificate
			authorization string
			want          want
			received      []string
		}{
			"with the token":                         {"/rest", presents(own), "", admitted("partner"), proven},
			"where a foreign Authorization may pass": {"/passing", presents(own), "", admitted("partner"), proven},
			"not beside a foreign Authorization":     {"/passing", presents(own), "Basic b3duOm93bg==", foreign, nil},
			"not on a route that does not say so":    {"/quiet", presents(own), "", admitted("partner"), nil},
			"not on a public route":                  {"/public", presents(own), "", public, nil},
			"not on a public route without one":      {"/public", nil, "", public, nil},
			"nothing of a stranger's":                {"/rest", presents(selfSigned(t, testca.Template{CommonName: "partner"})), "", unauthenticated("client_unknown"), nil},
			"nothing without one":                    {"/rest", nil, "", unauthenticated("certificate_missing"), nil},
		} {
			t.Run(sentence+": "+detail, func(t *testing.T) {
				for _, header := range []http.Header{
					{}, {"Client-Cert": forged}, {"Client-Cert": {forged[0], proven[0]}}, {"Client-Cert": proven, "Client-Cert-Chain": forged},
					{"client-cert": forged, "CLIENT-CERT": forged, "Client-Cert-Chain": {forged[0], forged[0]}},
				} {
					if c.authorization != "" {
						header.Set("Authorization", c.authorization)
					}
					got := g.ask(t, ask{path: c.path, as: c.as, header: header})
					if c.want != foreign {
						g.hold(t, ask{path: c.path, as: c.as}, c.want, got)
					} else if r := g.world.record(t, got.id); r.Reason != foreign.reason || len(got.received) != 1 {
						t.Errorf("the record is %+v, and the upstream received %d requests", r, len(got.received))
					}
					for _, r := range got.received {
						if diff := cmp.Diff(c.received, r.Header["Client-Cert"]); diff != "" {
							t.Errorf("Client-Cert at the upstream, where %v was sent (-want +got):\n%s", header, diff)
						}
						if chain := r.Header["Client-Cert-Chain"]; len(chain) > 0 {
							t.Errorf("the upstream received a chain: %q", chain)
						}
					}
				}
			})
		}
	}
}

// Envoy counts what is set to the headers of the request: the largest
// certificate that is handed on passes beside the most that a caller may send.
func TestALargeCertificateIsHandedOnWholeOrNotAtAll(t *testing.T) {
	realEnvoy(t)
	of := func(names int) *testca.Issued {
		return selfSigned(t, testca.Template{CommonName: "partner", DNSNames: strings.Fields(strings.Repeat("host.of.a.long.name.example ", names))})
	}
	large, larger := of(400), of(430)
	for c, below := range map[*testca.Issued]bool{large: true, larger: false} {
		if size := base64.StdEncoding.EncodedLen(len(c.Certificate.Raw)); below != (size < 16<<10) || size < 15<<10 {
			t.Fatalf("%d bytes do not test this", size)
		}
	}
	g := open(t, plan{settings: handedOn, clients: map[string]document{"partner": trusting(large, larger)}}).envoy()
	full := http.Header{"X-Load": {strings.Repeat("x", 30<<10)}}
	got, _ := g.expect(t, ask{path: "/rest", as: presents(large), header: full}, admitted("partner"))
	for _, r := range got.received {
		if diff := cmp.Diff([]string{":" + standardBase64(large) + ":"}, r.Header["Client-Cert"]); diff != "" {
			t.Errorf("Client-Cert at the upstream (-want +got):\n%s", diff)
		}
	}
	g.expect(t, ask{path: "/rest", as: presents(larger)}, unauthenticated("evidence_too_large"))
	g.expect(t, ask{path: "/quiet", as: presents(larger)}, admitted("partner"))
}
