package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

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
	if err := os.MkdirAll(r.OutputDir, 0o755); err != nil {
		return fmt.Errorf("--output-dir: %w", err)
	}
	for _, file := range files {
		if err := replaceFile(filepath.Join(r.OutputDir, file.Name), file.Text); err != nil {
			return err
		}
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
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return err
	}
	keys := map[string]string{
		"GRPC": "listen.grpc", "HTTP": "listen.http", "Proxy": "proxies", "OpsPort": "listen.ops", "Clients": "clients.directory", "State": "keys.directory", "Routes": "routes",
	}
	var faults config.Errors
	for _, one := range joined.Unwrap() {
		var fault *istio.ParamError
		if !errors.As(one, &fault) || keys[fault.Param] == "" {
			return err
		}
		faults = append(faults, config.At(file, keys[fault.Param], fault.Problem))
	}
	return faults
}

// istiodFetches is how often istiod fetches a JWKS.
const istiodFetches = 20 * time.Minute

// checkIstio reports what cannot be in a pod behind a gateway of Istio.
func checkIstio(c *config.Config, file string) error {
	var faults config.Errors
	fail := func(key, problem string) { faults = append(faults, config.At(file, key, problem)) }
	for key, address := range map[string]string{"listen.grpc": c.Listen.GRPC, "listen.http": c.Listen.HTTP} {
		if !strings.HasPrefix(address, "unix:") {
			fail(key, "must be a Unix socket: the sidecar alone reaches it, and hands on what the gateway sends")
		}
	}
	if c.Istio.Provider == config.ProviderHTTP {
		if len(istioSockets(c)) != 1 {
			fail("proxies", "must have one entry with a socket and format: xfcc, where the gateway's checks over HTTP arrive")
		}
	} else if c.Certificate.From != config.FromXFCC || c.Certificate.Hops > 1 {
		fail("certificate", "must be {from: xfcc}: Istio's providers cannot have Envoy send source.certificate, and the gateway writes the one element that there is")
	}
	if ops, err := netip.ParseAddrPort(c.Listen.Ops); err != nil || ops.Addr().IsLoopback() {
		fail("listen.ops", "must be 0.0.0.0:PORT or [::]:PORT: the probes come from outside of the container")
	}
	if up := c.Envoy.Upstream; up.Scheme != "http" && up.Scheme != "h2c" || net.ParseIP(up.Host) != nil {
		fail("envoy.upstream", "must be a service of the mesh, http://name.namespace.svc.cluster.local:port or h2c: the mesh itself encrypts")
	}
	if c.Envoy.WithoutCertificate == config.WithoutCertificateLegacy {
		fail("envoy.withoutCertificate", "must be deny: Istio's routes cannot tell connections with a certificate from those without")
	}
	if c.Keys.PublishAhead < istiodFetches+10*time.Minute {
		fail("keys.publishAhead", "must be 30m or more: istiod fetches the JWKS every 20 minutes, and would refuse tokens of a key that it has not seen")
	}
	return joined(append(faults, checkFolders(c, file)...))
}

// istioSockets are those on which the HTTP provider's checks can arrive.
func istioSockets(c *config.Config) []string {
	var all []string
	for _, proxy := range c.Proxies {
		if proxy.Socket != "" && proxy.Format == config.FormatXFCC {
			all = append(all, strings.TrimPrefix(proxy.Socket, "unix:"))
		}
	}
	return all
}

// checkFolders reports paths that are not the pod's.
func checkFolders(c *config.Config, file string) config.Errors {
	here, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return config.Errors{config.At(file, "", err.Error())}
	}
	var faults config.Errors
	for key, path := range map[string]string{
		"clients.directory": c.Clients.Directory, "keys.directory": c.Keys.Directory, "revocations.file": c.Revocations.File,
		"listen.grpc": strings.TrimPrefix(c.Listen.GRPC, "unix:"), "listen.http": strings.TrimPrefix(c.Listen.HTTP, "unix:"),
	} {
		if within(here, path) {
			faults = append(faults, config.At(file, key, "must be an absolute path, that of the pod"))
		}
	}
	state := filepath.Dir(c.Keys.Directory)
	if !within(state, c.Revocations.File) {
		faults = append(faults, config.At(file, "revocations.file", "must be below "+state+", the folder of keys.directory: it is the pod's one lasting volume"))
	}
	words := []string{config.ToStdout, config.ToStderr, config.ToNone}
	if !slices.Contains(words, c.Audit.To) && !within(state, c.Audit.To) {
		faults = append(faults, config.At(file, "audit.to", "must be stdout, stderr, none or a file below "+state))
	}
	return faults
}

func within(folder, path string) bool {
	rest, err := filepath.Rel(folder, path)
	return err == nil && rest != ".." && !strings.HasPrefix(rest, "../")
}

func joined(faults config.Errors) error {
	if len(faults) == 0 {
		return nil
	}
	slices.SortStableFunc(faults, func(a, b *config.Error) int { return strings.Compare(a.Field, b.Field) })
	return faults
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
		Audiences:      injectedAudiences(c),
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

func injectedAudiences(c *config.Config) []string {
	var all []string
	for _, route := range c.Routes {
		if route.Access == config.AccessCertificate && !slices.Contains(all, route.Audience) {
			all = append(all, route.Audience)
		}
	}
	return all
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
