package main

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/config"
)

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
	if problem := auditProblem(c, state); problem != "" {
		faults = append(faults, config.At(file, "audit.to", problem))
	}
	return faults
}

// auditProblem says that records would go to a file that a pod cannot write: state is
// its one lasting volume.
func auditProblem(c *config.Config, state string) string {
	words := []string{config.ToStdout, config.ToStderr, config.ToNone}
	if slices.Contains(words, c.Audit.To) || within(state, c.Audit.To) {
		return ""
	}
	return "must be stdout, stderr, none or a file below " + state
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
