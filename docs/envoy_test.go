package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/envoy/envoytest"
)

// The snippets stand in a configuration that is as small as may be.
const (
	aroundManager = `static_resources:
  listeners:
  - name: yours
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: yours
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                direct_response: {status: 204}
`
	aroundRoute   = "\n                "
	inManager     = "          "
	aroundCluster = "  clusters:\n  - "
	inCluster     = "    "
)

func TestTheSnippetsForAnEnvoyOfOnesOwnAreValid(t *testing.T) {
	binary := envoytest.Binary(t)
	text := read(t, "docs/envoy.md")
	manager := onlyBlock(t, between(t, text, "<!-- envoy-snippet -->", "<!-- /envoy-snippet -->"))
	cluster := onlyBlock(t, between(t, text, "<!-- envoy-cluster -->", "<!-- /envoy-cluster -->"))
	route := fenced(section(t, text, "## Routes"), "yaml")
	named := strings.TrimSuffix(aroundManager, "\n") + aroundRoute + indent(route[len(route)-1], strings.TrimPrefix(aroundRoute, "\n")) + "\n"
	whole := named + inManager + indent(manager, inManager) + "\n" + aroundCluster + indent(cluster, inCluster) + "\n"
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := binary.Validate(t.Context(), path); err != nil {
		t.Errorf("%v\n%s", err, whole)
	}
}

func onlyBlock(t *testing.T, text string) string {
	t.Helper()
	blocks := fenced(text, "yaml")
	if len(blocks) != 1 {
		t.Fatalf("%d blocks", len(blocks))
	}
	return blocks[0]
}

// The filter over HTTP stands where the one over gRPC does.
func TestTheSnippetForChecksOverHTTPIsValid(t *testing.T) {
	binary := envoytest.Binary(t)
	text := read(t, "docs/envoy.md")
	snippet := onlyBlock(t, between(t, text, "<!-- envoy-http -->", "<!-- /envoy-http -->"))
	manager := onlyBlock(t, between(t, text, "<!-- envoy-snippet -->", "<!-- /envoy-snippet -->"))
	const overGRPC = `    grpc_service:
      envoy_grpc: {cluster_name: certbearer-grpc}
      timeout: 0.5s
    include_peer_certificate: true
`
	if !strings.Contains(manager, overGRPC) {
		t.Fatal("the page's filter is another one")
	}
	manager = strings.Replace(manager, overGRPC, "    "+indent(snippet, "    ")+"\n", 1)
	cluster := strings.NewReplacer("certbearer-grpc", "certbearer-over-http").Replace(onlyBlock(t, between(t, text, "<!-- envoy-cluster -->", "<!-- /envoy-cluster -->")))
	whole := strings.TrimSuffix(aroundManager, "\n") + "\n" + inManager + indent(manager, inManager) + "\n" + aroundCluster + indent(cluster, inCluster) + "\n"
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := binary.Validate(t.Context(), path); err != nil {
		t.Errorf("%v\n%s", err, whole)
	}
}

// indent moves every line but the first to the right.
func indent(text, by string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by)
}
