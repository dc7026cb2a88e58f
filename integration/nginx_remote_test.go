package integration_test

import (
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// meshFiles writes a CA, certbearer's own certificate and that of a proxy with the
// name, and returns the folder.
func (w *world) meshFiles(t *testing.T, name string) string {
	t.Helper()
	folder := filepath.Join(w.folder, "mesh")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	ca := authority(t, "Mesh CA")
	for file, issued := range map[string]*testca.Issued{
		"ca":         ca,
		"certbearer": issue(t, ca, testca.Template{CommonName: "certbearer", DNSNames: []string{"certbearer.internal"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}),
		"proxy":      issue(t, ca, testca.Template{CommonName: "proxy", DNSNames: []string{name}}),
	} {
		path := filepath.Join(folder, file)
		if err := issued.WriteFiles(path+".crt", path+".key"); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// proxiesAddress is where certbearer listens for proxies: the last but the one for
// operators.
func (w *world) proxiesAddress(t *testing.T) string {
	t.Helper()
	addresses := w.serve.addresses(t)
	return addresses[len(addresses)-2]
}

// asksOverTCP starts certbearer, and an nginx that asks it where it listens for
// proxies. The client lab gets a token, at the gateway and at the endpoint.
func (w *world) asksOverTCP(t *testing.T, lab *testca.Issued) *proxyServer {
	t.Helper()
	w.start()
	editSettings(t, w.config, settings{"nginx": map[string]any{"address": w.proxiesAddress(t)}})
	p := w.rendered(t)
	got := p.ask(t, ask{as: presents(lab)})
	if got.status != http.StatusOK {
		t.Errorf("status %d with %s", got.status, got.body)
	}
	checkArrived(t, keysOf(t, p.site), got.received, withToken)
	p.tokenFor(t, "lab", presents(lab))
	return p
}

func TestNginxThatIsKnownByItsCertificate(t *testing.T) {
	realNginx(t)
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	w := prepare(t, plan{clients: map[string]document{"lab": trusting(lab)}})
	w.meshFiles(t, "nginx.internal")
	editSettings(t, w.config, parseSettings(t, `
listen: {proxies: {address: "127.0.0.1:0", certificate: mesh/certbearer.crt, key: mesh/certbearer.key, trustedCA: mesh/ca.crt}}
proxies: [{name: nginx, mtls: [nginx.internal], header: x-mtls-cert, format: nginx}]
nginx:
  certificate: pki/server.crt
  key: pki/server.key
  upstream: "`+w.upstream.url("")+`"
  caller: {certificate: mesh/proxy.crt, key: mesh/proxy.key, trustedCA: mesh/ca.crt, serverName: certbearer.internal}
`))
	p := w.asksOverTCP(t, lab)
	p.refuses(t, posted{form: granting("lab")}, 401, "invalid_client")
}

func TestNginxThatIsKnownByItsAddress(t *testing.T) {
	realNginx(t)
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	w := prepare(t, plan{clients: map[string]document{"lab": trusting(lab)}})
	editSettings(t, w.config, parseSettings(t, `
listen: {proxies: {address: "127.0.0.1:0"}}
proxies: [{name: nginx, addresses: [127.0.0.1], header: x-mtls-cert, format: nginx}]
nginx: {certificate: pki/server.crt, key: pki/server.key, upstream: "`+w.upstream.url("")+`"}
`))
	p := w.asksOverTCP(t, lab)
	if got := p.ask(t, ask{}); got.status != http.StatusUnauthorized {
		t.Errorf("without a certificate: status %d", got.status)
	}
}
