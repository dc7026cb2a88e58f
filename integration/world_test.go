package integration_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// plan is what a test wants of its world.
type plan struct {
	settings string              // YAML, on top of what init wrote
	clients  map[string]document // by id
	scheme   string              // of the upstream, "http" where empty
}

// world is a folder, certbearer, and whatever stands in front of and behind it.
type world struct {
	t        *testing.T
	folder   string
	config   string
	upstream *upstream
	serve    *process
	ops      string // address
	grpc     string // address as the log has it
	gates    []*gate
	build    string // of Envoy, such as "1.37.0"; any where empty
}

// open makes a world in which certbearer serves. It has no Envoy yet.
func open(t *testing.T, p plan) *world {
	t.Helper()
	w := prepare(t, p)
	w.start()
	return w
}

// prepare makes the world's folder and starts the upstream.
func prepare(t *testing.T, p plan) *world {
	t.Helper()
	folder, err := os.MkdirTemp(shared.folder, "w")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, folder: folder, config: filepath.Join(folder, "certbearer.yaml"), upstream: startUpstream(t)}
	mustRun(t, "init", folder)
	editSettings(t, w.config, settings{
		"listen": map[string]any{"ops": "127.0.0.1:0"},
		"audit":  map[string]any{"to": "audit.jsonl"},
		"envoy": map[string]any{
			"listen":      "127.0.0.1:0",
			"adminListen": "127.0.0.1:0",
			"accessLog":   "access.log",
			"upstream":    w.upstream.url(p.scheme),
			// The machine may be busy: what a test means to be late says so itself.
			"timeout": "10s",
		},
	}, parseSettings(t, p.settings))
	for id, d := range p.clients {
		w.writeClient(t, id, d)
	}
	t.Cleanup(w.close)
	return w
}

// start starts certbearer and waits until it is ready.
func (w *world) start() {
	w.t.Helper()
	w.serve = launch(w.t, w.config)
	eventually(w.t, "certbearer has loaded its clients", func() bool {
		if !w.serve.running() {
			w.t.Fatalf("certbearer ended with %d:\n%s", w.serve.code, w.serve.printed(w.t))
		}
		return w.serve.count(w.t, "clients loaded") > 0
	})
	addresses := w.serve.addresses(w.t)
	w.grpc, w.ops = addresses[0], addresses[len(addresses)-1]
	eventually(w.t, "certbearer is ready", func() bool {
		status, _ := w.operations(w.t, "/readyz")
		return status == http.StatusOK
	})
}

// operations asks the listener for operators.
func (w *world) operations(t *testing.T, path string) (status int, body string) {
	t.Helper()
	response, err := http.Get("http://" + w.ops + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	return response.StatusCode, readAll(t, response.Body)
}

// healthz is the answer of /healthz as far as tests look at it.
type healthz struct {
	Healthy                bool     `json:"healthy"`
	CallersUnauthenticated bool     `json:"callers_unauthenticated"`
	Faults                 []string `json:"faults"`
}

func (w *world) healthz(t *testing.T) (status int, h healthz) {
	t.Helper()
	status, body := w.operations(t, "/healthz")
	if err := json.Unmarshal([]byte(body), &h); err != nil {
		t.Fatalf("/healthz says %q: %v", body, err)
	}
	return status, h
}

// close ends everything and holds the world to what is true of every one.
func (w *world) close() {
	for _, g := range w.gates {
		g.close()
	}
	if w.serve == nil {
		return
	}
	if w.serve.running() {
		if code := w.serve.stop(w.t); code != 0 {
			w.t.Errorf("certbearer ended with %d:\n%s", code, w.serve.printed(w.t))
		}
	}
	w.noRace()
	w.noSecrets()
}

func (w *world) noRace() {
	w.t.Helper()
	if printed := w.serve.printed(w.t); strings.Contains(printed, "DATA RACE") {
		w.t.Errorf("a data race in certbearer:\n%s", printed)
	}
}
