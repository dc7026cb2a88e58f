package integration_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// made returns the certificate or ends the test.
func made(t *testing.T) func(*testca.Issued, error) *testca.Issued {
	return func(issued *testca.Issued, err error) *testca.Issued {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
}

func selfSigned(t *testing.T, template testca.Template) *testca.Issued {
	t.Helper()
	return made(t)(testca.SelfSigned(template))
}

func issue(t *testing.T, by *testca.Issued, template testca.Template) *testca.Issued {
	t.Helper()
	return made(t)(by.Issue(template))
}

func authority(t *testing.T, name string) *testca.Issued {
	t.Helper()
	return selfSigned(t, testca.Template{CommonName: name, CA: true})
}

func keyOf(t *testing.T, kind testca.KeyKind) crypto.Signer {
	t.Helper()
	key, err := testca.NewKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// presents is what a caller presents: the certificate and its issuers below the
// root.
func presents(issued *testca.Issued) *tls.Certificate {
	certificate := issued.TLSCertificate()
	return &certificate
}

// alone is the certificate without any issuer.
func alone(issued *testca.Issued) *tls.Certificate {
	certificate := issued.TLSCertificate()
	certificate.Certificate = certificate.Certificate[:1]
	return &certificate
}

func poolOf(certificates ...*testca.Issued) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, issued := range certificates {
		pool.AddCert(issued.Certificate)
	}
	return pool
}

func standardBase64(issued *testca.Issued) string {
	return base64.StdEncoding.EncodeToString(issued.Certificate.Raw)
}

func hexOf(octets []byte) string { return hex.EncodeToString(octets) }
