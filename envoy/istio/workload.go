package istio

import (
	"path"

	"go.yaml.in/yaml/v3"

	"github.com/certbearer/certbearer/envoy/kubernetes"
)

// Folders of the pod that are not named by the settings.
const settingsFolder = "/etc/certbearer"

// sidecarGroup is the group of Istio's sidecar. The sockets' volume belongs to
// it, so that the sidecar may connect to them, and nobody else can.
const sidecarGroup = 1337

// workload is certbearer itself.
func workload(p Params) []manifest {
	return []manifest{
		{"Not of the ambient mesh: certbearer keeps a sidecar, because the sidecar is who\nmay reach its sockets.", named(made("v1", "Namespace", "", nil), p.Namespace)},
		{"The pod's own identity. It asks nothing of the cluster.", kubernetes.With(made("v1", "ServiceAccount", p.Namespace, nil), "automountServiceAccountToken", false)},
		{"The settings from which all of this was rendered.", kubernetes.With(made("v1", "ConfigMap", p.Namespace, nil), "data", object{kubernetes.ConfigFile: string(p.Settings)})},
		{"Keys and revoked tokens. Without them a new pod would sign with a key that istiod\nlearns of only up to 20 minutes later.", made("v1", "PersistentVolumeClaim", p.Namespace, kubernetes.Storage())},
		{"One pod, because the volume is one pod's. The ConfigMap certbearer-clients holds\nthe client documents, one a key.", made("apps/v1", "Deployment", p.Namespace, kubernetes.Deployment(ours(), metadata(p), pod(p)))},
		{"The ports are the sidecar's, which alone listens.", made("v1", "Service", p.Namespace, object{
			"selector": ours(),
			"ports":    servicePorts(p),
		})},
		{"What the sidecar receives it passes on over a Unix socket. Without a sidecar\nnothing listens, so that a pod that lost it is closed, not open.", made("networking.istio.io/v1", "Sidecar", p.Namespace, object{
			"workloadSelector": object{"labels": ours()},
			"ingress":          ingress(p),
		})},
	}
}

// metadata is that of the pod: it has a sidecar, which reaches the sockets.
func metadata(p Params) object {
	labels, annotations := ours(), object{
		"sidecar.istio.io/userVolumeMount": `{"sockets":{"mountPath":"` + volumeOf(p.GRPC) + `"}}`,
	}
	labels["sidecar.istio.io/inject"] = "true"
	if p.Proxy != "" {
		annotations["proxy.istio.io/config"] = forwardAsItCame()
	}
	return object{"labels": labels, "annotations": annotations}
}

func pod(p Params) kubernetes.Pod {
	probe := func(path string) object {
		return object{"httpGet": object{"path": path, "port": p.OpsPort}, "periodSeconds": 5}
	}
	return kubernetes.Pod{
		Name: name, Image: p.Image, ConfigDir: settingsFolder, Group: sidecarGroup, Memory: "512Mi",
		Ports: kubernetes.List{object{"name": "ops", "containerPort": p.OpsPort}},
		Ready: probe("/readyz"),
		Alive: probe("/livez"),
		Volumes: []kubernetes.Volume{
			{Name: "settings", Dir: settingsFolder, Source: kubernetes.FromConfigMap(name), Mount: kubernetes.ReadOnly()},
			{Name: "clients", Dir: p.Clients, Source: kubernetes.FromConfigMap(name + "-clients"), Mount: kubernetes.ReadOnly()},
			{Name: "state", Dir: p.State, Source: kubernetes.FromStorage(name)},
			{Name: "sockets", Dir: volumeOf(p.GRPC), Source: object{"emptyDir": object{"medium": "Memory", "sizeLimit": "1Mi"}}},
		},
	}
}

// forwardAsItCame keeps the sidecar from adding an element of its own to the
// x-forwarded-client-cert that the gateway passes on: exactly one may be there.
func forwardAsItCame() string {
	text, err := yaml.Marshal(map[string]any{"proxyHeaders": map[string]string{"forwardedClientCert": "ALWAYS_FORWARD_ONLY"}})
	if err != nil {
		panic(err) // it is a constant
	}
	return string(text)
}

// volumeOf is where the sockets' volume is mounted. Everybody in the pod may write
// to a volume's own folder, and certbearer puts no socket into such a one: it
// makes a folder within.
func volumeOf(socket string) string { return path.Dir(path.Dir(socket)) }

type port struct {
	name, protocol string
	number         int
	socket         string
}

// ports are the two of the provider in use and of certbearer's endpoints.
func ports(p Params) []port {
	provider := port{"grpc", "GRPC", grpcPort, p.GRPC}
	if p.Proxy != "" {
		provider = port{"http-authz", "HTTP", proxyPort, p.Proxy}
	}
	return []port{provider, {"http", "HTTP", httpPort, p.HTTP}}
}

func servicePorts(p Params) []object {
	var all []object
	for _, port := range ports(p) {
		all = append(all, object{"name": port.name, "port": port.number, "targetPort": port.number})
	}
	return all
}

func ingress(p Params) []object {
	var all []object
	for _, port := range ports(p) {
		all = append(all, object{
			"port":            object{"name": port.name, "protocol": port.protocol, "number": port.number},
			"defaultEndpoint": "unix://" + port.socket,
		})
	}
	return all
}
