package manifests_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const gatewayFolder = "envoy/gateway/*.yaml"

// ofGateway says whether the document is of a kind that Envoy Gateway reads, whose
// schemas egctl carries. It takes Kubernetes' own kinds with any field.
func ofGateway(d document) bool {
	return strings.HasPrefix(apiVersion(d), "gateway.networking.k8s.io/") || strings.HasPrefix(apiVersion(d), "gateway.envoyproxy.io/")
}

// translates runs egctl with one document, beside the others that it needs, and
// returns what it says of it.
func translates(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "one.yaml")
	const class = "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: other}\nspec: {controllerName: example.com/other}\n---\n"
	if err := os.WriteFile(path, append([]byte(class), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := run(t, tool(t, "egctl"), "x", "translate", "--from", "gateway-api", "--to", "xds", "--file", path)
	if err == nil {
		return ""
	}
	return output
}

func TestEgctlTakesEveryManifestForEnvoyGateway(t *testing.T) {
	kinds := map[string]bool{}
	for _, d := range allOf(t, gatewayFolder) {
		if !ofGateway(d) {
			continue
		}
		kinds[d.kind] = true
		if said := translates(t, d.text(t)); said != "" {
			t.Errorf("%s: %s", d, said)
		}
	}
	if len(kinds) < 9 {
		t.Errorf("only %v are in the manifests", slices.Sorted(maps.Keys(kinds)))
	}
}

// One field of each document, that which lies deepest.
func TestEgctlCatchesAMisspelledFieldOfEachManifest(t *testing.T) {
	for _, d := range allOf(t, gatewayFolder) {
		if !ofGateway(d) {
			continue
		}
		t.Run(d.String(), func(t *testing.T) {
			wrong := deepest(misspellings(d))
			said := translates(t, wrong.text(t))
			key := wrong.path[strings.LastIndex(wrong.path, ".")+1:] + "z"
			if !strings.Contains(said, key) {
				t.Errorf("%s is misspelled, and egctl says %q", wrong.path, said)
			}
		})
	}
}

func TestKubeconformFindsCertbearersOwnManifestsValid(t *testing.T) {
	results := conform(t, filepath.Join(root, "envoy/gateway/workload.yaml"))
	if len(results) != 7 {
		t.Errorf("it saw %d documents", len(results))
	}
	for _, result := range results {
		if result.Status != "statusValid" {
			t.Errorf("%s %s: %s %s", result.Kind, result.Name, result.Status, result.Msg)
		}
	}
}

// Every field of every document, in one run.
func TestKubeconformCatchesEveryMisspelledFieldOfThem(t *testing.T) {
	folder, want := t.TempDir(), map[string]string{}
	for i, d := range documents(t, "envoy/gateway/workload.yaml") {
		for j, wrong := range misspellings(d) {
			path := filepath.Join(folder, fmt.Sprintf("%d-%d.yaml", i, j))
			want[path] = d.String() + ": " + wrong.path
			if err := os.WriteFile(path, wrong.text(t), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(want) < 60 {
		t.Fatalf("only %d fields", len(want))
	}
	for _, result := range conform(t, folder) {
		if result.Status == "statusInvalid" {
			delete(want, result.Filename)
		}
	}
	for _, missed := range want {
		t.Errorf("%s is misspelled and nothing is said", missed)
	}
}
