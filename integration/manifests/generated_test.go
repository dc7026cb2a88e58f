package manifests_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// generated is what istiod's own code has a proxy run.
type generated struct{ Listeners, Routes, Clusters []map[string]any }

// generate has istiod's code make the configuration of the gateway and of the
// sidecar beside certbearer from the manifests of a folder, with the key set in a
// file.
func generate(t *testing.T, folder, keySet string) (gateway, sidecar generated) {
	t.Helper()
	output := filepath.Join(t.TempDir(), "istiod.json")
	if printed, err := run(t, tool(t, "istiod"), filepath.Join(root, folder), keySet, output); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]generated
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all["gateway"], all["sidecar"]
}

// noKeys is a file with an empty key set.
func noKeys(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, []byte(`{"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// find returns the object of a name; the test ends if there is none.
func find(t *testing.T, all []map[string]any, name string) map[string]any {
	t.Helper()
	for _, one := range all {
		if one["name"] == name {
			return one
		}
	}
	t.Fatalf("istiod has made no %s", name)
	return nil
}

// objects returns the mappings in a list.
func objects(value any) []map[string]any {
	var all []map[string]any
	items, _ := value.([]any)
	for _, item := range items {
		if one, ok := item.(map[string]any); ok {
			all = append(all, one)
		}
	}
	return all
}

// manager returns the connection manager of a filter chain.
func manager(t *testing.T, chain map[string]any) map[string]any {
	t.Helper()
	return find(t, objects(chain["filters"]), "envoy.filters.network.http_connection_manager")["typed_config"].(map[string]any)
}

// folders are those of the manifests, with the port on which checks arrive.
var folders = map[string]string{"envoy/istio": "9191", "envoy/istio/http": "8082"}

func TestIstiodMakesTheGatewayAskAsTheManifestsMeanIt(t *testing.T) {
	for folder, port := range folders {
		t.Run(folder, func(t *testing.T) {
			gateway, _ := generate(t, folder, noKeys(t))
			chains := objects(gateway.Listeners[0]["filter_chains"])
			if len(gateway.Listeners) != 1 || len(chains) != 1 {
				t.Fatalf("%d listeners, %d chains in the first", len(gateway.Listeners), len(chains))
			}
			validation := at(chains[0], "transport_socket", "typed_config", "common_tls_context", "combined_validation_context")
			want(t, at(validation, "default_validation_context"), `{"suppress_client_ca_list":true,"trust_chain_verification":"ACCEPT_UNTRUSTED"}`)
			want(t, at(validation, "validation_context_sds_secret_config", "name"), `"kubernetes://certbearer-gateway-cacert"`)
			m := manager(t, chains[0])
			want(t, m["forward_client_cert_details"], `"SANITIZE_SET"`)
			want(t, m["set_current_client_cert_details"], `{"cert":true,"chain":true,"dns":true,"subject":true,"uri":true}`)
			want(t, m["path_with_escaped_slashes_action"], `"REJECT_REQUEST"`)
			if len(objects(m["early_header_mutation_extensions"])) != 1 {
				t.Error("callers' headers are not taken off")
			}
			var order []string
			for _, filter := range objects(m["http_filters"]) {
				order = append(order, filter["name"].(string))
			}
			var met []string
			for _, name := range order {
				if slices.Contains([]string{"envoy.filters.http.ext_authz", "envoy.filters.http.jwt_authn", "envoy.filters.http.cors"}, name) {
					met = append(met, strings.TrimPrefix(name, "envoy.filters.http."))
				}
			}
			if !slices.Equal(met, []string{"ext_authz", "jwt_authn", "cors"}) {
				t.Errorf("the filters are %v", order)
			}
			asks := find(t, objects(m["http_filters"]), "envoy.filters.http.ext_authz")["typed_config"]
			want(t, at(asks, "validate_mutations"), "true")
			want(t, at(asks, "status_on_error"), `{"code":"ServiceUnavailable"}`)
			want(t, at(asks, "failure_mode_allow"), "null") // false is left out
			text, err := json.Marshal(asks)
			if err != nil || !strings.Contains(string(text), `"outbound|`+port+`||certbearer.certbearer.svc.cluster.local"`) || !strings.Contains(string(text), `"timeout":"0.500s"`) {
				t.Errorf("%v: asks as %s", err, text)
			}
		})
	}
}

func TestIstiodHasTheSidecarLetOnlyTheGatewayReachTheSockets(t *testing.T) {
	for folder, port := range folders {
		t.Run(folder, func(t *testing.T) {
			_, sidecar := generate(t, folder, noKeys(t))
			for _, cluster := range sidecar.Clusters {
				name := cluster["name"].(string)
				if strings.HasPrefix(name, "inbound|") && !strings.HasPrefix(pipe(cluster), "/run/certbearer/sockets/") {
					t.Errorf("%s leads to no socket: %v", name, cluster["load_assignment"])
				}
			}
			seen := map[string]int{}
			for _, chain := range objects(find(t, sidecar.Listeners, "virtualInbound")["filter_chains"]) {
				number, _ := at(chain, "filter_chain_match", "destination_port").(float64)
				to := json.Number(jsonOf(t, number)).String()
				if to != port && to != "8081" {
					continue
				}
				seen[to]++
				if tls := chain["transport_socket"]; tls == nil && to == port {
					t.Errorf("port %s takes plain connections", to)
				} else if tls != nil {
					want(t, at(tls, "typed_config", "require_client_certificate"), "true")
				}
				m := manager(t, chain)
				rules := at(find(t, objects(m["http_filters"]), "envoy.filters.http.rbac"), "typed_config", "rules", "policies")
				text := jsonOf(t, rules)
				if !strings.Contains(text, `"exact":"spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"`) || len(rules.(map[string]any)) != 2 {
					t.Errorf("port %s: %s", to, text)
				}
				if folder == "envoy/istio/http" {
					want(t, m["forward_client_cert_details"], `"ALWAYS_FORWARD_ONLY"`)
				}
			}
			if seen[port] == 0 || seen["8081"] == 0 {
				t.Errorf("the sidecar listens on %v", seen)
			}
		})
	}
}

// pipe returns the socket of a cluster's first endpoint.
func pipe(cluster map[string]any) string {
	for _, locality := range objects(at(cluster["load_assignment"], "endpoints")) {
		for _, endpoint := range objects(locality["lb_endpoints"]) {
			path, _ := at(endpoint, "endpoint", "address", "pipe", "path").(string)
			return path
		}
	}
	return ""
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func want(t *testing.T, value any, text string) {
	t.Helper()
	if got := jsonOf(t, value); got != text {
		t.Errorf("got %s, want %s", got, text)
	}
}
