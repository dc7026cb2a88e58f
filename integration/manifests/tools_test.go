package manifests_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// expected are what istioctl says of the manifests as they are, each for a reason.
var expected = []string{
	// It says so of every EnvoyFilter. strict_test.go holds ours to Envoy's API.
	"EnvoyFilter exposes internal implementation details that may change at any time.",
	// A gateway's listeners for TCP would be denied too, and ours has none.
	"configured AuthorizationPolicy will deny all traffic to TCP ports under its scope",
	// Labels for telemetry of Istio's, which are the operator's to choose.
	"may not provide Istio metrics and telemetry labels",
}

func isExpected(line string) bool {
	return slices.ContainsFunc(expected, func(part string) bool { return strings.Contains(line, part) })
}

var verdict = regexp.MustCompile(`^"[^"]+" (is valid|has warnings:)$`)

// complaints runs istioctl validate and returns what it says beyond what is expected.
func complaints(t *testing.T, file string) []string {
	t.Helper()
	output, err := run(t, tool(t, "istioctl"), "validate", "-f", file)
	var all []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !verdict.MatchString(line) && !isExpected(line) {
			all = append(all, line)
		}
	}
	if err != nil && all == nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return all
}

func TestIstioctlValidateHasNoComplaint(t *testing.T) {
	for _, file := range filesOf(t, istioFolders...) {
		for _, line := range complaints(t, filepath.Join(root, file)) {
			t.Errorf("%s: %s", file, line)
		}
	}
}

