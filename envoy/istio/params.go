// Package istio owns the manifests that put certbearer behind an Istio ingress
// gateway: the gateway asks for a client certificate without judging it, asks
// certbearer about every request, and verifies the token that it gave.
// [Params] goes in; [Files] come out, as YAML to install and apply.
//
// What each promises is written down where it is made: the mesh's provider in
// mesh.go, certbearer's own pod and who may reach it in workload.go and access.go,
// the gateway in gateway.go and envoyfilter.go, the check of the token in
// verification.go. The same Params give the same bytes. Nothing here reads a file.
package istio

import (
	"time"

	"github.com/certbearer/certbearer/envoy"
)

// Params says what the manifests are made of. The zero value of a field is not
// replaced by a default: package config has those.
type Params struct {
	// Namespace is where certbearer runs, Image what its pod runs.
	Namespace string
	Image     string
	// TrustDomain is that of the mesh's SPIFFE identities, ClusterDomain the suffix
	// of the cluster's services; both are most often cluster.local.
	TrustDomain   string
	ClusterDomain string

	Gateway Gateway
	// Hosts are what the gateway serves: DNS names, or "*.example.com".
	Hosts []string
	// CredentialName is the Secret of the gateway's certificate, in its namespace;
	// that of the placeholder CA has "-cacert" behind it.
	CredentialName string
	// Upstream is where admitted requests go.
	Upstream Upstream

	// Issuer and Audiences are those of the injected tokens.
	Issuer    string
	Audiences []string

	// Settings is the text of certbearer.yaml, which goes into a ConfigMap as it is.
	// The other fields must say the same.
	Settings []byte
	// GRPC, HTTP and Proxy are the paths of the Unix sockets on which certbearer
	// serves checks, its endpoints with the JWKS, and the HTTP provider. All lie in
	// one folder. HTTP is never empty. Proxy is empty for the gRPC provider, and
	// set for the HTTP provider.
	GRPC, HTTP, Proxy string
	// OpsPort is the port of health and metrics.
	OpsPort uint16
	// Clients is the folder of client documents, State a folder that keeps its
	// files: those of the keys and of the revoked tokens lie in it.
	Clients, State string

	// Timeout is the longest a check may take.
	Timeout time.Duration
	// Routes are certbearer's, in its order.
	Routes []Route
	// Unverified, if not empty, says why some requests reach the upstream without a
	// token of ours: there is then no manifest that asks for one.
	Unverified string
}

// Gateway is the ingress gateway whose callers show certificates.
type Gateway struct {
	Namespace string
	// Selector holds labels of its pods.
	Selector       map[string]string
	ServiceAccount string
	Port           uint16
}

// Upstream is a service of the mesh, which the mesh reaches by mTLS.
type Upstream struct {
	Host string
	Port uint16
}

// Route is one entry of certbearer's routes.
type Route struct {
	// Host is "*", "*.example.com" or a name without a port.
	Host string
	// PathPrefix matches whole segments; of an envoy.OwnEndpoint it is the whole path.
	PathPrefix string
	// Methods, upper case. Empty: any.
	Methods []string
	Access  envoy.Access
}

// Ports of certbearer's Service. They are the mesh's: the pod itself listens on
// Unix sockets.
const (
	grpcPort  = 9191
	httpPort  = 8081
	proxyPort = 8082
)

// name is what every object is called, and the label of the pod.
const name = "certbearer"

const (
	jwksPath     = "/.well-known/jwks.json"
	metadataPath = "/.well-known/oauth-authorization-server"
	xfcc         = "x-forwarded-client-cert"
)

// service is certbearer's Service by its full name, as the mesh wants it.
func (p Params) service() string { return name + "." + p.Namespace + ".svc." + p.ClusterDomain }

// gatewayPrincipal is who the gateway is within the mesh.
func (p Params) gatewayPrincipal() string {
	return p.TrustDomain + "/ns/" + p.Gateway.Namespace + "/sa/" + p.Gateway.ServiceAccount
}
