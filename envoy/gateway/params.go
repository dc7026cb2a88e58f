// Package gateway owns the manifests by which Envoy Gateway asks for a client
// certificate without judging it, has certbearer decide every request, and takes
// off what a caller could forge. [Params] goes in; [Object]s come out, made of
// Envoy Gateway's own fields and the Gateway API's. [Patch] is the one that goes
// past them.
//
// What the listener promises is written down where each promise is kept: TLS and
// headers in listener.go, the question to certbearer in security.go, the order
// of routes in routes.go. Nothing here reads a file.
package gateway

import (
	"fmt"
	"time"

	"github.com/certbearer/certbearer/envoy/kubernetes"
)

// Object is a Kubernetes object, or a part of one.
type Object = kubernetes.Object

// List is a list of parts.
type List = kubernetes.List

// Params says what the manifests are made of.
type Params struct {
	// Namespace is where everything is: the Gateway, its policies and certbearer.
	Namespace string
	// Port is the one the Gateway listens on.
	Port uint16

	// Certbearer is its service. GRPCPort is asked for decisions, HTTPPort for keys,
	// metadata and the endpoints, 0 for none.
	Certbearer string
	GRPCPort   uint16
	HTTPPort   uint16
	// ServerName is a DNS name of certbearer's certificate.
	ServerName string
	// Timeout is the longest that a check may take.
	Timeout time.Duration

	// Upstream is the service behind the gateway.
	Upstream Service

	// Routes are tried in order, the first match wins, as the Gateway API can say it.
	Routes []Route
	// Endpoints are the exact paths of certbearer's own.
	Endpoints []string
	// JWT, when set, has the gateway verify the injected token with the JWKS.
	JWT *JWT

	// Remove and RemovePrefixes are headers of callers that nobody gets to see.
	Remove         []string
	RemovePrefixes []string
	// SignatureAlgorithms and Ciphers are those of TLS.
	SignatureAlgorithms []string
	Ciphers             []string
}

// Service is a Kubernetes service.
type Service struct {
	Name      string
	Namespace string
	Port      uint16
}

// JWT is what the gateway's own check of the injected token demands.
type JWT struct {
	Issuer    string
	Audiences []string
}

// Route is one entry of certbearer's routes, those to its endpoints aside.
type Route struct {
	// Index is its place in certbearer.yaml, for a [RouteError].
	Index int
	// Name is told to certbearer as the context extension certbearer.route.
	Name string
	// Host is a DNS name, or "*.example.com" for every name below one. Empty: any.
	Host string
	// PathPrefix matches whole segments. Empty: "/".
	PathPrefix string
	// Methods, upper case. Empty: any.
	Methods []string
	// Public: it carries no token. Preflight: so it does, and covers CORS preflights
	// only.
	Public    bool
	Preflight bool
}

// RouteError says what the Gateway API cannot say of a route.
type RouteError struct {
	// Index is that of the route.
	Index int
	// Field is the one of certbearer.yaml below the route, such as "match.host".
	Field string
	// Problem says what is wrong, and what to write instead.
	Problem string
}

// Error names the route.
func (e *RouteError) Error() string {
	return fmt.Sprintf("gateway: routes[%d].%s: %s", e.Index, e.Field, e.Problem)
}

// Name is what the objects are called of which there is one.
const Name = "certbearer"

// name is Name, where a variable may be called so too.
const name = Name

// ClientSecret is the TLS secret by whose certificate the gateway proves itself to
// certbearer, ServerSecret that of its own, and CAConfigMap holds the CA of
// certbearer's, as ca.crt.
const (
	ClientSecret = "certbearer-gateway"
	ServerSecret = "gateway-tls"
	CAConfigMap  = "certbearer-ca"
)

// The API groups.
const (
	gatewayAPI = "gateway.networking.k8s.io"
	envoyAPI   = "gateway.envoyproxy.io"
	standard   = gatewayAPI + "/v1"
	extended   = envoyAPI + "/v1alpha1"
)

// ProxyLabels are those of the gateway's pods, whose Gateway is in the namespace.
func ProxyLabels(namespace string) map[string]string {
	return map[string]string{
		envoyAPI + "/owning-gateway-name":      name,
		envoyAPI + "/owning-gateway-namespace": namespace,
	}
}

func (p Params) object(apiVersion, kind, name string, spec Object) Object {
	return kubernetes.With(kubernetes.Named(apiVersion, kind, p.Namespace, name), "spec", spec)
}
