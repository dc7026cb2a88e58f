package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
)

// What the page has a person type leads from a refusal for want of a list to one for
// what is on it.
func TestTheWayToARevokedCertificate(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil && os.Getenv("CI") == "" {
		t.Skip("left out: there is no openssl")
	}
	folder := t.TempDir()
	bin := filepath.Join(folder, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(certbearer(t), filepath.Join(bin, "certbearer")); err != nil {
		t.Fatal(err)
	}
	blocks := fenced(between(t, read(t, "docs/revocation.md"), "<!-- revocation walk -->", "<!-- /revocation walk -->"), "sh")
	if len(blocks) != 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	output := runScript(t, folder, strings.Join(blocks, "\n"), bin)
	rest := output
	for _, want := range []string{"revocation_unavailable", "exit code 1", "allowed: allowed", "certificate_revoked", "exit code 1"} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q, in its place, in\n%s", want, output)
		}
		rest = after
	}
}

func TestTheDocumentOfTheRevocationPageIsOne(t *testing.T) {
	blocks := fenced(between(t, read(t, "docs/revocation.md"), "<!-- revocation document -->", "<!-- /revocation document -->"), "yaml")
	if len(blocks) != 1 {
		t.Fatalf("%d blocks", len(blocks))
	}
	documents, err := policies.ParseFile("lab.yaml", []byte(blocks[0]))
	if err != nil || len(documents) != 1 || documents[0].Fault != nil {
		t.Fatal(err, documents)
	}
	if asks := documents[0].Client.Revocation(); asks.Mode != revocation.Hard || len(asks.Locations) != 1 || len(asks.Hosts) != 2 {
		t.Errorf("%+v", asks)
	}
}
