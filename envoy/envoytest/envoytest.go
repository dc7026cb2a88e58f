// Package envoytest gives tests a real Envoy. It looks for one once per process,
// because it may have to be fetched, and says once what to do where there is
// none.
package envoytest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/certbearer/certbearer/envoy/run"
)

// LeftOut is why a test was skipped that needs an Envoy where none is wanted.
const LeftOut = "no Envoy: " + run.EnvEnvoy + "=none"

// Find is run.Find, once. The error is run.ErrNone only where tests may be left
// out: not in CI.
var Find = sync.OnceValues(func() (run.Binary, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	binary, err := run.Find(ctx, run.Options{Progress: os.Stderr})
	if errors.Is(err, run.ErrNone) && os.Getenv("CI") != "" {
		return binary, errors.New(LeftOut + ", which CI does not allow")
	}
	return binary, err
})

// explain is done by the first test that lacks an Envoy.
var explain sync.Once

// Binary returns Envoy, skips the test where none is wanted, and fails it where
// none can be had.
func Binary(t testing.TB) run.Binary {
	t.Helper()
	binary, err := Find()
	switch {
	case errors.Is(err, run.ErrNone):
		t.Skip(LeftOut)
	case err != nil:
		explain.Do(func() { t.Fatal(err) })
		t.Fatal("no Envoy: see the first failure")
	}
	return binary
}
