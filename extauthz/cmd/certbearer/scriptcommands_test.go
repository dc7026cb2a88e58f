package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	envoyrun "github.com/certbearer/certbearer/envoy/run"
)

// findEnvoy looks for Envoy once for all transcripts.
var findEnvoy = sync.OnceValues(func() (envoyrun.Binary, error) {
	return envoyrun.Find(context.Background(), envoyrun.Options{Progress: os.Stderr})
})

// setup gives a transcript $ENVOY, where there is one.
func setup(env *testscript.Env) error {
	binary, err := findEnvoy()
	switch {
	case err == nil:
		env.Setenv("ENVOY", binary.Path)
	case os.Getenv("CI") != "" || !errors.Is(err, envoyrun.ErrNone):
		return err // CI leaves nothing out
	}
	return nil
}

// condition knows [envoy]: there is one.
func condition(name string) (bool, error) {
	if name != "envoy" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	_, err := findEnvoy()
	return err == nil, nil
}

// replace is "replace OLD NEW FILE": OLD must be there.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s does not hold %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(text, args[0], args[1])), 0o644))
}

// waitFor is "waitfor FILE": until it is there.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("%s did not appear", args[0])
}
