package clients_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/envoy/run"
	"github.com/certbearer/certbearer/extauthz/testca"
)

const (
	clientID = "my-client"
	audience = "https://orders.example"
	// patience is how long a condition may take: the machine may be busy.
	patience = 30 * time.Second
	// recordPatience is for what a program that has ended should have left.
	recordPatience = 5 * time.Second
)

// plan is what a test wants of its world.
type plan struct {
	TwoHosts bool // one for those with certificates, and the issuer's
	Medplum  bool // compatibility
	Listen   string
	Public   string
	Ops      string
	Upstream string
}

func (p plan) Gateway() string { return "https://localhost:" + portOf(p.Listen) }

func (p plan) Issuer() string {
	if p.TwoHosts {
		return "https://localhost:" + portOf(p.Public)
	}
	return p.Gateway()
}

// world is certbearer with a real Envoy in front, a service behind both, and two
// clients.
type world struct {
	plan
	folder   string
	upstream *upstream
	mine     *testca.Issued // the certificate of clientID
	others   *testca.Issued // that of another client
}

// The route elsewhere is for tokens of another audience: whoever sends a token
// there is refused, and whoever sends none is not.
const configurationText = `
issuer: {{.Issuer}}
{{- if .TwoHosts}}
mtlsOrigin: {{.Gateway}}
{{- end}}
audience: https://orders.example
{{- if .Medplum}}
compatibility: medplum
{{- end}}
listen: {grpc: "unix:run/extauthz.sock", http: "unix:run/http.sock", ops: "{{.Ops}}"}
routes:
  - {name: token, match: {pathPrefix: /oauth2/token}, access: endpoint}
  - {name: elsewhere, match: {pathPrefix: /elsewhere}, audience: "https://elsewhere.example"}
  - {name: typed, match: {pathPrefix: /typed}, inject: {typ: JWT}}
  - {name: unbound, match: {pathPrefix: /unbound}, inject: {typ: JWT, bind: none}}
  - {name: rest}
envoy:
  listen: {{.Listen}}
  {{- if .TwoHosts}}
  publicListen: {{.Public}}
  {{- end}}
  adminListen: 127.0.0.1:0
  accessLog: access.log
  upstream: {{.Upstream}}
  certificate: pki/server.crt
  key: pki/server.key
  timeout: 10s
audit: {to: audit.jsonl}
`

var configuration = template.Must(template.New("certbearer.yaml").Parse(configurationText))

func open(t *testing.T, p plan) *world {
	t.Helper()
	binary := realEnvoy(t)
	folder, err := os.MkdirTemp(shared.folder, "w")
	if err != nil {
		t.Fatal(err)
	}
	free := freeAddresses(t, 3)
	w := &world{plan: p, folder: folder, upstream: startUpstream(t)}
	w.Listen, w.Public, w.Ops, w.Upstream = free[0], free[1], free[2], w.upstream.url
	w.certbearer(t, "init", folder)
	w.configure(t)
	w.mine, w.others = w.client(t, clientID), w.client(t, "another-client")
	w.certbearer(t, "render", "envoy", "--config", w.path("certbearer.yaml"), "--output-dir", folder)
	w.serve(t)
	w.startEnvoy(t, binary)
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.folder, name) }

func (w *world) configure(t *testing.T) {
	t.Helper()
	var text strings.Builder
	if err := configuration.Execute(&text, w.plan); err != nil {
		t.Fatal(err)
	}
	writeFile(t, w.path("certbearer.yaml"), text.String())
}

