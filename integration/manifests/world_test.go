package manifests_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/certbearer/certbearer/envoy/envoytest"
	envoyrun "github.com/certbearer/certbearer/envoy/run"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// likeIstios is the release of Envoy that is nearest to what Istio 1.31 runs.
const likeIstios = "1.39.3"

// world is certbearer as the manifests configure it, and an Envoy that runs what
// istiod makes of them, with these changes: the addresses are loopback's, secrets and
// routes are in the file instead of coming from istiod, Istio's own filters are left
// out, and what the gateway sends to certbearer's pod goes to the sidecar's cluster
// at once.
type world struct {
	folder   string // short: a socket's path has 104 bytes
	envoy    string // host:port
	roots    *x509.CertPool
	client   *testca.Issued
	received func() http.Header // of the last request that reached the upstream
	sockets  string             // their folder, in folder
	run      *syscall.SysProcAttr
	end      context.CancelFunc // ends certbearer
	ended    chan struct{}
}

// startWorld starts it. keySet is a file with the key set that the gateway verifies
// by; "" is certbearer's own.
func startWorld(t *testing.T, manifests, keySet string) *world {
	t.Helper()
	binary := envoytest.Version(t, likeIstios)
	w := newWorld(t)
	if err := os.Mkdir(filepath.Join(w.folder, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.serve(t, manifests)
	if keySet == "" {
		keySet = filepath.Join(w.folder, "jwks.json")
		w.fetch(t, "http.sock", "/.well-known/jwks.json", keySet)
	}
	gateway, sidecar := generate(t, manifests, keySet)
	path := filepath.Join(w.folder, "envoy.json")
	if err := os.WriteFile(path, []byte(w.bootstrap(t, gateway, sidecar)), 0o600); err != nil {
		t.Fatal(err)
	}
	envoy, err := binary.Start(t.Context(), envoyrun.Config{Path: path, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = envoy.Stop() })
	at, err := envoy.Listener(t.Context(), gateway.Listeners[0]["name"].(string))
	if err != nil {
		t.Fatal(err)
	}
	w.envoy = at.String()
	return w
}

// newWorld makes the folder and the client, and starts nothing.
func newWorld(t *testing.T) *world {
	t.Helper()
	folder, err := os.MkdirTemp("", "cbi-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	w := &world{folder: folder, sockets: "s", ended: make(chan struct{})}
	w.client = issue(t, testca.Template{CommonName: "my-client"})
	if err := os.Chmod(folder, 0o755); err != nil { // others run in it too
		t.Fatal(err)
	}
	return w
}

func issue(t *testing.T, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := testca.SelfSigned(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// serve starts certbearer with the configuration from which the manifests are
// rendered, its paths moved into the folder.
func (w *world) serve(t *testing.T, manifests string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, manifests, "certbearer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	settings := w.moved(string(text))
	document, err := json.Marshal(map[string]string{"resourceType": "ClientApplication", "certificateTrustStore": string(w.client.PEM())})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(w.folder, "clients"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"certbearer.yaml": settings, "clients/my-client.json": string(document)} {
		if err := os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(w.folder, "certbearer")
	if output, err := run(t, "go", "build", "-o", binary, root+"/extauthz/cmd/certbearer"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.end = cancel
	command := exec.CommandContext(ctx, binary, "serve", "--config", filepath.Join(w.folder, "certbearer.yaml"))
	log := new(strings.Builder)
	command.Stderr, command.WaitDelay, command.SysProcAttr = log, 5*time.Second, w.run
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		_ = command.Wait() // it ends by cancel
	}()
	t.Cleanup(w.stop)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		if w.ready() {
			tick.Stop()
			return
		}
		select {
		case <-w.ended:
			t.Fatalf("certbearer has ended:\n%s", log)
		case <-t.Context().Done():
			t.Fatal("certbearer is not ready")
		default:
		}
	}
}

// stop ends certbearer.
func (w *world) stop() {
	w.end()
	<-w.ended
}

// moved puts the pod's paths into the folder.
func (w *world) moved(text string) string {
	return strings.NewReplacer(
		"/etc/certbearer-clients", w.folder+"/clients",
		"/var/lib/certbearer", w.folder+"/state",
		"/run/certbearer/sockets", filepath.Join(w.folder, w.sockets),
		"ops: 0.0.0.0:9193", `ops: "unix:`+filepath.Join(w.folder, w.sockets, "ops.sock")+`"`,
	).Replace(text)
}

// over returns a client that reaches a socket of certbearer's.
func (w *world) over(socket string) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(w.folder, w.sockets, socket))
		},
	}}
}

