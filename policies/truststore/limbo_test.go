package truststore_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// limboCase is what a case of x509-limbo (C2SP) has for a path. Whether it is
// decided as it says is asked in package policies, with its CRLs.
type limboCase struct {
	ID        string
	Trusted   []string   `json:"trusted_certs"`
	Untrusted []string   `json:"untrusted_intermediates"`
	Leaf      string     `json:"peer_certificate"`
	At        *time.Time `json:"validation_time"`
}

func parsePEM(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// limboCases reads the suite where it lies. It is no part of this repository.
func limboCases(t *testing.T) []limboCase {
	t.Helper()
	folder := os.Getenv("CERTBEARER_VECTORS")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	text, err := os.ReadFile(filepath.Join(folder, "x509-limbo-client.json"))
	if err != nil {
		t.Skipf("x509-limbo is left out; whether it may be, is asked in package policies: %v", err)
	}
	var suite struct{ Testcases []limboCase }
	if err := json.Unmarshal(text, &suite); err != nil {
		t.Fatal(err)
	}
	return suite.Testcases
}
