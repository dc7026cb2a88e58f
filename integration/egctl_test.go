package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// manifestsOf is the folder of a proxy's manifests.
func manifestsOf(proxy string) string { return filepath.Join("..", "envoy", proxy) }

// egctl is Envoy Gateway's own translator, as `make verify-manifests` builds it.
func egctl(t *testing.T) string {
	t.Helper()
	tools := os.Getenv("CERTBEARER_TOOLS")
	if tools == "" {
		tools = filepath.Join("..", ".tools")
	}
	path, err := filepath.Abs(filepath.Join(tools, "bin", "egctl"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		leaveOut(t, "no egctl in "+tools+"/bin: make verify-manifests builds it")
	}
	return path
}

// translation is what Envoy Gateway would run, and what it says of the manifests.
type translation struct {
	listener, routes    part
	clusters, endpoints map[string]part
	bootstrap           part
	refused             []string // conditions that are not so, with what they are of
}

// part is a part of a JSON document.
type part = map[string]any

// printedBy is what egctl printed of manifests. It takes seconds, and the content of
// secrets, which differs from test to test, does not show in what it prints.
var printedBy sync.Map

// translate hands the manifests and secrets to egctl, which holds them to the
// schemas of their kinds first. The error is what it prints.
func translate(t *testing.T, manifests, secrets []byte) (*translation, error) {
	t.Helper()
	printed, known := printedBy.Load(string(manifests))
	if !known {
		var err error
		if printed, err = runEgctl(t, append(bytes.Clone(manifests), secrets...)); err != nil {
			return nil, err
		}
		printedBy.Store(string(manifests), printed)
	}
	var document part
	if err := json.Unmarshal(printed.([]byte), &document); err != nil {
		t.Fatal(err)
	}
	return readTranslation(t, document), nil
}

func runEgctl(t *testing.T, manifests []byte) ([]byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifests.yaml")
	if err := os.WriteFile(path, manifests, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var complaint bytes.Buffer
	command := exec.CommandContext(ctx, egctl(t), "x", "translate", "--from", "gateway-api", "--to", "gateway-api,xds", "--type", "all", "--output", "json", "--file", path)
	command.Stderr = &complaint
	printed, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("egctl: %w: %s", err, complaint.String())
	}
	return printed, nil
}

func readTranslation(t *testing.T, document part) *translation {
	t.Helper()
	out := &translation{clusters: map[string]part{}, endpoints: map[string]part{}}
	out.refused = unmet("", document)
	all, _ := document["xds"].(part)
	if len(all) != 1 {
		t.Fatalf("egctl translated %d gateways, want one; it refuses %q", len(all), out.refused)
	}
	for _, dump := range all {
		for _, config := range list(dump.(part)["configs"]) {
			out.take(config)
		}
	}
	return out
}

func (x *translation) take(config part) {
	if bootstrap, ok := config["bootstrap"].(part); ok {
		x.bootstrap = bootstrap
	}
	for _, one := range list(config["dynamicListeners"]) {
		if listener := one["activeState"].(part)["listener"].(part); at(listener, "address", "socketAddress", "protocol") != "UDP" {
			x.listener = bare(listener)
		}
	}
	for _, one := range list(config["dynamicRouteConfigs"]) {
		x.routes = bare(one["routeConfig"].(part))
	}
	for _, one := range list(config["dynamicActiveClusters"]) {
		cluster := bare(one["cluster"].(part))
		x.clusters[cluster["name"].(string)] = cluster
	}
	for _, one := range list(config["dynamicEndpointConfigs"]) {
		assignment := bare(one["endpointConfig"].(part))
		x.endpoints[assignment["clusterName"].(string)] = assignment
	}
}

// bare is a resource without the name of its type, which its place says.
func bare(resource part) part {
	delete(resource, "@type")
	return resource
}

// unmet are the conditions of a status that are false. That a policy gives way
// to one of its routes is no refusal.
func unmet(of string, value any) []string {
	var all []string
	switch value := value.(type) {
	case part:
		if metadata, ok := value["metadata"].(part); ok {
			of = fmt.Sprintf("%v %v", value["kind"], metadata["name"])
		}
		if value["status"] == "False" {
			all = append(all, fmt.Sprintf("%s: %v: %v", of, value["type"], value["message"]))
		}
		for _, member := range value {
			all = append(all, unmet(of, member)...)
		}
	case []any:
		for _, element := range value {
			all = append(all, unmet(of, element)...)
		}
	}
	return all
}

// list is a list of parts, empty for anything else.
func list(value any) []part {
	elements, _ := value.([]any)
	var all []part
	for _, element := range elements {
		if p, ok := element.(part); ok {
			all = append(all, p)
		}
	}
	return all
}

// at follows members of parts, and is nil where there are none.
func at(value any, members ...string) any {
	for _, member := range members {
		p, ok := value.(part)
		if !ok {
			return nil
		}
		value = p[member]
	}
	return value
}

// joinManifests joins files to one of several documents.
func joinManifests(t *testing.T, paths ...string) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range strings.Split("\n"+string(text), "\n---\n") {
			all.WriteString("---\n" + strings.TrimSpace(addressed(t, document)) + "\n")
		}
	}
	return all.Bytes()
}

// addressed gives a service the address that it would get from the cluster:
// egctl needs one, whichever.
func addressed(t *testing.T, document string) string {
	t.Helper()
	object := parseSettings(t, document)
	spec, ok := object["spec"].(map[string]any)
	if object["kind"] != "Service" || !ok {
		return document
	}
	spec["clusterIP"] = "10.96.0.7"
	return toJSON(t, object)
}