// client makes a certificate, and the document that pins it.
func (w *world) client(t *testing.T, id string) *testca.Issued {
	t.Helper()
	issued, err := testca.SelfSigned(testca.Template{CommonName: id})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"resourceType": "ClientApplication", "id": id, "certificateTrustStore": string(issued.PEM()),
		"audience": []string{audience, "https://elsewhere.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(w.folder, "clients", id+".json"), string(text))
	return issued
}

func (w *world) certbearer(t *testing.T, args ...string) {
	t.Helper()
	if printed, err := exec.CommandContext(t.Context(), shared.binary, args...).CombinedOutput(); err != nil {
		t.Fatalf("certbearer %s: %v\n%s", strings.Join(args, " "), err, printed)
	}
}

// serve runs certbearer until the test ends.
func (w *world) serve(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, shared.binary, "serve", "--config", w.path("certbearer.yaml"))
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = patience
	var printed bytes.Buffer
	command.Stderr = &printed
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = command.Wait() // it was told to end
		if t.Failed() {
			t.Logf("certbearer printed:\n%s", printed.String())
		}
	})
	eventually(t, "certbearer is ready", func() bool {
		response, err := http.Get("http://" + w.Ops + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (w *world) startEnvoy(t *testing.T, binary run.Binary) {
	t.Helper()
	log, err := os.Create(w.path("printed.log"))
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := binary.Start(context.Background(), run.Config{Path: w.path("envoy.yaml"), Concurrency: 1, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Envoy printed last:\n%s", proxy.LastLines())
		}
		_ = proxy.Stop() // by a signal
		_ = log.Close()  // nothing more is written
	})
	if _, err := proxy.Listener(t.Context(), envoy.ListenerName); err != nil {
		t.Fatal(err)
	}
}

// record is an audit record as far as tests look at it.
type record struct {
	Reason     string `json:"reason"`
	Client     string `json:"client"`
	Route      string `json:"route"`
	Thumbprint string `json:"thumbprint"`
	TokenID    string `json:"token_id"`
}

// records waits for the number of records after the first n, and returns what
// there is then.
func (w *world) records(t *testing.T, n, count int) []record {
	t.Helper()
	within(recordPatience, func() bool { return len(w.recordsSince(t, n)) >= count })
	return w.recordsSince(t, n)
}

func (w *world) recordsSince(t *testing.T, n int) []record {
	t.Helper()
	var all []record
	for line := range bytes.Lines([]byte(readFile(t, w.path("audit.jsonl")))) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("audit record %q: %v", line, err)
		}
		// Envoy asks before it hands a request to an endpoint of ours, which has a
		// record of its own.
		if r.Reason != "allowed_endpoint" {
			all = append(all, r)
		}
	}
	return all[min(n, len(all)):]
}

// browser trusts Envoy's certificate; as may be nil.
func (w *world) browser(t *testing.T, as *testca.Issued) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(readFile(t, w.path("pki/server.crt"))))
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if as != nil {
		config.Certificates = []tls.Certificate{as.TLSCertificate()}
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func (w *world) get(t *testing.T, as *testca.Issued, url string) (status int, body string) {
	t.Helper()
	response, err := w.browser(t, as).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// answerOfTheUpstream is what it says to everything.
const answerOfTheUpstream = `"from the upstream"`

// upstream keeps the Authorization of everything that reaches it.
type upstream struct {
	url string

	mu   sync.Mutex
	kept [][]string
}

func startUpstream(t *testing.T) *upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{url: "http://" + listener.Addr().String()}
	server := &http.Server{Handler: u}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // it ends by Close
	}()
	t.Cleanup(func() {
		_ = server.Close() // nothing of it is needed any more
		<-ended
	})
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.kept = append(u.kept, r.Header["Authorization"])
	u.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answerOfTheUpstream) // whoever asked has gone
}

// since returns what was received after the first n.
func (u *upstream) since(n int) [][]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([][]string(nil), u.kept[n:]...)
}

// freeAddresses are of loopback. They are chosen before Envoy listens, because the
// issuer names the port.
func freeAddresses(t *testing.T, count int) []string {
	t.Helper()
	var addresses []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // all at the end, so that none is given twice
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !within(patience, holds) {
		t.Fatalf("after %v still not so: %s", patience, what)
	}
}

// within waits until the condition holds, and tells whether it did.
func within(limit time.Duration, holds func() bool) bool {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}
