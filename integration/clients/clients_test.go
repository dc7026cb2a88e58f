package clients_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// programPatience bounds a program; compiling it comes before.
const programPatience = time.Minute

// program is how a snippet becomes a command in a folder.
type program struct {
	file    string
	medplum bool // it needs compatibility: medplum
	// endless is one that answers a 401 by a new token and the same request, for ever.
	endless bool
	command func(t *testing.T, folder string) *exec.Cmd
}

var programs = map[string]program{
	"curl": {file: "get.sh", command: func(t *testing.T, _ string) *exec.Cmd {
		needs(t, "bash", "curl", "sed")
		return exec.Command("bash", "-eu", "-o", "pipefail", "get.sh")
	}},
	"go":            {file: "main.go", command: goProgram},
	"openid-client": {file: "get.mjs", command: nodeProgram},
	"medplum":       {file: "get.mjs", command: nodeProgram, medplum: true, endless: true},
	"authlib": {file: "get.py", command: func(t *testing.T, _ string) *exec.Cmd {
		site := filepath.Join(fromPyPI.installed(t), "site")
		command := exec.Command("python3", "get.py")
		command.Env = []string{"PYTHONPATH=" + site, "PYTHONDONTWRITEBYTECODE=1"}
		return command
	}},
}

// goProgram compiles with the pinned modules.
func goProgram(t *testing.T, folder string) *exec.Cmd {
	t.Helper()
	if err := os.CopyFS(folder, os.DirFS("testdata/go")); err != nil {
		t.Fatal(err)
	}
	buildGo(t, folder)
	return exec.Command(filepath.Join(folder, "program"))
}

func buildGo(t *testing.T, folder string) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "program", ".")
	build.Dir = folder
	build.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	if printed, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, printed)
	}
}

func nodeProgram(t *testing.T, folder string) *exec.Cmd {
	t.Helper()
	if err := os.Symlink(filepath.Join(fromNPM.installed(t), "node_modules"), filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return exec.Command("node", "get.mjs")
}

// prepared is a snippet in a folder, ready to be run in any world.
type prepared struct {
	program
	folder string
	start  *exec.Cmd
}

func prepare(t *testing.T, p program, text string) prepared {
	t.Helper()
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, p.file), text)
	return prepared{program: p, folder: folder, start: p.command(t, folder)}
}

// outcome is what came of a program.
type outcome struct {
	failed   bool
	printed  string
	received [][]string
	records  []record
}

// run runs the program with a certificate to its end. It is to leave so many
// records.
func (p prepared) run(t *testing.T, w *world, as *testca.Issued, path string, records int) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programPatience)
	defer cancel()
	before := w.now(t)
	printed, err := p.in(t, ctx, w, as, path)
	if ctx.Err() != nil {
		t.Fatalf("it has not ended within %v:\n%s", programPatience, printed)
	}
	return before.outcome(t, printed, err, records)
}

// begin is run for a program that has to be stopped once there are the records.
func (p prepared) begin(t *testing.T, w *world, as *testca.Issued, path string, records int) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programPatience)
	before := w.now(t)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		within(programPatience, func() bool { return ctx.Err() != nil || before.count() >= records })
		cancel()
	}()
	printed, err := p.in(t, ctx, w, as, path)
	cancel()
	<-stopped
	got := before.outcome(t, printed, err, records)
	got.records = got.records[:min(records, len(got.records))]
	return got
}

// in runs the program. Nothing of the environment reaches it but what it takes to
// start: variables may name other CAs and proxies.
func (p prepared) in(t *testing.T, ctx context.Context, w *world, as *testca.Issued, path string) (printed string, err error) {
	t.Helper()
	certificate, key, ca := filepath.Join(p.folder, "client.crt"), filepath.Join(p.folder, "client.key"), filepath.Join(p.folder, "ca.crt")
	for _, old := range []string{certificate, key} {
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
	}
	if err := as.WriteFiles(certificate, key); err != nil {
		t.Fatal(err)
	}
	writeFile(t, ca, readFile(t, w.path("pki/server.crt")))
	command := exec.CommandContext(ctx, p.start.Path, p.start.Args[1:]...)
	command.Dir = p.folder
	command.Env = append(slices.Clone(p.start.Env), "PATH="+os.Getenv("PATH"), "HOME="+p.folder,
		"CLIENT_ID="+clientID, "ISSUER="+w.Issuer(), "GATEWAY="+w.Gateway(), "URL="+w.Gateway()+path)
	text, err := command.CombinedOutput()
	return string(text), err
}

// moment is what there was before a program ran.
type moment struct {
	world             *world
	received, records int
	count             func() int // records since
}

func (w *world) now(t *testing.T) moment {
	t.Helper()
	n := len(w.recordsSince(t, 0))
	return moment{world: w, received: len(w.upstream.since(0)), records: n, count: func() int { return len(w.recordsSince(t, n)) }}
}

func (m moment) outcome(t *testing.T, printed string, err error, records int) outcome {
	t.Helper()
	return outcome{
		failed: err != nil, printed: printed,
		received: m.world.upstream.since(m.received), records: m.world.records(t, m.records, records),
	}
}

// step is a record without what differs between any two.
type step struct{ reason, client, route string }

func steps(records []record) []step {
	var all []step
	for _, r := range records {
		all = append(all, step{r.Reason, r.Client, r.Route})
	}
	return all
}

