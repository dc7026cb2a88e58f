package containers_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func arch() string { return runtime.GOARCH }

// fetched is podman-compose's folder, which is fetched once.
var fetched struct {
	sync.Mutex
	folder string
}

// podmanCompose returns the command line of podman-compose and what it needs in its
// environment. It comes from PyPI, pinned by hash.
func podmanCompose(t *testing.T) (program, env []string) {
	t.Helper()
	fetched.Lock()
	defer fetched.Unlock()
	if fetched.folder == "" {
		fetched.folder = fetchCompose(t)
	}
	return []string{"python3", "-m", "podman_compose", "--podman-path", engine.Program}, []string{"PYTHONPATH=" + fetched.folder}
}

func fetchCompose(t *testing.T) string {
	t.Helper()
	pinned, err := filepath.Abs("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(pinned)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(fmt.Appendf(text, "%s", command(t, nil, "python3", "--version")))
	folder, err := filepath.Abs(filepath.Join(root, ".tools", "podman-compose-"+hex.EncodeToString(sum[:4])))
	if err != nil {
		t.Fatal(err)
	}
	done := filepath.Join(folder, ".done")
	if _, err := os.Stat(done); err == nil {
		return folder
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	command(t, nil, "python3", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--root-user-action", "ignore",
		"--require-hashes", "--only-binary", ":all:", "--upgrade", "--target", folder, "--requirement", pinned)
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// dockerShim returns a folder with a program named docker that is the engine, compose
// included.
func dockerShim(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	text := "#!/bin/sh\nexec " + engine.Program + " \"$@\"\n"
	if engine.Podman {
		program, env := podmanCompose(t)
		text = "#!/bin/sh\nif [ \"$1\" = compose ]; then\n\tshift\n\texport " + strings.Join(env, " ") + "\n\texec " +
			strings.Join(program, " ") + " \"$@\"\nfi\nexec " + engine.Program + " \"$@\"\n"
	}
	if err := os.WriteFile(filepath.Join(folder, "docker"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}
