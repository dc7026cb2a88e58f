package testca_test

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// shape is all of a certificate but what differs each time.
type shape struct {
	Version    int
	Subject    string // hex of the DER: order and string types count
	Issuer     string
	Algorithm  x509.SignatureAlgorithm
	KeyBits    int
	Validity   time.Duration
	Extensions []shapeExtension
}

type shapeExtension struct {
	ID       string
	Critical bool
	Value    string // hex, KEYID where it is the SHA-1 of the public key
}

// openSSLShape was read off a certificate of OpenSSL 3.0 for /CN=lab/O=Clinic.
func openSSLShape() shape {
	const subject = "301f" + "310c300a0603550403" + "0c036c6162" + "310f300d060355040a" + "0c06436c696e6963"
	return shape{
		Version: 3, Subject: subject, Issuer: subject,
		Algorithm: x509.SHA256WithRSA, KeyBits: 2048, Validity: 365 * 24 * time.Hour,
		Extensions: []shapeExtension{
			{ID: "2.5.29.14", Value: "0414KEYID"},
			{ID: "2.5.29.35", Value: "30168014KEYID"},
			{ID: "2.5.29.19", Critical: true, Value: "30030101ff"},
		},
	}
}

func TestLikeOpenSSLHasOpenSSLsShape(t *testing.T) {
	issued, err := testca.LikeOpenSSL("lab", "Clinic")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(openSSLShape(), shapeOf(t, issued.Certificate)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := issued.Certificate.CheckSignatureFrom(issued.Certificate); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(issued.Key, parsedKey(t, issued)); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
}

func TestLikeOpenSSLLeavesOutAnEmptyOrganization(t *testing.T) {
	issued, err := testca.LikeOpenSSL("lab", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := issued.Certificate.Subject.String(); got != "CN=lab" {
		t.Errorf("subject %s, want CN=lab", got)
	}
}

// Where there is an OpenSSL 3, the shape written down above is held against
// what it makes today; elsewhere the test above stands alone.
func TestOpenSSLStillHasThisShape(t *testing.T) {
	version, err := exec.Command("openssl", "version").Output()
	if err != nil || !strings.HasPrefix(string(version), "OpenSSL 3.") {
		t.Logf("no OpenSSL 3 to compare with: %q, %v", version, err)
		return
	}
	dir := t.TempDir()
	certFile := filepath.Join(dir, "client.crt")
	out, err := exec.Command("openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365",
		"-subj", "/CN=lab/O=Clinic", "-keyout", filepath.Join(dir, "client.key"), "-out", certFile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no PEM: %s", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(openSSLShape(), shapeOf(t, cert)); diff != "" {
		t.Errorf("(-written down +openssl):\n%s", diff)
	}
}

func shapeOf(t *testing.T, cert *x509.Certificate) shape {
	t.Helper()
	got := shape{
		Version:   cert.Version,
		Subject:   hex.EncodeToString(cert.RawSubject),
		Issuer:    hex.EncodeToString(cert.RawIssuer),
		Algorithm: cert.SignatureAlgorithm,
		Validity:  cert.NotAfter.Sub(cert.NotBefore),
	}
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		got.KeyBits = key.N.BitLen()
	}
	keyID := keyIDOf(t, cert)
	for _, ext := range cert.Extensions {
		value := strings.Replace(hex.EncodeToString(ext.Value), keyID, "KEYID", 1)
		got.Extensions = append(got.Extensions, shapeExtension{ext.Id.String(), ext.Critical, value})
	}
	return got
}

// keyIDOf is method 1 of RFC 5280 section 4.2.1.2.
func keyIDOf(t *testing.T, cert *x509.Certificate) string {
	t.Helper()
	var info struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	unmarshal(t, cert.RawSubjectPublicKeyInfo, &info)
	id := sha1.Sum(info.Key.Bytes)
	return hex.EncodeToString(id[:])
}
