package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/certbearer/certbearer/envoy/envoytest"
)

// The transcripts in testdata run the command as a process of its own, and
// beside it three that make what it reads.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"certbearer": main,
		"testca":     makeCertificate,
		"clientdoc":  makeClientDocument,
		"mint":       mintToken,
	})
}

func TestTranscripts(t *testing.T) { testscript.Run(t, transcripts("testdata")) }

// These find Envoy at $ENVOY.
func TestTranscriptsWithARealEnvoy(t *testing.T) {
	binary := envoytest.Binary(t)
	params := transcripts(filepath.Join("testdata", "envoy"))
	params.Setup = func(env *testscript.Env) error {
		env.Setenv("ENVOY", binary.Path)
		return nil
	}
	testscript.Run(t, params)
}

func transcripts(folder string) testscript.Params {
	return testscript.Params{
		Dir:                 folder,
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":      status,
			"replace":     replace,
			"waitserving": waitServing,
			"until":       until,
			"servefile":   serveFile,
			"check":       sendCheck,
		},
	}
}

// status is "status N command …": runs the command, as exec does, and expects
// exactly that exit code.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command [argument…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		got = ended.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
