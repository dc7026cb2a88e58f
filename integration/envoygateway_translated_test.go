package integration_test

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// ordersService is what the manifests lead to and leave to the operator.
const ordersService = `
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec:
  selector: {app: orders}
  ports: [{name: http, port: 8080}]
  clusterIP: 10.96.0.8
`

// translateGateway translates the manifests of a folder, and holds that Envoy
// Gateway accepts every one of them.
func (w *world) translateGateway(t *testing.T, folder string, secrets []secret, more ...string) *translation {
	t.Helper()
	var paths []string
	for _, name := range append([]string{"workload.yaml", "gateway.yaml", "routes.yaml"}, more...) {
		paths = append(paths, filepath.Join(folder, name))
	}
	all := append(joinManifests(t, paths...), ordersService...)
	var made []byte
	for _, s := range secrets {
		made = append(made, s.manifest()...)
	}
	translated, err := translate(t, all, made)
	if err != nil {
		t.Fatal(err)
	}
	if len(translated.refused) > 0 {
		t.Fatalf("Envoy Gateway refuses:\n%s", strings.Join(translated.refused, "\n"))
	}
	return translated
}

// placeTranslated writes what Envoy Gateway made of the manifests as a bootstrap
// for one Envoy without a cluster around it. What it changes, all of it:
//
//   - What the gateway would be asked for over xDS stands in the file itself, because
//     no gateway runs: the listener, its routes (rds), the clusters and their
//     endpoints (eds). A secret (sds over ads) is a file, with the same content.
//   - Addresses: the listener's is loopback and a port of the system's choice, and
//     the endpoints of a service, found by its name and port, are our processes.
//   - The time of a check is 10 s in the place of 500 ms: the machine may be busy.
//     That it was 500 ms is held.
//   - Of the gateway's own bootstrap, its connection to the gateway, its Prometheus
//     listener and its admin address are left out; runtime and overload manager stay.
func (w *world) placeTranslated(t *testing.T, x *translation, secrets []secret) string {
	t.Helper()
	services := map[string]string{
		"certbearer/certbearer/9191": w.grpc,
		"certbearer/certbearer/9192": w.serve.addresses(t)[1],
		"shop/orders/8080":           w.upstream.address,
	}
	var clusters []any
	for name, cluster := range x.clusters {
		delete(cluster, "edsClusterConfig")
		cluster["type"] = "STATIC"
		cluster["loadAssignment"] = placedEndpoints(t, x.endpoints[name], services)
		clusters = append(clusters, cluster)
	}
	x.listener["address"] = part{"socketAddress": part{"address": "127.0.0.1", "portValue": 0}}
	eachPart(x.listener, func(p part) {
		if p["rds"] != nil {
			delete(p, "rds")
			p["routeConfig"] = x.routes
		}
		if service, ok := p["grpcService"].(part); ok && at(service, "envoyGrpc") != nil {
			if service["timeout"] != "0.500s" {
				t.Errorf("a check may take %v", service["timeout"])
			}
			service["timeout"] = "10s"
		}
	})
	bootstrap := part{
		"node":            part{"id": "gateway", "cluster": "gateway"},
		"admin":           part{"address": part{"socketAddress": part{"address": "127.0.0.1", "portValue": 0}}},
		"layeredRuntime":  x.bootstrap["layeredRuntime"],
		"overloadManager": x.bootstrap["overloadManager"],
		"staticResources": part{"listeners": []any{x.listener}, "clusters": clusters},
	}
	w.placeSecrets(t, bootstrap, secrets)
	return w.writeJSON(t, "envoy-translated.json", bootstrap)
}

// placedEndpoints has the endpoints of a service where they are in this test.
func placedEndpoints(t *testing.T, assignment part, services map[string]string) part {
	t.Helper()
	for _, locality := range list(assignment["endpoints"]) {
		of := list(at(locality, "metadata", "filterMetadata", "envoy-gateway", "resources"))
		if len(of) != 1 {
			t.Fatalf("endpoints of %d services in %v", len(of), assignment["clusterName"])
		}
		name := of[0]["namespace"].(string) + "/" + of[0]["name"].(string) + "/" + of[0]["sectionName"].(string)
		host, port, err := net.SplitHostPort(services[name])
		if err != nil {
			t.Fatalf("the manifests lead to %s, where nobody is: %v", name, err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		for _, endpoint := range list(locality["lbEndpoints"]) {
			endpoint["endpoint"].(part)["address"] = part{"socketAddress": part{"address": host, "portValue": number}}
		}
	}
	return assignment
}

func (w *world) writeJSON(t *testing.T, name string, value any) string {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.folder, name)
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// eachPart calls do for every part, outer ones first.
func eachPart(value any, do func(part)) {
	switch value := value.(type) {
	case part:
		do(value)
		for _, member := range value {
			eachPart(member, do)
		}
	case []any:
		for _, element := range value {
			eachPart(element, do)
		}
	}
}