func (o outcome) expect(t *testing.T, succeeds bool, want ...step) {
	t.Helper()
	if o.failed == succeeds {
		t.Errorf("it failed: %v\n%s", o.failed, o.printed)
	}
	if diff := cmp.Diff(want, steps(o.records), cmp.AllowUnexported(step{})); diff != "" {
		t.Errorf("audit records (-want +got):\n%s", diff)
	}
}

// expectUse holds a successful run to what reached the upstream.
func (o outcome) expectUse(t *testing.T, w *world) {
	t.Helper()
	if !strings.Contains(o.printed, "from the upstream") {
		t.Errorf("it printed %q, not the upstream's answer", o.printed)
	}
	if len(o.received) != 1 {
		t.Fatalf("the upstream received %d requests", len(o.received))
	}
	got := w.verified(t, o.received[0])
	want := injected{Text: got.Text, Typ: "at+jwt", Issuer: w.Issuer(), Audience: audience, ClientID: clientID, Use: "injected"}
	want.CNF.Thumbprint = thumbprint(w.mine)
	want.ID = o.records[len(o.records)-1].TokenID
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the injected token (-want +got):\n%s", diff)
	}
	for _, r := range o.records {
		if r.Reason == "token_issued" && (r.TokenID == "" || r.TokenID == got.ID) {
			t.Errorf("the token that was issued has the id %q, the injected one %q", r.TokenID, got.ID)
		}
	}
}

var (
	issued  = step{"token_issued", clientID, "token_endpoint"}
	allowed = step{"allowed", clientID, "rest"}
)

// worlds are where gateways differ for clients.
var worlds = map[string]plan{
	"with one host":  {},
	"with two hosts": {TwoHosts: true},
	"for Medplum":    {Medplum: true},
}

func TestTheSnippetsOfTheClientsPageGetATokenAndUseIt(t *testing.T) {
	realEnvoy(t)
	opened := make(map[string]*world)
	for name, p := range worlds {
		opened[name] = open(t, p)
	}
	for name, text := range snippets(t, pageOfClients) {
		t.Run(name, func(t *testing.T) {
			p := programs[name]
			ready := prepare(t, p, text)
			for where, w := range opened {
				if w.Medplum == p.medplum {
					t.Run(where, func(t *testing.T) { ready.story(t, w) })
				}
			}
		})
	}
}

// story is what is so of each client.
func (p prepared) story(t *testing.T, w *world) {
	t.Run("a token is got and used", func(t *testing.T) {
		got := p.run(t, w, w.mine, "/hello", 2)
		got.expect(t, true, issued, allowed)
		got.expectUse(t, w)
	})
	t.Run("another client's certificate gets none", func(t *testing.T) {
		got := p.run(t, w, w.others, "/hello", 1)
		got.expect(t, false, step{"certificate_not_pinned", clientID, "token_endpoint"})
		if len(got.received) > 0 {
			t.Errorf("the upstream received %d requests", len(got.received))
		}
	})
	// With the certificate alone the route would let it through. It is the last
	// story of its world: what is stopped may leave records later.
	t.Run("it is the token that is used", func(t *testing.T) {
		run := p.run
		if p.endless {
			run = p.begin
		}
		got := run(t, w, w.mine, "/elsewhere", 2)
		got.expect(t, false, issued, step{"token_audience_wrong", "", "elsewhere"})
		if len(got.received) > 0 {
			t.Errorf("the upstream received %d requests", len(got.received))
		}
	})
}

// Left to itself, the library of Go tries Basic first.
func TestTheLibraryOfGoFindsOutHowToAuthenticate(t *testing.T) {
	realEnvoy(t)
	text := snippet(t, pageOfClients, "go")
	const style, imported = "\t\tAuthStyle: oauth2.AuthStyleInParams,\n", "oauth2.HTTPClient"
	if !strings.Contains(text, style) || !strings.Contains(text, imported) {
		t.Fatal("the snippet is not what this test is about")
	}
	w := open(t, plan{})
	got := prepare(t, programs["go"], strings.Replace(text, style, "", 1)).run(t, w, w.mine, "/hello", 3)
	got.expect(t, true, step{"auth_method_unsupported", "", "token_endpoint"}, issued, allowed)
	got.expectUse(t, w)
}

// A secret beside a certificate is refused, and an empty one is none. In either
// case the certificate decides.
func TestTheClientOfMedplumWithoutItsCompatibility(t *testing.T) {
	realEnvoy(t)
	text := snippet(t, pageOfClients, "medplum")
	const secret = "'there-is-no-secret'"
	if !strings.Contains(text, secret) {
		t.Fatal("the snippet is not what this test is about")
	}
	fromNPM.installed(t)
	w := open(t, plan{})
	t.Run("a secret is refused", func(t *testing.T) {
		got := prepare(t, programs["medplum"], text).run(t, w, w.mine, "/hello", 1)
		got.expect(t, false, step{"auth_method_conflict", "", "token_endpoint"})
	})
	empty := prepare(t, programs["medplum"], strings.Replace(text, secret, "''", 1))
	t.Run("an empty one is none", func(t *testing.T) {
		got := empty.run(t, w, w.mine, "/hello", 2)
		got.expect(t, true, issued, allowed)
		got.expectUse(t, w)
	})
	t.Run("and then a 401 is the end", func(t *testing.T) {
		got := empty.run(t, w, w.mine, "/elsewhere", 2)
		got.expect(t, false, issued, step{"token_audience_wrong", "", "elsewhere"})
	})
}
