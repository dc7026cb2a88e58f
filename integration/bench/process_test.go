package bench_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// startPatience bounds the building of a server and its start.
const startPatience = 2 * time.Minute

// process is a running server.
type process struct {
	command *exec.Cmd
	socket  string
}

func (p *process) pid() int { return p.command.Process.Pid }

// shortFolder is one in which the path of a socket is not too long.
func shortFolder(b *testing.B) string {
	b.Helper()
	folder, err := os.MkdirTemp("", "cbbench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			b.Error(err)
		}
	})
	return folder
}

func startDoNothing(b *testing.B, folder string) *process {
	b.Helper()
	binary := build(b, folder, "donothing", "./donothing")
	p := &process{socket: filepath.Join(folder, "donothing.sock")}
	p.start(b, exec.Command(binary, p.socket), folder)
	p.awaitAnswer(b)
	return p
}

// startCertbearer runs what "certbearer init" writes, with two more clients.
func startCertbearer(b *testing.B, folder string, p pki) *process {
	b.Helper()
	binary := build(b, folder, "certbearer", "../../extauthz/cmd/certbearer")
	site := filepath.Join(folder, "site")
	run(b, exec.Command(binary, "init", site))
	writeClient(b, site, "bench-pinned", p.pinned)
	writeClient(b, site, "bench-partner", p.root)
	configuration := filepath.Join(site, "certbearer.yaml")
	withoutPort(b, configuration)
	started := &process{socket: filepath.Join(site, "run", "extauthz.sock")}
	started.start(b, exec.Command(binary, "serve", "--config", configuration), folder)
	started.awaitServing(b)
	return started
}

func build(b *testing.B, folder, name, target string) string {
	b.Helper()
	binary := filepath.Join(folder, name)
	run(b, exec.Command("go", "build", "-o", binary, target))
	return binary
}

func run(b *testing.B, command *exec.Cmd) {
	b.Helper()
	if output, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", command, err, output)
	}
}

func writeClient(b *testing.B, site, id string, store *testca.Issued) {
	b.Helper()
	document, err := json.Marshal(map[string]string{
		"resourceType": "ClientApplication", "id": id, "name": id, "certificateTrustStore": string(store.PEM()),
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(site, "clients", id+".json"), document, 0o644); err != nil {
		b.Fatal(err)
	}
}

// withoutPort takes the one TCP address out of the configuration: another
// certbearer may have it.
func withoutPort(b *testing.B, configuration string) {
	b.Helper()
	text, err := os.ReadFile(configuration)
	if err != nil {
		b.Fatal(err)
	}
	const ops = `ops: "127.0.0.1:9193"`
	if !strings.Contains(string(text), ops) {
		b.Fatalf("%s does not have %s", configuration, ops)
	}
	text = []byte(strings.Replace(string(text), ops, `ops: ""`, 1))
	if err := os.WriteFile(configuration, text, 0o644); err != nil {
		b.Fatal(err)
	}
}

// start runs the server until the benchmark ends. What it writes, audit records
// among it, goes to files as it would in operation.
func (p *process) start(b *testing.B, command *exec.Cmd, folder string) {
	b.Helper()
	p.command = command
	command.Stdout = create(b, filepath.Join(folder, filepath.Base(command.Path)+".out"))
	said := filepath.Join(folder, filepath.Base(command.Path)+".err")
	command.Stderr = create(b, said)
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if b.Failed() {
			text, err := os.ReadFile(said)
			b.Logf("%s said (%v)\n%s", command, err, text)
		}
		p.stop(b)
	})
}

func create(b *testing.B, name string) *os.File {
	b.Helper()
	file, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = file.Close() })
	return file
}

func (p *process) stop(b *testing.B) {
	b.Helper()
	killer := time.AfterFunc(10*time.Second, func() { _ = p.command.Process.Kill() })
	defer killer.Stop()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		b.Errorf("%s: %v", p.command, err)
	}
	_ = p.command.Wait() // a server that was told to stop may say so as it likes
}

// awaitServing waits until gRPC health says that clients and keys are loaded.
func (p *process) awaitServing(b *testing.B) {
	b.Helper()
	connection, ctx := p.dial(b)
	watch, err := grpc_health_v1.NewHealthClient(connection).Watch(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		b.Fatal(err)
	}
	for {
		answer, err := watch.Recv()
		if err != nil {
			b.Fatalf("%s does not come up: %v", p.command, err)
		}
		if answer.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING {
			return
		}
	}
}

// awaitAnswer waits for any answer, the refusal of a method included.
func (p *process) awaitAnswer(b *testing.B) {
	b.Helper()
	connection, ctx := p.dial(b)
	_, _ = grpc_health_v1.NewHealthClient(connection).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if ctx.Err() != nil {
		b.Fatalf("%s does not come up", p.command)
	}
}

func (p *process) dial(b *testing.B) (*grpc.ClientConn, context.Context) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), startPatience)
	b.Cleanup(cancel)
	connection, err := grpc.NewClient("unix:"+p.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = connection.Close() })
	return connection, ctx
}
