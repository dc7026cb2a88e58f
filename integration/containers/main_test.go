package containers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/envoy/container"
	"github.com/certbearer/certbearer/envoy/run"
)

// root is the checkout.
const root = "../.."

// tag is that of this run's images, so that a user's own stay.
const tag = "test"

const patience = 10 * time.Minute

// engine is found once; it is needed by all.
var engine container.Engine

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	if os.Getenv("CERTBEARER_CONTAINERS") != "run" {
		return m.Run() // each test leaves itself out
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tools, err := filepath.Abs(filepath.Join(root, ".tools"))
	if named := os.Getenv("CERTBEARER_TOOLS"); named != "" {
		tools, err = filepath.Abs(named)
	}
	if err == nil {
		engine, err = container.Find(ctx, tools)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := cleanUp(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// cleanUp leaves the machine as it was, but for what is under .tools. It ends too what
// the scenario of `make test-container` may have left.
func cleanUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(engine.Clean(ctx, run.Started),
		engine.Remove(ctx, "certbearer-envoy:"+tag, "certbearer-echo:"+tag, "certbearer:"+tag, run.ImageName))
}

// wanted leaves the test out where containers are not asked for.
func wanted(t *testing.T) {
	t.Helper()
	if os.Getenv("CERTBEARER_CONTAINERS") != "run" {
		if os.Getenv("CI") != "" {
			t.Fatal("containers are not asked for, which CI does not allow: make test-container")
		}
		t.Skip("containers are not asked for: make test-container")
	}
}

// command runs a command in the checkout to its end and returns what it printed.
func command(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = root, append(append(os.Environ(), engine.Env...), env...)
	cmd.WaitDelay = time.Second
	printed, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, printed)
	}
	return string(printed)
}

// asked is the engine's answer.
func asked(t *testing.T, args ...string) string {
	t.Helper()
	out, err := engine.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// makeImages runs what users type.
func makeImages(t *testing.T, more ...string) {
	t.Helper()
	command(t, nil, "make", append([]string{"images", "ENGINE=" + engine.Program, "TAG=" + tag}, more...)...)
}
