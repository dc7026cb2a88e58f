package testca_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestChainLeavesTheRootOut(t *testing.T) {
	root := ca(t)
	upper := issue(t, root, testca.Template{CommonName: "Upper", CA: true})
	lower := issue(t, upper, testca.Template{CommonName: "Lower", CA: true})
	leaf := issue(t, lower, testca.Template{CommonName: "lab"})
	direct := issue(t, root, testca.Template{CommonName: "direct"})

	for name, tc := range map[string]struct {
		issued *testca.Issued
		want   []*testca.Issued
	}{
		"a leaf below two intermediates": {leaf, []*testca.Issued{leaf, lower, upper}},
		"an intermediate":                {lower, []*testca.Issued{lower, upper}},
		"a leaf of the root itself":      {direct, []*testca.Issued{direct}},
		"a self-signed certificate":      {root, []*testca.Issued{root}},
	} {
		t.Run(name, func(t *testing.T) {
			var want [][]byte
			for _, issued := range tc.want {
				want = append(want, issued.Certificate.Raw)
			}
			if diff := cmp.Diff(want, blocks(t, tc.issued.ChainPEM())); diff != "" {
				t.Errorf("ChainPEM (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, tc.issued.TLSCertificate().Certificate); diff != "" {
				t.Errorf("TLSCertificate (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want[:1], blocks(t, tc.issued.PEM())); diff != "" {
				t.Errorf("PEM (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTLSCertificateProvesItselfInAHandshake(t *testing.T) {
	root := ca(t)
	inter := issue(t, root, testca.Template{CommonName: "Intermediate", CA: true})
	client := issue(t, inter, testca.Template{CommonName: "lab"})
	server := issue(t, inter, testca.Template{DNSNames: []string{"gateway.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	roots := x509.NewCertPool()
	roots.AddCert(root.Certificate)

	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	serving := tls.Server(far, &tls.Config{
		Certificates: []tls.Certificate{server.TLSCertificate()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
		SessionTicketsDisabled: true, // a ticket would block: nobody reads it
	})
	failed := make(chan error, 1)
	go func() { failed <- serving.Handshake() }()

	calling := tls.Client(near, &tls.Config{Certificates: []tls.Certificate{client.TLSCertificate()}, RootCAs: roots, ServerName: "gateway.example"})
	if err := calling.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if got := sha256.Sum256(serving.ConnectionState().PeerCertificates[0].Raw); got != client.Thumbprint() {
		t.Errorf("the server saw %x, want the client's %x", got, client.Thumbprint())
	}
}

func TestURLEncodedPEMEscapesWhatEnvoyEscapes(t *testing.T) {
	// Not every certificate's base64 has all of + / = in it; signatures and
	// serial numbers vary, so one of the next few does.
	var leaf *testca.Issued
	for leaf == nil || !containsAll(string(leaf.PEM()), "+/= \n") {
		leaf = selfSigned(t, testca.Template{CommonName: "lab"})
	}
	got := leaf.URLEncodedPEM()

	if strings.ContainsAny(got, "+/= \n") {
		t.Errorf("left unescaped: %s", got)
	}
	if !strings.HasPrefix(got, "-----BEGIN%20CERTIFICATE-----%0A") || !strings.HasSuffix(got, "-----END%20CERTIFICATE-----%0A") {
		t.Errorf("not as Envoy frames it: %s", got)
	}
	for _, part := range strings.Split(got, "%")[1:] {
		if code := part[:2]; !strings.Contains("20 0A 2B 2F 3D", code) {
			t.Errorf("escape %%%s, which Envoy does not write", code)
		}
	}
	plain, err := url.PathUnescape(got)
	if err != nil || plain != string(leaf.PEM()) {
		t.Errorf("unescapes to %q, %v", plain, err)
	}
}

func TestPrintingNeverShowsTheKey(t *testing.T) {
	key, err := testca.NewKey(testca.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	issued := selfSigned(t, testca.Template{CommonName: "lab", Key: key})
	want := fmt.Sprintf("certificate sha256:%x", issued.Thumbprint())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, issued); got != want {
			t.Errorf("%s of a pointer prints %q, want %q", verb, got, want)
		}
		if got := fmt.Sprintf(verb, *issued); got != want {
			t.Errorf("%s of a value prints %q, want %q", verb, got, want)
		}
	}
	if got, err := json.Marshal(issued); err != nil || string(got) != `"`+want+`"` {
		t.Errorf("JSON is %s, %v", got, err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("made", "certificate", *issued)
	if !strings.Contains(logged.String(), want) {
		t.Errorf("log line %s, want %s in it", logged.String(), want)
	}
	if got := fmt.Sprint(testca.Issued{}); got != "no certificate" {
		t.Errorf("an empty value prints %q", got)
	}
}

func TestAKeyThatCannotBeExportedIsAnError(t *testing.T) {
	key, err := testca.NewKey(testca.P256)
	if err != nil {
		t.Fatal(err)
	}
	issued := selfSigned(t, testca.Template{Key: struct{ crypto.Signer }{key}})
	if _, err := issued.KeyPEM(); err == nil {
		t.Error("exported a key that hides itself")
	}
}

func blocks(t *testing.T, text []byte) [][]byte {
	t.Helper()
	var found [][]byte
	for len(text) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" {
			t.Fatalf("not a certificate: %s", text)
		}
		found, text = append(found, block.Bytes), rest
	}
	return found
}

func containsAll(s, chars string) bool {
	for _, c := range chars {
		if !strings.ContainsRune(s, c) {
			return false
		}
	}
	return true
}
