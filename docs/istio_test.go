package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What step 1 has a person type makes what the later steps take, and a document
// that has no fault.
func TestTheCertificatesOfTheIstioPageAreMade(t *testing.T) {
	for _, tool := range []string{"bash", "openssl", "awk"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skipf("left out: there is no %s", tool)
		}
	}
	text := read(t, "docs/istio.md")
	blocks := fenced(between(t, text, "<!-- istio made here -->", "<!-- /istio made here -->"), "sh")
	if len(blocks) != 1 {
		t.Fatalf("%d blocks", len(blocks))
	}
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), "bash", "-e", "-u", "-o", "pipefail", "-c", blocks[0])
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, taken := range regexp.MustCompile(`(?:--cert|--key|--cacert|--from-file|--from-file=ca\.crt)[= ](\S+)`).FindAllStringSubmatch(text, -1) {
		name := strings.TrimPrefix(taken[1], "ca.crt=")
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Errorf("a later step takes %s, which step 1 has not made", name)
		}
	}
	clients := filepath.Join(folder, "clients")
	if err := os.Mkdir(clients, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(folder, "my-client.json"), filepath.Join(clients, "my-client.json")); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(folder, "certbearer.yaml")
	if err := os.WriteFile(settings, []byte("issuer: https://gateway.example\naudience: https://orders.example\nlisten: {grpc: \"unix:x.sock\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), certbearer(t), "clients", "check", "--config", settings).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// The page applies every manifest, and makes what the manifests take for granted.
func TestTheIstioPageAppliesTheManifestsInTheRepository(t *testing.T) {
	commands := strings.Join(fenced(read(t, "docs/istio.md"), "sh"), "\n")
	files, err := filepath.Glob(filepath.Join(root, "envoy", "istio", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == "certbearer.yaml" })
	if len(files) < 5 {
		t.Fatalf("only %v", files)
	}
	for _, file := range files {
		if name := "-f envoy/istio/" + filepath.Base(file); strings.Count(commands, name) != 1 {
			t.Errorf("the page has not once %s", name)
		}
	}
	for _, named := range regexp.MustCompile(`-f (envoy/\S+)`).FindAllStringSubmatch(commands, -1) {
		if _, err := os.Stat(filepath.Join(root, named[1])); err != nil {
			t.Error(err)
		}
	}
	gateway, workload := read(t, "envoy/istio/gateway.yaml"), read(t, "envoy/istio/workload.yaml")
	for made, place := range map[string]string{
		"secret tls certbearer-gateway -n istio-system":            gateway,
		"secret generic certbearer-gateway-cacert -n istio-system": gateway,
		"configmap certbearer-clients -n certbearer":               workload,
	} {
		name := strings.Fields(made[strings.Index(made, "certbearer-"):])[0]
		if !strings.Contains(commands, "create "+made) || !strings.Contains(place, name) {
			t.Errorf("%s is not made on the page, or not used", made)
		}
	}
}