func (w *world) ready() bool {
	response, err := w.over("ops.sock").Get("http://certbearer/readyz")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (w *world) fetch(t *testing.T, socket, path, file string) {
	t.Helper()
	response, err := w.over(socket).Get("http://certbearer" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %s %s", path, err, response.Status, text)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// bootstrap puts what istiod made into one file, with the changes that world tells of.
func (w *world) bootstrap(t *testing.T, gateway, sidecar generated) string {
	t.Helper()
	listener := local(gateway.Listeners[0], gateway.Routes).(map[string]any)
	listener["address"] = map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": 0}}
	var clusters []any
	for _, cluster := range gateway.Clusters {
		name := cluster["name"].(string)
		port := strings.Split(name+"||", "|")[1]
		switch {
		case strings.HasSuffix(name, "|certbearer.certbearer.svc.cluster.local"):
			for _, inbound := range sidecar.Clusters {
				if inbound["name"] == "inbound|"+port+"||" {
					inbound["name"] = name
					clusters = append(clusters, local(inbound, nil))
				}
			}
		case strings.HasSuffix(name, "|httpbin.httpbin.svc.cluster.local"):
			clusters = append(clusters, w.upstream(t, name))
		}
	}
	if len(clusters) != 3 {
		t.Fatalf("%d clusters", len(clusters))
	}
	return w.moved(jsonOf(t, map[string]any{
		"admin": map[string]any{"address": map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": 0}}},
		"static_resources": map[string]any{
			"listeners": []any{listener}, "clusters": clusters, "secrets": w.secrets(t),
		},
	}))
}

// local leaves out what only Istio's Envoy has, and puts in what would come from istiod.
func local(value any, routes []map[string]any) any {
	switch value := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, inner := range value {
			switch {
			case key == "sds_config": // by its name alone a secret is one of this file
			case key == "rds":
				name := inner.(map[string]any)["route_config_name"]
				for _, route := range routes {
					if route["name"] == name {
						out["route_config"] = local(route, nil)
					}
				}
			default:
				out[key] = local(inner, routes)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, item := range value {
			if one, ok := item.(map[string]any); ok {
				if name, _ := one["name"].(string); strings.HasPrefix(name, "istio.") {
					continue
				}
			}
			out = append(out, local(item, routes))
		}
		return out
	}
	return value
}

// secrets are those that the page has a person make.
func (w *world) secrets(t *testing.T) []any {
	t.Helper()
	server := issue(t, testca.Template{CommonName: "gateway.example", DNSNames: []string{"gateway.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	w.roots = x509.NewCertPool()
	w.roots.AddCert(server.Certificate)
	key, err := server.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	inline := func(text []byte) any { return map[string]any{"inline_string": string(text)} }
	return []any{
		map[string]any{"name": "kubernetes://certbearer-gateway", "tls_certificate": map[string]any{
			"certificate_chain": inline(server.PEM()), "private_key": inline(key),
		}},
		map[string]any{"name": "kubernetes://certbearer-gateway-cacert", "validation_context": map[string]any{
			"trusted_ca": inline(issue(t, testca.Template{CommonName: "placeholder", CA: true}).PEM()),
		}},
	}
}

// upstream starts the service behind the gateway and returns the cluster that leads there.
func (w *world) upstream(t *testing.T, name string) any {
	t.Helper()
	var mu sync.Mutex
	var last http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		last = r.Header.Clone()
	}))
	t.Cleanup(server.Close)
	w.received = func() http.Header {
		mu.Lock()
		defer mu.Unlock()
		defer func() { last = nil }()
		return last
	}
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := net.LookupPort("tcp", at.Port())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"name": name, "load_assignment": map[string]any{"cluster_name": name, "endpoints": []any{map[string]any{
		"lb_endpoints": []any{map[string]any{"endpoint": map[string]any{"address": map[string]any{
			"socket_address": map[string]any{"address": at.Hostname(), "port_value": port},
		}}}},
	}}}}
}

// ask sends a request through the gateway and returns the answer's status and body.
func (w *world) ask(t *testing.T, method, path string, client *testca.Issued, header http.Header, body string) (int, string) {
	t.Helper()
	config := &tls.Config{RootCAs: w.roots, ServerName: "gateway.example", MinVersion: tls.VersionTLS12}
	if client != nil {
		config.Certificates = []tls.Certificate{client.TLSCertificate()}
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "https://gateway.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", w.envoy)
		}}
	response, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
