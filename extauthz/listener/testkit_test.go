package listener_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/certbearer/certbearer/extauthz/listener"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shortDir stays below the limit of socket paths, which t.TempDir may not.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustParse(t *testing.T, text string) listener.Address {
	t.Helper()
	address, err := listener.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Callers CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert: mustCertificate(t, der), key: key, pem: encode("CERTIFICATE", der)}
}

type names struct {
	dns  []string
	uris []string
}

func (a authority) issue(t *testing.T, n names) (certPEM, keyPEM []byte) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: n.dns,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, text := range n.uris {
		uri, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, uri)
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8)
}

func (a authority) pair(t *testing.T, n names) *tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(a.issue(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustCertificate(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

const envoyID = "spiffe://example.org/envoy"

// files writes what an mTLS listener reads and returns its description.
func files(t *testing.T, dir string, server, callers authority) *listener.MTLS {
	t.Helper()
	certPEM, keyPEM := server.issue(t, names{dns: []string{"localhost"}})
	m := &listener.MTLS{
		Certificate: filepath.Join(dir, "server.crt"), Key: filepath.Join(dir, "server.key"),
		TrustedCA: filepath.Join(dir, "callers.crt"), SANs: []string{envoyID, "dns:envoy.example.org"},
	}
	write(t, m.Certificate, certPEM)
	write(t, m.Key, keyPEM)
	write(t, m.TrustedCA, callers.pem)
	return m
}

// serving opens and serves a listener until the test ends.
func serving(t *testing.T, config listener.EvidenceConfig) *listener.Evidence {
	t.Helper()
	e := opened(t, config)
	start(t, e)
	return e
}

func opened(t *testing.T, config listener.EvidenceConfig) *listener.Evidence {
	t.Helper()
	e, err := listener.ListenEvidence(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func start(t *testing.T, e *listener.Evidence) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- e.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(e.Close(), <-ended); err != nil {
			t.Errorf("Close and Serve: %v", err)
		}
	})
}

// connect returns a client of the address, with TLS if config is not nil.
func connect(t *testing.T, addr net.Addr, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	target := "passthrough:///" + addr.String()
	if addr.Network() == "unix" {
		target = "unix:" + addr.String()
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func health(t *testing.T, conn *grpc.ClientConn, service string) (grpc_health_v1.HealthCheckResponse_ServingStatus, error) {
	t.Helper()
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(bounded(t), &grpc_health_v1.HealthCheckRequest{Service: service})
	return answer.GetStatus(), err
}
