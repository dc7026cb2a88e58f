package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// document is a ClientApplication, or any part of one.
type document map[string]any

// trusting is a document whose store holds the certificates and nothing more.
func trusting(certificates ...*testca.Issued) document {
	return document{"certificateTrustStore": storeOf(certificates...)}
}

func storeOf(certificates ...*testca.Issued) string {
	var store strings.Builder
	for _, certificate := range certificates {
		store.Write(certificate.PEM())
	}
	return store.String()
}

// with returns the document with one more field.
func (d document) with(field string, value any) document {
	more := document{field: value}
	for name, old := range d {
		if name != field {
			more[name] = old
		}
	}
	return more
}

// writeClient writes the document of a client as `kubectl` or an editor would:
// beside it first, then renamed.
func (w *world) writeClient(t *testing.T, id string, d document) {
	t.Helper()
	d = d.with("resourceType", "ClientApplication").with("id", id)
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(w.clients(), "."+id+".new")
	if err := os.WriteFile(beside, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, w.clientFile(id)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) clients() string { return filepath.Join(w.folder, "clients") }

func (w *world) clientFile(id string) string { return filepath.Join(w.clients(), id+".json") }
