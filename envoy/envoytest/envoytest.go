// Package envoytest gives tests a real Envoy. It looks for one once per process
// and version, because it may have to be fetched, and says once what to do where
// there is none.
package envoytest

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certbearer/certbearer/envoy/run"
)

// LeftOut is why a test was skipped that needs an Envoy where none is wanted.
const LeftOut = "no Envoy: " + run.EnvEnvoy + "=none"

// Find is run.Find, once. The error is run.ErrNone only where tests may be left
// out: not in CI.
var Find = finder("")

// versions finds an Envoy of each version that can be fetched.
var versions = func() map[string]func() (run.Binary, error) {
	all := make(map[string]func() (run.Binary, error))
	for _, version := range run.Versions() {
		all[version] = finder(version)
	}
	return all
}()

func finder(version string) func() (run.Binary, error) {
	return sync.OnceValues(func() (run.Binary, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		binary, err := run.Find(ctx, run.Options{Version: version, Progress: os.Stderr})
		if mayBeLeftOut(err) && os.Getenv("CI") != "" {
			return binary, errors.New(err.Error() + ", which CI does not allow")
		}
		return binary, err
	})
}

// mayBeLeftOut: none is wanted, or the one that is wanted is of another version.
func mayBeLeftOut(err error) bool {
	return errors.Is(err, run.ErrNone) || errors.Is(err, run.ErrOther)
}

// explain is done by the first test that lacks an Envoy.
var explain sync.Once

// Binary returns Envoy, skips the test where none is wanted, and fails it where
// none can be had.
func Binary(t testing.TB) run.Binary {
	t.Helper()
	binary, err := Find()
	return had(t, binary, err)
}

// Version returns Envoy in that version, one of run.Versions. It skips the test, but
// not in CI, where none is wanted, where CERTBEARER_ENVOY names one of another version,
// and where it cannot be fetched: whoever has one Envoy need not have all.
func Version(t testing.TB, version string) run.Binary {
	t.Helper()
	find, ok := versions[version]
	if !ok {
		t.Fatalf("no Envoy %s is pinned, only %v", version, run.Versions())
	}
	binary, err := find()
	if err != nil && !errors.Is(err, run.ErrNone) && os.Getenv("CI") == "" {
		why, _, _ := strings.Cut(err.Error(), "\n")
		t.Skip(why)
	}
	return had(t, binary, err)
}

func had(t testing.TB, binary run.Binary, err error) run.Binary {
	t.Helper()
	switch {
	case errors.Is(err, run.ErrNone):
		t.Skip(LeftOut)
	case err != nil:
		explain.Do(func() { t.Fatal(err) })
		t.Fatal("no Envoy: see the first failure")
	}
	return binary
}
