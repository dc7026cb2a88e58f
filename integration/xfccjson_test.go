package integration_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// inJSON has Envoy write x-forwarded-client-cert as JSON, with every name.
func inJSON() change {
	return manager(func(_ *testing.T, m *hcmv3.HttpConnectionManager) {
		details := m.GetSetCurrentClientCertDetails()
		details.Format = hcmv3.HttpConnectionManager_JSON
		details.Uri, details.Dns, details.Issuer, details.Subject = true, true, true, wrapperspb.Bool(true)
	})
}

func TestXFCCAsEnvoyWritesItInJSONIsRead(t *testing.T) {
	realEnvoy(t)
	root := authority(t, "Root")
	near := issue(t, root, testca.Template{CommonName: "Near", CA: true})
	template := testca.Template{
		CommonName: `par"tner`, Organization: `Acme, "Inc"; \`,
		DNSNames: []string{"a,b;c", `"d"`}, URIs: []string{"spiffe://x/a", `spiffe://x/;Cert="x",{}]`},
	}
	own := issue(t, near, template)
	for _, settings := range []string{"certificate: {from: peer}", "certificate: {from: xfcc}", "certificate: {from: xfcc, hops: 1}"} {
		// The names are made to be hard to quote, and by strict they are none.
		partner := trusting(root).with("certificateProfile", "compatible")
		w := open(t, plan{settings: settings, clients: map[string]document{"partner": partner}})
		g := w.envoy(inJSON())
		t.Run(settings, func(t *testing.T) {
			// The trust store has the root alone: the chain in JSON gives the rest.
			g.expect(t, ask{path: "/rest", as: presents(own)}, admitted("partner"))
			g.expect(t, ask{path: "/rest", as: alone(own)}, unauthenticated("client_unknown"))
			g.expect(t, ask{path: "/rest"}, unauthenticated("certificate_missing"))
		})
	}
}

// Where Envoy appends it does not read what is there. What it makes of whatever
// a caller sends is about the caller, or refused.
func TestACallerCannotSpliceItselfAnotherCertificateInJSON(t *testing.T) {
	realEnvoy(t)
	victim := selfSigned(t, testca.Template{CommonName: "victim"})
	attacker := selfSigned(t, testca.Template{CommonName: "attacker", URIs: []string{`spiffe://x/"]}]`}})
	text, err := json.Marshal(map[string]string{"hash": hashOf(victim), "cert": string(victim.PEM())})
	if err != nil {
		t.Fatal(err)
	}
	element := strings.TrimSuffix(string(text), "}")
	w := open(t, plan{
		settings: "certificate: {from: xfcc, hops: 1}",
		clients:  map[string]document{"victim": trusting(victim), "attacker": trusting(attacker)},
	})
	namesAlone := manager(func(_ *testing.T, m *hcmv3.HttpConnectionManager) {
		details := m.GetSetCurrentClientCertDetails()
		details.Cert, details.Chain, details.Uri = false, false, true
		details.Format = hcmv3.HttpConnectionManager_JSON
	})
	for sentence, c := range map[string]struct {
		gate *gate
		seen string // the reason for one that nobody tampered with
	}{
		"an Envoy that writes the certificate":      {w.envoy(noEarlyRemoval(), inJSON(), appendForward()), allowed},
		"an Envoy that writes names and no quotes":  {w.envoy(noEarlyRemoval(), appendForward(), namesAlone), "xfcc_certificate_missing"},
		"an Envoy that writes the certificate only": {w.envoy(noEarlyRemoval(), appendForward()), allowed},
	} {
		for came, want := range map[string]string{
			"[" + element + "}]":                    c.seen,
			"[" + element + `,"uri":["`:             "",
			"[" + element + `,"uri":["]`:            "",
			"[" + element + `,"subject":"`:          "",
			"[" + element + `},{"by":["`:            "",
			"[" + element + "}],[" + element + "}]": "xfcc_malformed",
			"[" + element:                           "xfcc_malformed",
			"[]":                                    "xfcc_malformed",
		} {
			t.Run(sentence+": "+strings.ReplaceAll(came, element, "{victim"), func(t *testing.T) {
				got := c.gate.ask(t, ask{path: "/rest", as: presents(attacker), header: http.Header{"X-Forwarded-Client-Cert": {came}}})
				r := w.record(t, got.id)
				if r.Client == "victim" || got.status == 200 && r.Client != "attacker" {
					t.Errorf("taken for another: %+v", r)
				}
				if want != "" && r.Reason != want || want == "" && got.status == 200 {
					t.Errorf("the record is %+v, want %q", r, want)
				}
			})
		}
	}
}
