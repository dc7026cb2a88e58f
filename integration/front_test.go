package integration_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/envoy/run"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// frontSettings is a certbearer whose Envoy stands behind another proxy.
const frontSettings = `
certificate: {from: xfcc, hops: 2}
envoy: {front: {trustedCA: mesh/ca.crt, sans: [spiffe://mesh/edge]}}
`

// Two proxies write an element each, so hops is 2: the client is the one that
// the first of them met.
func TestBehindTwoProxiesTheClientIsTheOneOfTheFirst(t *testing.T) {
	realEnvoy(t)
	pinned := selfSigned(t, testca.Template{CommonName: "partner"})
	known, unknown := presents(pinned), presents(selfSigned(t, testca.Template{CommonName: "partner"}))
	ca := authority(t, "Mesh CA")
	edge := issue(t, ca, testca.Template{URIs: []string{"spiffe://mesh/edge"}})
	w := prepare(t, plan{settings: frontSettings, clients: map[string]document{"partner": trusting(pinned)}})
	if err := os.Mkdir(filepath.Join(w.folder, "mesh"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, issued := range map[string]*testca.Issued{"ca": ca, "edge": edge} {
		path := filepath.Join(w.folder, "mesh", name)
		if err := issued.WriteFiles(path+".crt", path+".key"); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	if w.serve.count(t, "certificate.hops: whoever can reach the calling proxy, and is not the proxy in front of it, can name any client's certificate") != 1 {
		t.Errorf("nobody is warned of what hops promises:\n%s", w.serve.printed(t))
	}
	second := w.envoy()
	first := w.front(second)

	first.expect(t, ask{as: known}, admitted("partner"))
	first.expect(t, ask{as: unknown}, unauthenticated("client_unknown"))
	sum := pinned.Thumbprint()
	element := `Hash=` + hex.EncodeToString(sum[:]) + `;Cert="` + pinned.URLEncodedPEM() + `"`
	forged := http.Header{"X-Forwarded-Client-Cert": {element + "," + element}}
	first.expect(t, ask{as: known, header: forged}, admitted("partner"))
	first.expect(t, ask{as: unknown, header: forged}, unauthenticated("client_unknown"))
	// Without a certificate the first writes nothing: there is one element, the second's.
	first.expect(t, ask{header: forged}, unauthenticated("xfcc_element_count"))

	// Whoever gets in there can write any element but the last. So nobody does who
	// is not the first: not a client, and nobody else of the same CA.
	other := issue(t, ca, testca.Template{URIs: []string{"spiffe://mesh/other"}})
	twin := issue(t, authority(t, "Mesh CA"), testca.Template{URIs: []string{"spiffe://mesh/edge"}})
	for sentence, a := range map[string]ask{
		"a client":                     {as: known, header: forged},
		"another of the same CA":       {as: presents(other), header: forged},
		"one of the name, another CA":  {as: presents(twin), header: forged},
		"one without any certificate":  {header: forged},
		"one with a certificate alone": {as: presents(selfSigned(t, testca.Template{CommonName: "edge"})), header: forged},
	} {
		if got, err := second.try(a); err == nil {
			t.Errorf("%s got in: %d %s", sentence, got.status, got.body)
		}
	}
	if got := second.ask(t, ask{as: presents(edge), header: http.Header{"X-Forwarded-Client-Cert": {element}}}); got.status != http.StatusOK {
		t.Errorf("the first itself is answered %d %s", got.status, got.body)
	}
}

// front starts an Envoy of the operator's before g, as docs/envoy.md has it.
func (w *world) front(g *gate) *gate {
	w.t.Helper()
	path := filepath.Join(w.folder, "front.yaml")
	text := fmt.Sprintf(frontEnvoy, filepath.Join(w.folder, "pki"), filepath.Join(w.folder, "mesh"), g.address.Port())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	proxy, err := realEnvoy(w.t).Start(w.t.Context(), run.Config{Path: path, Concurrency: 1, Log: w.envoyLog()})
	if err != nil {
		w.t.Fatal(err)
	}
	front := &gate{world: w, proxy: proxy}
	front.keys = &keySet{gate: front}
	w.gates = append(w.gates, front)
	if front.address, err = proxy.Listener(w.t.Context(), envoy.ListenerName); err != nil {
		w.t.Fatal(err)
	}
	return front
}

// frontEnvoy takes the folders of Envoy's certificate and of the mesh, and the
// port of the Envoy behind.
const frontEnvoy = `
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - name: certbearer
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificates: [{certificate_chain: {filename: %[1]s/server.crt}, private_key: {filename: %[1]s/server.key}}]
            validation_context: {trusted_ca: {filename: %[1]s/server.crt}, trust_chain_verification: ACCEPT_UNTRUSTED}
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          forward_client_cert_details: SANITIZE_SET
          set_current_client_cert_details: {cert: true, chain: true}
          route_config:
            virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: behind}}]}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: behind
    type: STATIC
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: localhost
        common_tls_context:
          tls_certificates: [{certificate_chain: {filename: %[2]s/edge.crt}, private_key: {filename: %[2]s/edge.key}}]
          validation_context: {trusted_ca: {filename: %[1]s/server.crt}}
    load_assignment:
      cluster_name: behind
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[3]d}}}}]}]
`
