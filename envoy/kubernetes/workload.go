package kubernetes

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
		With(Named("v1", "PersistentVolumeClaim", p.Namespace, p.Name), "spec", Storage()),
		With(Named("apps/v1", "Deployment", p.Namespace, p.Name), "spec", Deployment(labels(p), Object{"labels": labels(p)}, pod(p))),
		With(Named("v1", "Service", p.Namespace, p.Name), "spec", Object{"selector": labels(p), "ports": servicePorts(p)}),
	}
	return append(objects, networkPolicy(p))
}

func labels(p Params) Object { return Labels(p.Name) }

// pod is certbearer's. The probe is the one listener that asks for no certificate.
func pod(p Params) Pod {
	return Pod{
		Name: p.Name, Image: p.Image, ConfigDir: ConfigDir, Memory: "256Mi",
		Ports:   containerPorts(p),
		Ready:   Object{"httpGet": Object{"path": "/readyz", "port": "ops"}, "periodSeconds": 2},
		Alive:   Object{"httpGet": Object{"path": "/livez", "port": "ops"}},
		Volumes: volumes(p),
	}
}

func volumes(p Params) []Volume {
	all := []Volume{
		{"config", ConfigDir, FromConfigMap(p.Name), ReadOnly()},
		{"clients", p.ClientsDir, FromConfigMap(p.Name + "-clients"), ReadOnly()},
		{"state", p.StateDir, FromStorage(p.Name), Object{"readOnly": false}},
	}
	if p.TLSDir != "" {
		all = append(all, Volume{"tls", p.TLSDir, Object{"secret": Object{"secretName": p.Name + "-tls", "defaultMode": 0o440}}, ReadOnly()})
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
