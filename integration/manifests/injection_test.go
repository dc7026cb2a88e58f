package manifests_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What the mesh's injector makes of the pod, without a cluster: the sidecar has the
// sockets' volume, and runs as the group that may use it.
func TestTheInjectedSidecarHasTheVolumeOfTheSockets(t *testing.T) {
	for folder := range folders {
		t.Run(folder, func(t *testing.T) {
			pod := at(injected(t, folder), "spec", "template", "spec")
			group := at(pod, "securityContext", "fsGroup")
			sidecars := 0
			for _, container := range append(objects(at(pod, "initContainers")), objects(at(pod, "containers"))...) {
				if container["name"] != "istio-proxy" {
					continue
				}
				sidecars++
				want(t, find(t, objects(container["volumeMounts"]), "sockets")["mountPath"], `"/run/certbearer"`)
				if got := at(container, "securityContext", "runAsGroup"); got == nil || got != group {
					t.Errorf("the sidecar runs as group %v, the volumes are of group %v", got, group)
				}
			}
			if sidecars != 1 {
				t.Errorf("%d sidecars", sidecars)
			}
			find(t, objects(at(pod, "volumes")), "sockets")
		})
	}
}

// injected returns the Deployment as the injector of an installation with mesh.yaml
// leaves it. A revision is given because istioctl would ask a cluster for one.
func injected(t *testing.T, folder string) map[string]any {
	t.Helper()
	installed := configMaps(t, filepath.Join(root, folder, "mesh.yaml"))
	temporary := t.TempDir()
	arguments := []string{"kube-inject", "--revision", "default", "-f", filepath.Join(root, folder, "workload.yaml")}
	for flag, text := range map[string]string{
		"--injectConfigFile": installed["istio-sidecar-injector"]["config"],
		"--valuesFile":       installed["istio-sidecar-injector"]["values"],
		"--meshConfigFile":   installed["istio"]["mesh"],
	} {
		path := filepath.Join(temporary, strings.Trim(flag, "-")+".yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, flag, path)
	}
	output, err := run(t, tool(t, "istioctl"), arguments...)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for decoder := yaml.NewDecoder(strings.NewReader(output)); ; {
		var object map[string]any
		if err := decoder.Decode(&object); err != nil {
			t.Fatalf("no Deployment: %v\n%s", err, output)
		}
		if object["kind"] == "Deployment" {
			return object
		}
	}
}
