package main

import (
	"net"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/certbearer/certbearer/envoy/kubernetes"
	"github.com/certbearer/certbearer/extauthz/config"
)

// inCluster is where certbearer runs in Kubernetes, as its configuration says it.
type inCluster struct {
	service, namespace  string
	grpc, http, ops     uint16
	clients, state, tls string
}

// clusterReader reads it, and keeps what cannot be had there as faults of the file.
type clusterReader struct {
	settings *config.Config
	file     string
	faults   config.Errors
}

func (r *clusterReader) fail(key, problem string) {
	r.faults = append(r.faults, config.At(r.file, key, problem))
}

// read needs a certbearer that is reached over the network, and paths of its
// container.
func (r *clusterReader) read() inCluster {
	c := r.settings
	at := inCluster{ops: portOf(c.Listen.Ops)}
	var named bool
	if at.service, at.namespace, named = serviceOf(hostOf(c.Envoy.GRPCAddress)); !named {
		r.fail("envoy.grpcAddress", "write the name of certbearer's service, such as certbearer.NAMESPACE.svc:9191")
	}
	if at.grpc = portOf(c.Listen.GRPC); at.grpc == 0 {
		r.fail("listen.grpc", "the proxy is in another pod: write an address such as 0.0.0.0:9191, and callers")
	}
	if at.ops == 0 || !isEverywhere(c.Listen.Ops) {
		r.fail("listen.ops", "the node asks it whether the container is ready: write an address such as 0.0.0.0:9193")
	}
	at.http = r.httpPort()
	at.clients = r.inContainer("clients.directory", c.Clients.Directory)
	at.state = path.Dir(r.inContainer("keys.directory", c.Keys.Directory))
	if !strings.HasPrefix(r.inContainer("revocations.file", c.Revocations.File), at.state+"/") {
		r.fail("revocations.file", "must be in "+at.state+" or below, where what has to outlive the container is")
	}
	if problem := auditProblem(c, at.state); problem != "" {
		r.fail("audit.to", problem)
	}
	at.tls = r.tlsFolder()
	return at
}

// inContainer returns the path, which has to be one of the container. A relative
// one was resolved against the folder of the file here.
func (r *clusterReader) inContainer(key, name string) string {
	folder, err := filepath.Abs(filepath.Dir(r.file))
	if !filepath.IsAbs(name) || err == nil && strings.HasPrefix(name, folder+string(filepath.Separator)) {
		r.fail(key, "write an absolute path, that in certbearer's container")
	}
	return filepath.ToSlash(name)
}

// tlsFolder is where the secret with certbearer's certificate is mounted, for both
// of its listeners.
func (r *clusterReader) tlsFolder() string {
	callers, proxies := r.settings.Callers, r.settings.Listen.Proxies
	var files []tlsFile
	if callers.Proof == config.ProofMTLS {
		files = tlsFiles("callers", callers.Certificate, callers.Key, callers.TrustedCA)
	}
	if proxies.Certificate != "" {
		files = append(files, tlsFiles("listen.proxies", proxies.Certificate, proxies.Key, proxies.TrustedCA)...)
	}
	if files == nil {
		return ""
	}
	folder := path.Dir(r.inContainer(files[0].key, files[0].path))
	for _, file := range files {
		if wanted := path.Join(folder, file.name); filepath.ToSlash(file.path) != wanted {
			r.fail(file.key, "write "+wanted+": all come from one secret, by the names that Kubernetes has for them")
		}
	}
	return folder
}

// tlsFile is one of a secret, by its key of the configuration.
type tlsFile struct{ key, path, name string }

func tlsFiles(section, certificate, key, trustedCA string) []tlsFile {
	return []tlsFile{
		{section + ".certificate", certificate, "tls.crt"},
		{section + ".key", key, "tls.key"},
		{section + ".trustedCA", trustedCA, "ca.crt"},
	}
}

// httpPort is where keys, metadata and the endpoints are. Tokens and keys pass
// there, so it is none in the clear.
func (r *clusterReader) httpPort() uint16 {
	c := r.settings
	if portOf(c.Listen.HTTP) != 0 {
		r.fail("listen.http", "is plain HTTP and reached over a network: use listen.proxies, with a certificate")
	}
	if c.Listen.Proxies.Address == "" {
		return 0
	}
	byName := slices.ContainsFunc(c.Proxies, func(p config.Proxy) bool { return len(p.MTLS) > 0 && p.Format == config.FormatXFCC })
	if !byName {
		r.fail("proxies", "write one for the gateway, such as {name: gateway, mtls: [NAME], format: xfcc}, with the name in its certificate")
	}
	return portOf(c.Listen.Proxies.Address)
}

// workload is how certbearer runs there.
func (at inCluster) workload(text []byte, image string) kubernetes.Params {
	return kubernetes.Params{
		Namespace: at.namespace, Name: at.service, Image: image, Config: text,
		GRPCPort: at.grpc, HTTPPort: at.http, OpsPort: at.ops,
		ClientsDir: at.clients, StateDir: at.state, TLSDir: at.tls,
	}
}

// serviceOf takes NAME.NAMESPACE.svc apart, and with the domain of the cluster behind.
func serviceOf(host string) (name, namespace string, ok bool) {
	parts := strings.Split(host, ".")
	if len(parts) < 3 || parts[2] != "svc" {
		return "", "", false
	}
	return parts[0], parts[1], true
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return host
}

// portOf is 0 for what is no TCP address.
func portOf(address string) uint16 {
	_, port, err := net.SplitHostPort(address)
	if err != nil || strings.HasPrefix(address, "unix:") {
		return 0
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(number)
}

func isEverywhere(address string) bool {
	ip := net.ParseIP(hostOf(address))
	return ip != nil && !ip.IsLoopback()
}