// The mesh's configuration is what istioctl makes of mesh.yaml, as it would install it.
func TestIstioctlAnalyzeHasNoComplaintAboutAnyFolder(t *testing.T) {
	istioctl := tool(t, "istioctl")
	for _, pattern := range istioFolders {
		folder := filepath.Dir(pattern)
		t.Run(folder, func(t *testing.T) {
			arguments := []string{"analyze", "--use-kube=false", "--color=false", "--failure-threshold", "Info",
				"--meshConfigFile", meshConfig(t, filepath.Join(root, folder, "mesh.yaml"))}
			for _, file := range filesOf(t, pattern) {
				if filepath.Base(file) != "mesh.yaml" {
					arguments = append(arguments, filepath.Join(root, file))
				}
			}
			if output, err := run(t, istioctl, arguments...); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// meshConfig returns the file of the mesh configuration of an installation with
// mesh.yaml.
func meshConfig(t *testing.T, file string) string {
	t.Helper()
	text := configMaps(t, file)["istio"]["mesh"]
	if !strings.Contains(text, "envoyExtAuthz") {
		t.Fatalf("no extension provider in\n%s", text)
	}
	path := filepath.Join(t.TempDir(), "mesh.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// configMaps renders an installation with mesh.yaml and returns the data of its
// ConfigMaps by name.
func configMaps(t *testing.T, file string) map[string]map[string]string {
	t.Helper()
	output, err := run(t, tool(t, "istioctl"), "manifest", "generate", "-f", file)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	all := map[string]map[string]string{}
	for decoder := yaml.NewDecoder(strings.NewReader(output)); ; {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Data     map[string]string
		}
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if object.Kind == "ConfigMap" {
			all[object.Metadata.Name] = object.Data
		}
	}
}

// resource is what kubeconform says of one document.
type resource struct{ Filename, Kind, Name, Status, Msg string }

// conform runs kubeconform with the schemas of `make verify-manifests`.
func conform(t *testing.T, files ...string) []resource {
	t.Helper()
	location := filepath.Join(tools(), "schemas", "{{.ResourceKind}}_{{.Group}}_{{.ResourceAPIVersion}}.json")
	arguments := append([]string{"-strict", "-output", "json", "-verbose", "-schema-location", location}, files...)
	output, _ := run(t, tool(t, "kubeconform"), arguments...)
	var answer struct{ Resources []resource }
	if err := json.Unmarshal([]byte(output), &answer); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	// A comment before the first document counts as one.
	answer.Resources = slices.DeleteFunc(answer.Resources, func(r resource) bool { return r.Kind == "" })
	if len(answer.Resources) == 0 {
		t.Fatalf("kubeconform saw nothing\n%s", output)
	}
	return answer.Resources
}

func TestKubeconformFindsEveryManifestValid(t *testing.T) {
	for _, file := range filesOf(t, istioFolders...) {
		if filepath.Base(file) == "mesh.yaml" {
			continue // no resource of a cluster's
		}
		results := conform(t, filepath.Join(root, file))
		if len(results) != len(documents(t, file)) {
			t.Errorf("%s: it saw %d documents of %d", file, len(results), len(documents(t, file)))
		}
		for _, result := range results {
			if result.Status != "statusValid" {
				t.Errorf("%s: %s %s: %s %s", file, result.Kind, result.Name, result.Status, result.Msg)
			}
		}
	}
}

// Every field of Kubernetes' own kinds, and of Istio's too but for what a cluster
// knows nothing of: the patches of the EnvoyFilter, and the ports that are keys.
func TestKubeconformCatchesEveryMisspelledField(t *testing.T) {
	folder, want := t.TempDir(), map[string]string{}
	for i, d := range allOf(t, istioFolders...) {
		if d.kind == "IstioOperator" {
			continue
		}
		for j, wrong := range misspellings(d) {
			if strings.Contains(wrong.path, ".value.") || strings.HasPrefix(wrong.path, "spec.portLevelMtls.") && wrong.depth == 3 {
				continue
			}
			path := filepath.Join(folder, string(rune('a'+i))+"-"+string(rune('A'+j/26))+string(rune('a'+j%26))+".yaml")
			want[path] = d.String() + ": " + wrong.path
			if err := os.WriteFile(path, wrong.text(t), 0o600); err != nil {
				t.Fatal(err)
			}
		}
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

// caughtBy says who catches the deepest field of each document when it is misspelled.
// istioctl lets the configuration of the mesh through, so the decoding is needed.
var caughtBy = map[string][]string{
	"mesh.yaml IstioOperator certbearer":                      {"decoding"},
	"workload.yaml Namespace certbearer":                      nil, // it has no field but its name
	"workload.yaml ServiceAccount certbearer":                 nil,
	"workload.yaml ConfigMap certbearer":                      nil,
	"workload.yaml PersistentVolumeClaim certbearer":          {"kubeconform"},
	"workload.yaml Deployment certbearer":                     {"kubeconform"},
	"workload.yaml Service certbearer":                        {"kubeconform", "istioctl"},
	"workload.yaml Sidecar certbearer":                        {"kubeconform", "istioctl", "decoding"},
	"access.yaml PeerAuthentication certbearer":               {"kubeconform", "istioctl", "decoding"},
	"access.yaml AuthorizationPolicy certbearer":              {"kubeconform", "istioctl", "decoding"},
	"gateway.yaml Gateway certbearer":                         {"kubeconform", "istioctl", "decoding"},
	"gateway.yaml VirtualService certbearer":                  {"kubeconform", "istioctl", "decoding"},
	"gateway.yaml EnvoyFilter certbearer":                     {"istioctl", "decoding"},
	"gateway.yaml AuthorizationPolicy certbearer-ask":         {"kubeconform", "istioctl", "decoding"},
	"verification.yaml RequestAuthentication certbearer":      {"kubeconform", "istioctl", "decoding"},
	"verification.yaml AuthorizationPolicy certbearer-verify": {"kubeconform", "istioctl", "decoding"},
}

func TestAMisspelledFieldOfEachManifestIsCaught(t *testing.T) {
	for _, d := range allOf(t, istioFolders...) {
		t.Run(d.file+" "+d.kind+" "+d.name, func(t *testing.T) {
			want, listed := caughtBy[d.String()]
			if !listed {
				t.Fatalf("the table lacks %s", d)
			}
			all := misspellings(d)
			if len(all) == 0 {
				return
			}
			wrong := deepest(all)
			if got := catchers(t, wrong); !slices.Equal(got, want) {
				t.Errorf("%s is caught by %v, want %v", wrong.path, got, want)
			}
		})
	}
}

// catchers are those who say something of a misspelled document.
func catchers(t *testing.T, wrong misspelled) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(path, wrong.text(t), 0o600); err != nil {
		t.Fatal(err)
	}
	var all []string
	if wrong.kind != "IstioOperator" && conform(t, path)[0].Status == "statusInvalid" {
		all = append(all, "kubeconform")
	}
	if complaints(t, path) != nil {
		all = append(all, "istioctl")
	}
	if decoded(wrong.document) && strict(wrong.document) != nil {
		all = append(all, "decoding")
	}
	return all
}

// The folders are what `certbearer render istio` makes of the configuration in them.
func TestTheManifestsAreWhatTheirConfigurationRenders(t *testing.T) {
	for _, pattern := range istioFolders {
		folder := filepath.Join(root, filepath.Dir(pattern))
		target := t.TempDir()
		if *update {
			target = folder
		}
		output, err := run(t, "go", "run", root+"/extauthz/cmd/certbearer", "render", "istio",
			"--config", filepath.Join(folder, "certbearer.yaml"), "--output-dir", target)
		if err != nil || output != "" {
			t.Fatalf("%v\n%s", err, output)
		}
		had := filesOf(t, pattern)
		made, err := filepath.Glob(filepath.Join(target, "*.yaml"))
		if err != nil || !*update && len(made) != len(had) {
			t.Errorf("%v: rendered %v, there are %v", err, made, had)
		}
		for _, file := range had {
			want, err := os.ReadFile(filepath.Join(target, filepath.Base(file)))
			if err != nil {
				t.Error(err)
				continue
			}
			if got, err := os.ReadFile(filepath.Join(root, file)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not what is rendered; bring it up to date with: go test ./integration/manifests -update", file)
			}
		}
	}
}
