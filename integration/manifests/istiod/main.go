// Command istiod writes what Istio would have Envoy run for the manifests of a
// folder: the listeners, routes and clusters that istiod's own code makes of them,
// for the ingress gateway's pod and for certbearer's. There is no cluster; the pods
// and services that a cluster would tell istiod of are in pods.yaml, and the JWKS that
// istiod would fetch is given to it.
//
//	istiod FOLDER JWKS OUTPUT
//
// It is a module of its own because istiod has a thousand dependencies. Its tests
// are those of integration/manifests, which reads what it writes.
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/test"
	"sigs.k8s.io/yaml"
)

// fetched is where istiod would fetch a JWKS.
var fetched = regexp.MustCompile(`(?m)^( +)jwksUri: .*$`)

//go:embed pods.yaml
var pods string

// configured is what one proxy runs, each by the names of Envoy's documentation.
type configured struct {
	Listeners []json.RawMessage `json:"listeners"`
	Routes    []json.RawMessage `json:"routes"`
	Clusters  []json.RawMessage `json:"clusters"`
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: istiod FOLDER JWKS OUTPUT")
		os.Exit(2)
	}
	all := map[string]configured{}
	err := test.Wrap(func(t test.Failer) { generate(t, os.Args[1], os.Args[2], all) })
	if err == nil {
		err = write(os.Args[3], all)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "istiod:", err)
		os.Exit(1)
	}
}

// write is not to standard output: istiod's code logs there.
func write(file string, all map[string]configured) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

func generate(t test.Failer, folder, jwks string, all map[string]configured) {
	keys, err := os.ReadFile(jwks)
	if err != nil {
		t.Fatal(err)
	}
	resources := []string{pods}
	for _, name := range []string{"workload", "access", "gateway", "verification"} {
		text, err := os.ReadFile(filepath.Join(folder, name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		resources = append(resources, fetched.ReplaceAllString(istios(string(text)), "${1}jwks: '"+strings.TrimSpace(string(keys))+"'"))
	}
	config := meshOf(t, filepath.Join(folder, "mesh.yaml"))
	istiod := core.NewConfigGenTest(t, core.TestOptions{
		MeshConfig:   config,
		ConfigString: strings.Join(resources, "\n---\n"),
	})
	for name, proxy := range proxies() {
		if name == "sidecar" {
			proxy.Metadata.ProxyConfig = annotated(t, filepath.Join(folder, "workload.yaml"), config)
		}
		proxy = istiod.SetupProxy(proxy)
		listeners := istiod.Listeners(proxy)
		all[name] = configured{
			Listeners: messages(t, listeners),
			Routes:    messages(t, istiod.RoutesFromListeners(proxy, listeners)),
			Clusters:  messages(t, istiod.Clusters(proxy)),
		}
	}
}

// proxies are the gateway's and the sidecar of certbearer's pod, as they introduce
// themselves.
func proxies() map[string]*model.Proxy {
	made := func(kind model.NodeType, namespace, address string, labels map[string]string) *model.Proxy {
		return &model.Proxy{
			Type: kind, ID: "pod." + namespace, ConfigNamespace: namespace, IPAddresses: []string{address}, Labels: labels,
			Metadata: &model.NodeMetadata{Namespace: namespace, Labels: labels, IstioVersion: "1.31.0"},
		}
	}
	return map[string]*model.Proxy{
		"gateway": made(model.Router, "istio-system", "10.0.0.1", map[string]string{"istio": "ingressgateway"}),
		"sidecar": made(model.SidecarProxy, "certbearer", "10.0.0.2", map[string]string{"app.kubernetes.io/name": "certbearer"}),
	}
}

// annotated is what a pod's annotation says of its sidecar, over what the mesh has.
func annotated(t test.Failer, file string, config *meshconfig.MeshConfig) *model.NodeMetaProxyConfig {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range strings.Split(string(text), "\n---\n") {
		var deployment struct {
			Kind string
			Spec struct {
				Template struct {
					Metadata struct{ Annotations map[string]string }
				}
			}
		}
		if err := yaml.Unmarshal([]byte(document), &deployment); err != nil {
			t.Fatal(err)
		}
		said, found := deployment.Spec.Template.Metadata.Annotations["proxy.istio.io/config"]
		if !found {
			continue
		}
		config, err = mesh.ApplyProxyConfig(said, config)
		if err != nil {
			t.Fatal(err)
		}
	}
	return (*model.NodeMetaProxyConfig)(config.DefaultConfig)
}

// istios leaves out the kinds that are Kubernetes' own: pods.yaml stands for what
// they would come to.
func istios(text string) string {
	var kept []string
	for _, document := range strings.Split(text, "\n---\n") {
		if strings.Contains(document, "\napiVersion: ") && strings.Contains(document, ".istio.io/") {
			kept = append(kept, document)
		}
	}
	return strings.Join(kept, "\n---\n")
}

func meshOf(t test.Failer, file string) *meshconfig.MeshConfig {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var operator struct {
		Spec struct{ MeshConfig json.RawMessage }
	}
	if err := yaml.Unmarshal(text, &operator); err != nil {
		t.Fatal(err)
	}
	config, err := mesh.ApplyMeshConfigDefaults(string(operator.Spec.MeshConfig))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func messages[M proto.Message](t test.Failer, all []M) []json.RawMessage {
	out := []json.RawMessage{}
	for _, m := range all {
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	return out
}
