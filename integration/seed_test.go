package integration_test

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The README's way from nothing to the first token: init, two openssl commands,
// a document with neither id nor secret.
func TestAPartnersCertificateFromOpenSSLGetsAToken(t *testing.T) {
	realEnvoy(t)
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		leaveOut(t, "openssl is not installed: "+t.Name()+" is left out")
	}
	w := prepare(t, plan{})
	partners := t.TempDir()
	for _, args := range [][]string{
		{"genrsa", "-out", "client.key", "2048"},
		{"req", "-new", "-x509", "-key", "client.key", "-out", "client.crt", "-days", "365", "-subj", "/CN=My Integration Client/O=My Organization"},
	} {
		command := exec.CommandContext(t.Context(), openssl, args...)
		command.Dir = partners
		if printed, err := command.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, printed)
		}
	}
	w.pasteSeedDocument(t, filepath.Join(partners, "client.crt"))
	w.start()
	g := w.envoy()
	certificate, err := tls.LoadX509KeyPair(filepath.Join(partners, "client.crt"), filepath.Join(partners, "client.key"))
	if err != nil {
		t.Fatal(err)
	}
	_, r := g.expect(t, ask{as: &certificate}, admitted("my-integration-client"))
	if !strings.Contains(r.Subject, "CN=My Integration Client") || !strings.Contains(r.Subject, "O=My Organization") {
		t.Errorf("the record's subject is %q", r.Subject)
	}
}

// pasteSeedDocument writes the document as it is shown to partners: a type, a
// name, a certificate.
func (w *world) pasteSeedDocument(t *testing.T, certificate string) {
	t.Helper()
	pem, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	store, err := json.Marshal(string(pem))
	if err != nil {
		t.Fatal(err)
	}
	text := `{
"resourceType": "ClientApplication",
"name": "My Integration Client",
"certificateTrustStore": ` + string(store) + `
}
`
	if err := os.WriteFile(w.clientFile("my-integration-client"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What init writes works with nothing changed but the ports.
func TestTheExampleOfInitGetsAToken(t *testing.T) {
	realEnvoy(t)
	w := open(t, plan{})
	g := w.envoy()
	certificate, err := tls.LoadX509KeyPair(filepath.Join(w.folder, "pki", "client.crt"), filepath.Join(w.folder, "pki", "client.key"))
	if err != nil {
		t.Fatal(err)
	}
	g.expect(t, ask{as: &certificate}, admitted("example"))
	if code, printed := certbearer(t, "init", w.folder); code != 2 {
		t.Errorf("a second init ended with %d:\n%s", code, printed)
	}
}
