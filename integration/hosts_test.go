package integration_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// front is a certbearer with two hosts, one of them without certificates, and with
// a listener that ends TLS itself. Its issuer has a path, its keys are RSA, and it
// is for clients that were written for Medplum.
type front struct {
	*gate
	site              // of the listener that asks for certificates
	public, direct    site
	lab, other        *testca.Issued
	issuer, published string
}

const hostsSettings = `
issuer: https://auth.example/tenant
mtlsOrigin: https://mtls.auth.example
audience: https://api.example
compatibility: medplum
inboundAuthorization: verify
keys: {algorithm: RS256}
listen: {tls: {address: "127.0.0.1:0", certificate: pki/server.crt, key: pki/server.key}}
envoy: {publicListen: "127.0.0.1:0"}
`

func openFront(t *testing.T) *front {
	t.Helper()
	f := &front{
		lab: selfSigned(t, testca.Template{CommonName: "lab"}), other: selfSigned(t, testca.Template{CommonName: "other"}),
		issuer: "https://auth.example/tenant", published: metadataPath + "/tenant",
	}
	w := prepare(t, plan{settings: hostsSettings, clients: map[string]document{"lab": trusting(f.lab), "other": trusting(f.other)}})
	w.noKeys(t)
	w.start()
	f.gate = w.envoy()
	f.site = f.gate.site()
	address, err := f.proxy.Listener(t.Context(), envoy.PublicListenerName)
	if err != nil {
		t.Fatal(err)
	}
	f.public = site{"https://" + address.String(), w.roots()}
	f.direct = site{"https://" + w.serve.addresses(t)[2], w.roots()}
	return f
}

// noKeys removes those that init made, which are for ES256: the first of another
// algorithm is made at the start.
func (w *world) noKeys(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(w.folder, "keys")); err != nil {
		t.Fatal(err)
	}
}
