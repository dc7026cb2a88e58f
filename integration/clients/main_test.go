package clients_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/certbearer/certbearer/envoy/envoytest"
	"github.com/certbearer/certbearer/envoy/run"
)

// shared is what all tests use: the folder of this run and the binary in it.
var shared struct {
	folder string
	binary string
}

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	folder, err := os.MkdirTemp("", "cbc-") // short: a socket's path has 104 bytes
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	shared.folder, shared.binary = folder, filepath.Join(folder, "certbearer")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", shared.binary, "github.com/certbearer/certbearer/extauthz/cmd/certbearer")
	if printed, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, printed)
		return 1
	}
	return m.Run()
}

// realEnvoy returns Envoy, or leaves the test out where none is wanted.
func realEnvoy(t *testing.T) run.Binary {
	t.Helper()
	return envoytest.Binary(t)
}

// leaveOut skips a test, but not in CI: nothing is left out there.
func leaveOut(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why + ", which CI does not allow")
	}
	t.Skip(why)
}
