package integration_test

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/envoy/envoytest"
	"github.com/certbearer/certbearer/envoy/run"
)

// gate is a running Envoy in front of a world's certbearer.
type gate struct {
	world   *world
	proxy   *run.Process
	address netip.AddrPort
	keys    *keySet
}

// envoy starts Envoy with the configuration that certbearer renders, changed by
// the given functions.
func (w *world) envoy(changes ...change) *gate {
	w.t.Helper()
	binary := w.binary()
	mustRun(w.t, "render", "envoy", "--config", w.config, "--output-dir", w.folder)
	path := w.changed(changes)
	proxy, err := binary.Start(w.t.Context(), run.Config{Path: path, Concurrency: 1, Log: w.envoyLog()})
	if err != nil {
		w.t.Fatal(err)
	}
	g := &gate{world: w, proxy: proxy}
	w.gates = append(w.gates, g)
	if g.address, err = proxy.Listener(w.t.Context(), envoy.ListenerName); err != nil {
		w.t.Fatal(err)
	}
	g.keys = &keySet{gate: g}
	return g
}

// binary is the Envoy of the version that the world wants.
func (w *world) binary() run.Binary {
	w.t.Helper()
	if w.build == "" {
		return realEnvoy(w.t)
	}
	return envoytest.Version(w.t, w.build)
}

// envoyLog is a file for what Envoy prints.
func (w *world) envoyLog() *os.File {
	w.t.Helper()
	log, err := os.Create(filepath.Join(w.folder, "printed-"+itoa(len(w.gates))+".log"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = log.Close() }) // nothing more is written
	return log
}

// changed writes the rendered configuration with the changes.
func (w *world) changed(changes []change) string {
	w.t.Helper()
	rendered := filepath.Join(w.folder, "envoy.yaml")
	if len(changes) == 0 {
		return rendered
	}
	bootstrap := w.readBootstrap(rendered)
	for _, change := range changes {
		change(w.t, bootstrap)
	}
	text, err := envoy.YAML(bootstrap)
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.folder, "envoy-"+itoa(len(w.gates))+".yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) readBootstrap(path string) *bootstrapv3.Bootstrap {
	w.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		w.t.Fatal(err)
	}
	bootstrap := new(bootstrapv3.Bootstrap)
	if err := protojson.Unmarshal(asJSON, bootstrap); err != nil {
		w.t.Fatal(err)
	}
	return bootstrap
}

func (g *gate) url(path string) string { return "https://" + g.address.String() + path }

func (g *gate) close() {
	if g.world.t.Failed() {
		g.world.t.Logf("Envoy printed last:\n%s", g.proxy.LastLines())
	}
	if err := g.proxy.Stop(); err != nil && !strings.Contains(err.Error(), "signal") {
		g.world.t.Errorf("Envoy: %v", err)
	}
}

// asking waits until so many checks are under way, as Envoy counts them.
func (g *gate) asking(t *testing.T, checks int) {
	t.Helper()
	eventually(t, itoa(checks)+" checks are under way", func() bool {
		return g.stat(t, "cluster.certbearer-grpc.upstream_rq_active") == itoa(checks)
	})
}

// stat is a number of Envoy's, "" where it has none of the name.
func (g *gate) stat(t *testing.T, name string) string {
	t.Helper()
	response, err := http.Get("http://" + g.proxy.Admin().String() + "/stats?filter=" + name + "$")
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	_, value, _ := strings.Cut(readAll(t, response.Body), ": ")
	return strings.TrimSpace(value)
}
