package testca_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestEachKindOfKeyMakesACertificate(t *testing.T) {
	for want, kind := range map[string]testca.KeyKind{
		"RSA-1024": testca.RSA1024,
		"RSA-2048": testca.RSA2048,
		"RSA-3072": testca.RSA3072,
		"P-224":    testca.P224,
		"P-256":    testca.P256,
		"P-384":    testca.P384,
		"P-521":    testca.P521,
		"Ed25519":  testca.Ed25519,
	} {
		t.Run(want, func(t *testing.T) {
			key, err := testca.NewKey(kind)
			if err != nil {
				t.Fatal(err)
			}
			cert := selfSigned(t, testca.Template{CA: true, Key: key})
			if got := keyName(cert.Certificate); got != want {
				t.Errorf("got a %s key, want %s", got, want)
			}
			if err := cert.Certificate.CheckSignatureFrom(cert.Certificate); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(key, parsedKey(t, cert)); diff != "" {
				t.Errorf("the key in PEM is another one (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnUnknownKindOfKeyIsAnError(t *testing.T) {
	if _, err := testca.NewKey(testca.KeyKind(99)); err == nil {
		t.Error("got a key")
	}
}

func keyName(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return map[int]string{1024: "RSA-1024", 2048: "RSA-2048", 3072: "RSA-3072"}[key.N.BitLen()]
	case *ecdsa.PublicKey:
		return key.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	default:
		return "another"
	}
}

func parsedKey(t *testing.T, issued *testca.Issued) any {
	t.Helper()
	text, err := issued.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
		t.Fatal("the key is not one PRIVATE KEY block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
