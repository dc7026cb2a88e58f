package main

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/envoy/istio"
	"github.com/certbearer/certbearer/extauthz/config"
)

type renderIstioCommand struct {
	configFlag
	OutputDir string `help:"Write the manifests into this folder, replacing them, instead of printing them. It is made where there is none." placeholder:"DIR"`
}

// Help is shown below the usage.
func (renderIstioCommand) Help() string {
	return `Writes the manifests with which an Istio ingress gateway asks for a client
certificate without judging it, asks certbearer about every request, and verifies
the token; and those of certbearer's own pod, which only that gateway reaches.
They come from the configuration's issuer, listen, routes, envoy.upstream and
istio.

mesh.yaml is for istioctl install, or to be taken over into the configuration of a
mesh that is there; the others are applied in the order in which they are printed.

  certbearer render istio --config envoy/istio/certbearer.yaml --output-dir manifests`
}

// Run renders.
func (r renderIstioCommand) Run(c *console) error {
	settings, err := r.load()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(r.file())
	if err != nil {
		return err
	}
	files, err := renderIstio(settings, r.file(), text, c.stderr)
	if err != nil {
		return err
	}
	if r.OutputDir == "" {
		for _, file := range files {
			if _, err := fmt.Fprintf(c.stdout, "# %s\n%s", file.Name, file.Text); err != nil {
				return err
			}
		}
		return nil
	}
	var written []renderedFile
	for _, file := range files {
		written = append(written, renderedFile{filepath.Join(r.OutputDir, file.Name), file.Text})
	}
	if err := writeOutput(r.OutputDir, written...); err != nil {
		return err
	}
	return removeStale(filepath.Join(r.OutputDir, istio.VerificationFile), files)
}

// removeStale removes a file of an earlier run that this one has not written:
// whoever applies the folder would apply it too. What somebody else wrote stays.
func removeStale(path string, files []istio.File) error {
	if slices.ContainsFunc(files, func(f istio.File) bool { return f.Name == filepath.Base(path) }) {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(text, []byte(istio.Header)) {
		return nil
	}
	return os.Remove(path)
}

// renderIstio returns the manifests. What they leave out is said on notes.
func renderIstio(settings *config.Config, file string, text []byte, notes io.Writer) ([]istio.File, error) {
	if err := checkIstio(settings, file); err != nil {
		return nil, err
	}
	params := istioParams(settings, text)
	if params.Unverified != "" {
		fmt.Fprintf(notes, "certbearer: warning: no verification.yaml: %s\n", params.Unverified)
	}
	files, err := istio.Files(params)
	return files, inIstioKeys(err, file)
}

// inIstioKeys returns what package istio refuses as faults of the configuration
// file.
func inIstioKeys(err error, file string) error {
	keys := map[string]string{
		"GRPC": "listen.grpc", "HTTP": "listen.http", "Proxy": "proxies", "OpsPort": "listen.ops", "Clients": "clients.directory", "State": "keys.directory", "Routes": "routes",
	}
	return inFile(err, file, func(fault *istio.ParamError) (key, problem string) { return keys[fault.Param], fault.Problem })
}

func istioParams(c *config.Config, text []byte) istio.Params {
	i := c.Istio
	ops := netip.MustParseAddrPort(c.Listen.Ops) // checkIstio has parsed it
	proxy := ""
	if i.Provider == config.ProviderHTTP {
		proxy = istioSockets(c)[0] // checkIstio has counted them
	}
	return istio.Params{
		Namespace: i.Namespace, Image: i.Image, TrustDomain: i.TrustDomain, ClusterDomain: i.ClusterDomain,
		Gateway: istio.Gateway{
			Namespace: i.Gateway.Namespace, Selector: labels(i.Gateway.Selector),
			ServiceAccount: i.Gateway.ServiceAccount, Port: uint16(i.Gateway.Port),
		},
		Hosts:          istioHosts(c),
		CredentialName: i.CredentialName,
		Upstream:       istio.Upstream{Host: c.Envoy.Upstream.Host, Port: c.Envoy.Upstream.Port},
		Issuer:         c.Issuer,
		Audiences:      audiences(c),
		Settings:       bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")),
		GRPC:           strings.TrimPrefix(c.Listen.GRPC, "unix:"),
		HTTP:           strings.TrimPrefix(c.Listen.HTTP, "unix:"),
		Proxy:          proxy,
		OpsPort:        ops.Port(),
		Clients:        c.Clients.Directory,
		State:          filepath.Dir(c.Keys.Directory),
		Timeout:        c.Envoy.Timeout,
		Routes:         istioRoutes(c),
		Unverified:     unverified(c),
	}
}

// labels reads what config has checked.
func labels(selector string) map[string]string {
	all := map[string]string{}
	for label := range strings.SplitSeq(selector, ",") {
		key, value, _ := strings.Cut(label, "=")
		all[key] = value
	}
	return all
}

func istioHosts(c *config.Config) []string {
	if len(c.Istio.Hosts) > 0 {
		return c.Istio.Hosts
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return nil // config has parsed it
	}
	return []string{issuer.Hostname()}
}

func istioRoutes(c *config.Config) []istio.Route {
	var all []istio.Route
	for _, route := range c.Routes {
		all = append(all, istio.Route{
			Host: route.Match.Host, PathPrefix: route.Match.PathPrefix, Methods: route.Match.Methods,
			Access: envoy.Access(route.Access),
		})
	}
	return all
}

// unverified says why the gateway cannot ask for a token of ours everywhere.
func unverified(c *config.Config) string {
	for _, route := range c.Routes {
		if route.Mode == config.ModeShadow {
			return "route " + strconv.Quote(route.Name) + " is in shadow, so that its requests go on without a token"
		}
		if route.InboundAuthorization == config.InboundPass {
			return "route " + strconv.Quote(route.Name) + " lets tokens of others pass, which Istio would refuse; verify at the upstream"
		}
	}
	return ""
}
