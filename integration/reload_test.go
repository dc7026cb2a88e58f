package integration_test

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The folder of clients is exchanged as a whole behind a symlink, which a watch
// of the old one does not see: reading it again finds the new one. If a rescan
// found the first exchange, the next one comes too late for the second.
func TestSIGHUPReadsKeysDocumentsAndTheAuditFileAgain(t *testing.T) {
	realEnvoy(t)
	clients, known, _ := partner(t)
	w := prepare(t, plan{})
	first, second := filepath.Join(w.folder, "clients-1"), filepath.Join(w.folder, "clients-2")
	rename(t, w.clients(), first)
	pointTo(t, w.clients(), first)
	w.start()
	g := w.envoy()
	g.expect(t, ask{as: known}, unauthenticated("client_unknown"))
	before := g.keys.kid(t)

	if err := os.Mkdir(second, 0o700); err != nil {
		t.Fatal(err)
	}
	pointTo(t, w.clients(), second)
	w.writeClient(t, "partner", clients["partner"])
	w.otherKeys(t)
	rename(t, filepath.Join(w.folder, "audit.jsonl"), filepath.Join(w.folder, "audit.jsonl.1"))
	w.serve.signal(t, syscall.SIGHUP)

	t.Logf("live after %v", g.soon(t, "the new folder is read", ask{as: known}, hasStatus(http.StatusOK)))
	pointTo(t, w.clients(), first)
	w.serve.signal(t, syscall.SIGHUP)
	g.soon(t, "the old folder is read", ask{as: known}, hasStatus(http.StatusUnauthorized))
	pointTo(t, w.clients(), second)
	w.serve.signal(t, syscall.SIGHUP)
	g.soon(t, "the new folder is read again", ask{as: known}, hasStatus(http.StatusOK))

	eventually(t, "the new key is published", func() bool { return g.keys.kid(t) != before })
	got, _ := g.expect(t, ask{as: known}, admitted("partner"))
	if b := g.token(t, got); b.KID == before {
		t.Errorf("the token is signed by %s, which is no more", b.KID)
	}
	if n := w.serve.count(t, "reloading clients, keys and the audit file"); n != 3 {
		t.Errorf("the log says %d times and not 3 that it reads again:\n%s", n, w.serve.printed(t))
	}
}

// otherKeys puts the keys of another certbearer in the place of the world's.
func (w *world) otherKeys(t *testing.T) {
	t.Helper()
	other := filepath.Join(t.TempDir(), "other")
	mustRun(t, "init", other)
	keys := filepath.Join(w.folder, "keys")
	rename(t, keys, keys+"-before")
	rename(t, filepath.Join(other, "keys"), keys)
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// pointTo makes a symlink, or swaps one as Kubernetes does.
func pointTo(t *testing.T, link, target string) {
	t.Helper()
	if err := os.Symlink(target, link+".new"); err != nil {
		t.Fatal(err)
	}
	rename(t, link+".new", link)
}
