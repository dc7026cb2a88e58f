package integration_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// hasFault waits until /healthz names a fault that holds the text, and answers
// 500.
func (w *world) hasFault(t *testing.T, text string) {
	t.Helper()
	eventually(t, "/healthz names "+text, func() bool {
		status, h := w.healthz(t)
		named := slices.ContainsFunc(h.Faults, func(fault string) bool { return strings.Contains(fault, text) })
		return status == http.StatusInternalServerError && !h.Healthy && named
	})
}

func (w *world) healthy(t *testing.T) {
	t.Helper()
	eventually(t, "/healthz has no fault", func() bool {
		status, h := w.healthz(t)
		return status == http.StatusOK && h.Healthy && len(h.Faults) == 0
	})
}

func TestAnAuditFileThatCannotBeOpenedAnewIsAFault(t *testing.T) {
	w := open(t, plan{})
	w.healthy(t)
	path := filepath.Join(w.folder, "audit.jsonl")
	rename(t, path, path+".1")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	w.serve.signal(t, syscall.SIGHUP)
	w.hasFault(t, "audit.to: open "+path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.serve.signal(t, syscall.SIGHUP)
	w.healthy(t)
}

func TestStrictReadingSaysThatItKeepsTheWholeSet(t *testing.T) {
	const kept = "clients.strict: the whole last good set stays in use, but for clients turned off, until every fault is mended"
	clients, _, _ := partner(t)
	w := open(t, plan{settings: "clients: {strict: true}", clients: clients})
	w.healthy(t)
	w.writeClient(t, "broken", clients["partner"].with("unheardOf", 1))
	w.hasFault(t, kept)
	if w.serve.count(t, kept) != 1 {
		t.Errorf("the log does not say it once:\n%s", w.serve.printed(t))
	}
	if err := os.Remove(w.clientFile("broken")); err != nil {
		t.Fatal(err)
	}
	w.healthy(t)
}

func TestAFaultyKeyIsNamedByItsKeyOfTheConfiguration(t *testing.T) {
	w := open(t, plan{})
	path := filepath.Join(w.folder, "keys", "broken.json")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.serve.signal(t, syscall.SIGHUP)
	w.hasFault(t, "keys.directory: "+path)
}
