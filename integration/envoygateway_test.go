package integration_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/envoy/envoytest"
	"github.com/certbearer/certbearer/envoy/run"
)

// The manifests of the repository are what its own command writes.
func TestTheManifestsForEnvoyGatewayAreTheRenderedOnes(t *testing.T) {
	folder := t.TempDir()
	mustRun(t, "render", "envoy-gateway", "--config", filepath.Join(manifestsOf("gateway"), "certbearer.yaml"), "--output-dir", folder, "--patch")
	for _, name := range []string{"workload.yaml", "gateway.yaml", "routes.yaml", "patch.yaml"} {
		committed, err := os.ReadFile(filepath.Join(manifestsOf("gateway"), name))
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(committed), string(rendered)); diff != "" {
			t.Errorf("%s differs (-committed +rendered); if that is meant: certbearer render envoy-gateway --config envoy/gateway/certbearer.yaml --output-dir envoy/gateway --patch\n%s", name, diff)
		}
	}
}

// The versions of Envoy that the translated configuration is run with: Envoy
// Gateway 1.9 ships a 1.39, and the newest.
var gatewayVersions = []string{"1.39.3", run.Default}

// gatewayPlan is what a test wants of Envoy Gateway.
type gatewayPlan struct {
	version  string // of Envoy
	clients  map[string]document
	settings string             // on top of those in envoy/gateway
	routes   string             // in the place of those there; then the manifests are rendered anew
	more     []string           // manifests of the operator's choice
	change   func(*translation) // of what Envoy Gateway makes of them
}

// openGateway starts certbearer with the settings in envoy/gateway, and before it
// an Envoy with what Envoy Gateway makes of the manifests there.
func openGateway(t *testing.T, p gatewayPlan) *gate {
	t.Helper()
	binary := envoytest.Version(t, p.version)
	w := prepare(t, plan{clients: p.clients})
	secrets := w.placeGatewaySecrets(t)
	w.useGatewaySettings(t, p.settings+p.routes)
	manifests := manifestsOf("gateway")
	if p.routes != "" {
		manifests = w.renderGateway(t, p.routes)
	}
	translated := w.translateGateway(t, manifests, secrets, p.more...)
	w.start()
	if p.change != nil {
		p.change(translated)
	}
	path := w.placeTranslated(t, translated, secrets)
	proxy, err := binary.Start(t.Context(), run.Config{Path: path, Concurrency: 1, Log: w.envoyLog()})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{world: w, proxy: proxy}
	g.keys = &keySet{gate: g}
	w.gates = append(w.gates, g)
	if g.address, err = proxy.Listener(t.Context(), "certbearer/certbearer/https"); err != nil {
		t.Fatal(err)
	}
	return g
}

// gatewayPage is the block of docs/envoy-gateway.md that follows a mark.
func gatewayPage(t *testing.T, mark string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "envoy-gateway.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "<!-- "+mark+" -->\n```sh\n")
	block, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("the page has no block %s", mark)
	}
	return block
}

// useGatewaySettings has certbearer run with envoy/gateway/certbearer.yaml, of
// which only ports and paths are others: those of the container are not here. The
// volume for keys and revocations is empty, and the group's too, as a new one is.
func (w *world) useGatewaySettings(t *testing.T, more string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifestsOf("gateway"), "certbearer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(w.folder, "state")
	if err := errors.Join(os.Mkdir(state, 0o700), os.Chmod(state, 0o2775)); err != nil {
		t.Fatal(err)
	}
	tls := map[string]any{"certificate": "mesh/tls.crt", "key": "mesh/tls.key", "trustedCA": "mesh/ca.crt"}
	editSettings(t, w.config, settings{
		"clients":     map[string]any{"directory": "clients"},
		"keys":        map[string]any{"directory": "state/keys"},
		"revocations": map[string]any{"file": "state/revocations/revoked.jsonl"},
		"listen": map[string]any{"grpc": "127.0.0.1:0", "ops": "127.0.0.1:0", "proxies": map[string]any{
			"address": "127.0.0.1:0", "certificate": tls["certificate"], "key": tls["key"], "trustedCA": tls["trustedCA"],
		}},
		"callers": tls,
		"audit":   map[string]any{"to": "audit.jsonl"},
	}, parseSettings(t, more))
}

// renderGateway renders the settings of the repository with other routes, and
// returns the folder.
func (w *world) renderGateway(t *testing.T, routes string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifestsOf("gateway"), "certbearer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.folder, "mesh", "certbearer.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	editSettings(t, path, parseSettings(t, routes))
	folder := filepath.Join(w.folder, "mesh", "manifests")
	mustRun(t, "render", "envoy-gateway", "--config", path, "--output-dir", folder)
	return folder
}
