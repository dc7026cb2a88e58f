package manifests_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	meshv1 "istio.io/api/mesh/v1alpha1"
	networkingv3 "istio.io/api/networking/v1alpha3"
	securityv1 "istio.io/api/security/v1beta1"
)

// specs are the types of the specs that are decoded, by apiVersion and kind.
func specs() map[string]proto.Message {
	return map[string]proto.Message{
		"networking.istio.io/v1 Gateway":             &networkingv3.Gateway{},
		"networking.istio.io/v1 VirtualService":      &networkingv3.VirtualService{},
		"networking.istio.io/v1 Sidecar":             &networkingv3.Sidecar{},
		"networking.istio.io/v1alpha3 EnvoyFilter":   &networkingv3.EnvoyFilter{},
		"security.istio.io/v1 PeerAuthentication":    &securityv1.PeerAuthentication{},
		"security.istio.io/v1 RequestAuthentication": &securityv1.RequestAuthentication{},
		"security.istio.io/v1 AuthorizationPolicy":   &securityv1.AuthorizationPolicy{},
	}
}

// decoded reports whether the document is of a kind that strict knows.
func decoded(d document) bool {
	return specs()[apiVersion(d)+" "+d.kind] != nil || d.kind == "IstioOperator"
}

func apiVersion(d document) string { return fmt.Sprint(d.fields["apiVersion"]) }

// strict decodes a document of Istio's with the types of its API, and what is in
// it of Envoy's with Envoy's. An unknown field is an error at any depth.
func strict(d document) error {
	if d.kind == "IstioOperator" {
		return strictMesh(d.fields["spec"])
	}
	spec := specs()[apiVersion(d)+" "+d.kind]
	if spec == nil {
		return fmt.Errorf("%s %s is not known here", apiVersion(d), d.kind)
	}
	if extra := slices.DeleteFunc(slices.Collect(maps.Keys(d.fields)), func(key string) bool {
		return slices.Contains([]string{"apiVersion", "kind", "metadata", "spec"}, key)
	}); len(extra) > 0 {
		return fmt.Errorf("unknown field %v", extra)
	}
	if err := unmarshal(d.fields["spec"], spec); err != nil {
		return err
	}
	if filter, ok := spec.(*networkingv3.EnvoyFilter); ok {
		return strictPatches(filter)
	}
	return nil
}

// strictMesh decodes the mesh's configuration, the one field that we set.
func strictMesh(spec any) error {
	fields, _ := spec.(map[string]any)
	for key := range fields {
		if key != "meshConfig" {
			return fmt.Errorf("unknown field %q", key)
		}
	}
	var mesh meshv1.MeshConfig
	if err := unmarshal(fields["meshConfig"], &mesh); err != nil {
		return err
	}
	if len(mesh.ExtensionProviders) == 0 {
		return fmt.Errorf("no extension provider")
	}
	return nil
}

// strictPatches decodes each patch with the type of what it is applied to.
func strictPatches(filter *networkingv3.EnvoyFilter) error {
	for i, patch := range filter.ConfigPatches {
		var target proto.Message
		switch patch.ApplyTo {
		case networkingv3.EnvoyFilter_FILTER_CHAIN:
			target = &listenerv3.FilterChain{}
		case networkingv3.EnvoyFilter_NETWORK_FILTER:
			target = &listenerv3.Filter{}
		case networkingv3.EnvoyFilter_HTTP_FILTER:
			target = &hcmv3.HttpFilter{}
		default:
			return fmt.Errorf("configPatches[%d]: applyTo %s is not known here", i, patch.ApplyTo)
		}
		if err := unmarshal(patch.Patch.Value.AsMap(), target); err != nil {
			return fmt.Errorf("configPatches[%d]: %w", i, err)
		}
	}
	return nil
}

func unmarshal(fields any, into proto.Message) error {
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(text, into)
}

var istioFolders = []string{"envoy/istio/*.yaml", "envoy/istio/http/*.yaml"}

func TestEveryFieldOfTheManifestsIsOneOfIstiosOrEnvoysAPI(t *testing.T) {
	kinds := map[string]bool{}
	for _, d := range allOf(t, istioFolders...) {
		if !decoded(d) {
			if group, _, grouped := strings.Cut(apiVersion(d), "/"); grouped && strings.Contains(group, "istio.io") {
				t.Errorf("%s: %s is not decoded", d, apiVersion(d))
			}
			continue // Kubernetes' own: kubeconform checks them
		}
		kinds[d.kind] = true
		if err := strict(d); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	if len(kinds) != len(specs())+1 {
		t.Errorf("only %v are in the manifests", slices.Sorted(maps.Keys(kinds)))
	}
}

func TestNoFieldOfThemCanBeMisspelledUnseen(t *testing.T) {
	for _, d := range allOf(t, istioFolders...) {
		if !decoded(d) {
			continue
		}
		count := 0
		for _, wrong := range misspellings(d) {
			count++
			if strict(wrong.document) == nil {
				t.Errorf("%s: %s is misspelled and nothing is said", d, wrong.path)
			}
		}
		if count < 3 {
			t.Errorf("%s: only %d fields", d, count)
		}
	}
}

// The resources of a service that verifies its token, in the page for services.
func TestTheResourcesInThePageForUpstreamsAreOfIstiosAPI(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "upstreams.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Istio\n")
	_, block, fenced := strings.Cut(section, "```yaml\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !fenced || !closed {
		t.Fatal("no resources in the page")
	}
	all := read(t, "docs/upstreams.md", []byte(block))
	if len(all) != 2 {
		t.Fatalf("%d documents", len(all))
	}
	for _, d := range all {
		if err := strict(d); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
}

// What the pod asks of its sidecar stands in an annotation, as text.
func TestThePodsOwnProxyConfigurationIsOfIstiosAPI(t *testing.T) {
	read := 0
	for _, d := range allOf(t, "envoy/istio/http/workload.yaml") {
		if d.kind != "Deployment" {
			continue
		}
		text := at(d.fields, "spec", "template", "metadata", "annotations", "proxy.istio.io/config")
		var fields map[string]any
		if err := yaml.Unmarshal([]byte(fmt.Sprint(text)), &fields); err != nil {
			t.Fatal(err)
		}
		var config meshv1.ProxyConfig
		if err := unmarshal(fields, &config); err != nil {
			t.Error(err)
		}
		if got := config.ProxyHeaders.GetForwardedClientCert(); got != meshv1.ForwardClientCertDetails_ALWAYS_FORWARD_ONLY {
			t.Errorf("the sidecar would treat x-forwarded-client-cert as %s", got)
		}
		read++
	}
	if read != 1 {
		t.Errorf("%d Deployments", read)
	}
}

// at follows keys through mappings.
func at(value any, keys ...string) any {
	for _, key := range keys {
		fields, _ := value.(map[string]any)
		value = fields[key]
	}
	return value
}
