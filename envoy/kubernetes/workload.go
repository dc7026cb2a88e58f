package kubernetes

import "path"

// ConfigFile is the name of the configuration in [ConfigDir].
const ConfigFile = "certbearer.yaml"

// Manifests returns the namespace, and in it the service account, the
// configuration, the storage, the deployment, the service and the network policy.
func Manifests(p Params) []Object {
	objects := []Object{
		With(Named("v1", "Namespace", "", p.Namespace), "metadata", Object{
			"name": p.Namespace,
			// The strictest of the Pod Security Standards: nothing here needs more.
			"labels": Object{"pod-security.kubernetes.io/enforce": "restricted"},
		}),
		With(Named("v1", "ServiceAccount", p.Namespace, p.Name), "automountServiceAccountToken", false),
		With(Named("v1", "ConfigMap", p.Namespace, p.Name), "data", Object{ConfigFile: string(p.Config)}),
		With(Named("v1", "PersistentVolumeClaim", p.Namespace, p.Name), "spec", Object{
			"accessModes": List{"ReadWriteOnce"},
			"resources":   Object{"requests": Object{"storage": "64Mi"}},
		}),
		With(Named("apps/v1", "Deployment", p.Namespace, p.Name), "spec", deployment(p)),
		With(Named("v1", "Service", p.Namespace, p.Name), "spec", Object{"selector": labels(p), "ports": servicePorts(p)}),
	}
	return append(objects, networkPolicy(p))
}

func labels(p Params) Object { return Object{"app.kubernetes.io/name": p.Name} }

// deployment has one replica, which ends before the next one starts: they would
// both write to the storage. More than one needs storage that nodes share.
func deployment(p Params) Object {
	return Object{
		"replicas": 1,
		"strategy": Object{"type": "Recreate"},
		"selector": Object{"matchLabels": labels(p)},
		"template": Object{
			"metadata": Object{"labels": labels(p)},
			"spec": Object{
				"serviceAccountName":           p.Name,
				"automountServiceAccountToken": false,
				"securityContext": Object{
					"runAsNonRoot": true, "runAsUser": user, "runAsGroup": user, "fsGroup": user,
					"fsGroupChangePolicy": "OnRootMismatch",
					"seccompProfile":      Object{"type": "RuntimeDefault"},
				},
				"containers": List{container(p)},
				"volumes":    volumes(p),
			},
		},
	}
}

func container(p Params) Object {
	mounts := List{}
	for _, v := range mounted(p) {
		mounts = append(mounts, Object{"name": v.name, "mountPath": v.dir, "readOnly": !v.kept})
	}
	return Object{
		"name":  p.Name,
		"image": p.Image,
		"args":  List{"serve", "--config", path.Join(ConfigDir, ConfigFile)},
		"ports": containerPorts(p),
		// The probe is the one listener that asks for no certificate.
		"readinessProbe": Object{"httpGet": Object{"path": "/readyz", "port": "ops"}, "periodSeconds": 2},
		"livenessProbe":  Object{"httpGet": Object{"path": "/livez", "port": "ops"}},
		"resources":      Object{"requests": Object{"cpu": "100m", "memory": "64Mi"}, "limits": Object{"memory": "256Mi"}},
		"securityContext": Object{
			"allowPrivilegeEscalation": false,
			"readOnlyRootFilesystem":   true,
			"capabilities":             Object{"drop": List{"ALL"}},
		},
		"volumeMounts": mounts,
	}
}

// volume is a folder of the container.
type volume struct {
	name, dir string
	source    Object
	kept      bool // and written to
}

func mounted(p Params) []volume {
	all := []volume{
		{name: "config", dir: ConfigDir, source: Object{"configMap": Object{"name": p.Name}}},
		{name: "clients", dir: p.ClientsDir, source: Object{"configMap": Object{"name": p.Name + "-clients"}}},
		{name: "state", dir: p.StateDir, source: Object{"persistentVolumeClaim": Object{"claimName": p.Name}}, kept: true},
	}
	if p.TLSDir != "" {
		all = append(all, volume{name: "tls", dir: p.TLSDir, source: Object{"secret": Object{"secretName": p.Name + "-tls", "defaultMode": 0o440}}})
	}
	return all
}

func volumes(p Params) List {
	all := List{}
	for _, v := range mounted(p) {
		all = append(all, With(v.source, "name", v.name))
	}
	return all
}

// port is one that certbearer listens on.
type port struct {
	name   string
	number uint16
	speaks string
}

// ports are those that are open. The service has no port for operators.
func ports(p Params) []port {
	var open []port
	for _, one := range []port{{"grpc", p.GRPCPort, "kubernetes.io/h2c"}, {"http", p.HTTPPort, ""}, {"ops", p.OpsPort, ""}} {
		if one.number != 0 {
			open = append(open, one)
		}
	}
	return open
}

func containerPorts(p Params) List {
	all := List{}
	for _, one := range ports(p) {
		all = append(all, Object{"name": one.name, "containerPort": one.number})
	}
	return all
}

func servicePorts(p Params) List {
	all := List{}
	for _, one := range ports(p) {
		if one.name == "ops" {
			continue
		}
		entry := Object{"name": one.name, "port": one.number, "targetPort": one.name}
		if one.speaks != "" {
			entry["appProtocol"] = one.speaks
		}
		all = append(all, entry)
	}
	return all
}

// networkPolicy is the fence in front of the proof of callers: nobody but the
// proxy's pods gets as far as the handshake. Probes come from the node, which
// network policies do not hold up.
func networkPolicy(p Params) Object {
	from := Object{
		"namespaceSelector": Object{"matchLabels": Object{"kubernetes.io/metadata.name": p.Proxy.Namespace}},
		"podSelector":       Object{"matchLabels": p.Proxy.Labels},
	}
	reached := List{}
	for _, one := range ports(p) {
		if one.name != "ops" {
			reached = append(reached, Object{"protocol": "TCP", "port": one.number})
		}
	}
	return With(Named("networking.k8s.io/v1", "NetworkPolicy", p.Namespace, p.Name), "spec", Object{
		"podSelector": Object{"matchLabels": labels(p)},
		"policyTypes": List{"Ingress", "Egress"},
		"ingress":     List{Object{"from": List{from}, "ports": reached}},
		// It calls nobody.
		"egress": List{},
	})
}
