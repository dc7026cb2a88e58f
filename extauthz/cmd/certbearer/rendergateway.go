package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/certbearer/certbearer/envoy"
	envoygateway "github.com/certbearer/certbearer/envoy/gateway"
	"github.com/certbearer/certbearer/envoy/kubernetes"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
)

type renderGatewayCommand struct {
	configFlag
	OutputDir string `help:"Write the files into this folder, replacing them, instead of printing them as one. It is made where there is none." placeholder:"DIR"`
	Image     string `help:"The image of certbearer's container (default: ${default})." default:"certbearer:dev" placeholder:"IMAGE"`
	Proxies   string `help:"The namespace in which Envoy Gateway runs its proxies (default: ${default})." default:"envoy-gateway-system" placeholder:"NAMESPACE"`
	Patch     bool   `help:"Write patch.yaml too, the EnvoyPatchPolicy for what Envoy Gateway has no field for."`
}

// The files of the manifests.
const (
	workloadFile = "workload.yaml"
	gatewayFile  = "gateway.yaml"
	routesFile   = "routes.yaml"
	patchFile    = "patch.yaml"
)

// Help is shown below the usage.
func (renderGatewayCommand) Help() string {
	return `Writes the manifests with which Envoy Gateway (1.9 or newer) asks for a client
certificate without judging it, has certbearer decide every request, and removes
what a caller could forge:

  workload.yaml   certbearer itself, with the configuration file in a ConfigMap
  gateway.yaml    GatewayClass, Gateway, ClientTrafficPolicy, BackendTLSPolicy
  routes.yaml     HTTPRoutes, and a SecurityPolicy for each route

Paths in the configuration are those in certbearer's container, and addresses the
names of services, such as certbearer.NAMESPACE.svc:9191.

  certbearer render envoy-gateway --config certbearer.yaml | kubectl apply -f -`
}

// Run renders.
func (r renderGatewayCommand) Run(c *console) error {
	settings, err := r.load()
	if err != nil {
		return err
	}
	files, err := r.files(settings)
	if err != nil {
		return err
	}
	if r.OutputDir != "" {
		return writeOutput(r.OutputDir, files...)
	}
	for _, file := range files {
		if _, err := fmt.Fprintf(c.stdout, "---\n%s", file.text); err != nil {
			return err
		}
	}
	return nil
}

// manifest is a file and what is in it.
type manifest struct {
	name    string
	objects []kubernetes.Object
}

func (r renderGatewayCommand) files(settings *config.Config) ([]renderedFile, error) {
	text, err := os.ReadFile(r.file())
	if err != nil {
		return nil, err
	}
	reader := &clusterReader{settings: settings, file: r.file()}
	at, upstream := reader.read(), reader.forGateway(r.Patch)
	if reader.faults != nil {
		return nil, reader.faults
	}
	params := gatewayParams(settings, at, upstream)
	routes, err := envoygateway.Routes(params)
	if err != nil {
		return nil, inGatewayRoutes(err, r.file())
	}
	workload := at.workload(text, r.Image)
	workload.Proxy = kubernetes.Proxy{Namespace: r.Proxies, Labels: envoygateway.ProxyLabels(at.namespace)}
	manifests := []manifest{
		{workloadFile, kubernetes.Manifests(workload)},
		{gatewayFile, envoygateway.Listener(params)},
		{routesFile, append(routes, envoygateway.Security(params)...)},
	}
	if r.Patch {
		manifests = append(manifests, manifest{patchFile, []kubernetes.Object{envoygateway.Patch(params)}})
	}
	return written(manifests, r.OutputDir)
}

const manifestHeader = `# Written by certbearer render envoy-gateway. Changes by hand are lost when it is
# rendered again.
`

func written(manifests []manifest, folder string) ([]renderedFile, error) {
	var files []renderedFile
	for _, m := range manifests {
		text, err := kubernetes.YAML(manifestHeader, m.objects...)
		if err != nil {
			return nil, err
		}
		files = append(files, renderedFile{filepath.Join(folder, m.name), text})
	}
	return files, nil
}

// forGateway returns the upstream, and keeps as faults what Envoy Gateway cannot
// do. Each would otherwise be left out without a word.
func (r *clusterReader) forGateway(patched bool) envoygateway.Service {
	c := r.settings
	if c.Certificate.From != config.FromXFCC && !(patched && c.Certificate.From == config.FromPeer) {
		r.fail("certificate.from", "write xfcc: Envoy Gateway has no field for what peer needs (--patch writes one that has no promise behind it)")
	}
	if c.Certificate.Hops > 1 {
		r.fail("certificate.hops", "the Gateway is the edge here: write 0")
	}
	if c.Envoy.ClientCertificate == config.ClientCertificateRequired {
		r.fail("envoy.clientCertificate", "write optional: Envoy Gateway enforces a certificate only of CAs that it judges by")
	}
	if c.Envoy.WithoutCertificate == config.WithoutCertificateLegacy {
		r.fail("envoy.withoutCertificate", "is for render envoy: the Gateway API does not match who shows no certificate")
	}
	if c.Envoy.PublicListen != "" {
		r.fail("envoy.publicListen", "is for render envoy; here add a Gateway listener of your own")
	}
	if c.Callers.Proof == config.ProofNone {
		r.fail("callers", "write {certificate, key, trustedCA, sans}: the gateway can prove itself, and a network policy is not enforced everywhere")
	}
	if c.Callers.Proof == config.ProofMTLS && c.Envoy.Caller.ServerName == "" {
		r.fail("envoy.caller.serverName", "required: the DNS name in certbearer's own certificate")
	}
	name, namespace, named := serviceOf(c.Envoy.Upstream.Host)
	if !named || c.Envoy.Upstream.Scheme == "https" {
		r.fail("envoy.upstream", "write the name of a service, such as http://orders.NAMESPACE.svc:8080; for one that is reached by https the gateway needs a BackendTLSPolicy of yours")
	}
	return envoygateway.Service{Name: name, Namespace: namespace, Port: c.Envoy.Upstream.Port}
}

func gatewayParams(c *config.Config, at inCluster, upstream envoygateway.Service) envoygateway.Params {
	params := envoygateway.Params{
		Namespace:  at.namespace,
		Port:       portOf(c.Envoy.Listen),
		Certbearer: at.service, GRPCPort: at.grpc, HTTPPort: at.http,
		ServerName:          c.Envoy.Caller.ServerName,
		Timeout:             c.Envoy.Timeout,
		Upstream:            upstream,
		Endpoints:           tokenendpoint.Paths(),
		SignatureAlgorithms: envoy.SignatureAlgorithms(),
		Ciphers:             envoy.CipherSuites(),
	}
	params.Remove, params.RemovePrefixes = envoy.StrippedHeaders()
	if c.Envoy.JWTAuthn {
		params.JWT = &envoygateway.JWT{Issuer: c.Issuer, Audiences: audiences(c)}
	}
	for i, route := range envoyRoutes(c) {
		if route.Access == envoy.OwnEndpoint {
			continue
		}
		params.Routes = append(params.Routes, envoygateway.Route{
			Index: i, Name: route.Name, Host: route.Host, PathPrefix: route.PathPrefix, Methods: route.Methods,
			Public: route.Access == envoy.Public, Preflight: route.Access == envoy.Preflight,
		})
	}
	return params
}

// inGatewayRoutes returns what the Gateway API cannot say as faults of the file.
func inGatewayRoutes(err error, file string) error {
	return inFile(err, file, func(fault *envoygateway.RouteError) (key, problem string) {
		return fmt.Sprintf("routes[%d].%s", fault.Index, fault.Field), fault.Problem
	})
}
