package config

import (
	"errors"
	"strings"
	"time"
)

// Envoy is what `certbearer render envoy` needs to know besides. Upstream,
// Certificate and Key may be missing: see [Config.CheckEnvoy].
type Envoy struct {
	// Version is the oldest Envoy that the configuration is for.
	Version  EnvoyVersion
	Listen   string
	Upstream Upstream
	// UpstreamCA is the PEM file of the CAs of an https upstream.
	UpstreamCA string
	// GRPCAddress and HTTPAddress are where Envoy reaches [Listen.GRPC] and
	// [Listen.HTTP]; empty: where they listen.
	GRPCAddress string
	HTTPAddress string
	// Caller is Envoy's side of the mTLS with which [ProofMTLS] proves it.
	Caller EnvoyCaller
	// Front is the proxy in front of Envoy. It is zero unless Hops is above 1.
	Front             EnvoyFront
	Certificate       string
	Key               string
	ClientCertificate ClientCertificate
	// WithoutCertificate is [WithoutCertificateLegacy] only with
	// [ClientCertificateOptional] and without a proxy in front.
	WithoutCertificate WithoutCertificate
	// LegacyUpstream is zero where it is Upstream itself.
	LegacyUpstream Upstream
	// LegacyUpstreamCA is the PEM file of the CAs of an https LegacyUpstream.
	LegacyUpstreamCA string
	// Timeout is how long Envoy waits for a decision.
	Timeout time.Duration
	// JWTAuthn: Envoy verifies injected tokens itself, fed by the JWKS of
	// [Listen.HTTP], which is then set.
	JWTAuthn bool
	// AccessLog is [ToStdout], a file path, or empty for none.
	AccessLog string
	// PublicListen is where Envoy listens for those without a certificate, who want
	// metadata and keys; empty for nowhere.
	PublicListen string
	// AdminListen is the address of Envoy's admin interface; empty for none.
	AdminListen string
}

// EnvoyCaller is how Envoy proves itself to certbearer, and certbearer to it.
// Certificate, Key and TrustedCA are PEM files as Envoy will open them.
type EnvoyCaller struct {
	Certificate string
	Key         string
	TrustedCA   string
	// ServerName is the DNS name in certbearer's certificate.
	ServerName string
}

// EnvoyFront is the proxy whose x-forwarded-client-cert Envoy appends to.
type EnvoyFront struct {
	// TrustedCA is the PEM file of the CAs that issue its certificate.
	TrustedCA string
	// SANs are the names of which its certificate has one, as in [Callers].
	SANs []string
}

// EnvoyVersion is a minor version of Envoy.
type EnvoyVersion string

// The values of [EnvoyVersion].
const (
	Envoy137 EnvoyVersion = "1.37"
	Envoy138 EnvoyVersion = "1.38"
	Envoy139 EnvoyVersion = "1.39"
	Envoy140 EnvoyVersion = "1.40"
)

// ClientCertificate says what Envoy does with a connection without one.
type ClientCertificate string

// The values of [ClientCertificate].
const (
	// ClientCertificateOptional: certbearer decides, and records it.
	ClientCertificateOptional ClientCertificate = "optional"
	// ClientCertificateRequired: the TLS handshake fails.
	ClientCertificateRequired ClientCertificate = "required"
)

// WithoutCertificate says what Envoy does with a request without one.
type WithoutCertificate string

// The values of [WithoutCertificate].
const (
	// WithoutCertificateDeny: certbearer decides, and refuses it where one is asked for.
	WithoutCertificateDeny WithoutCertificate = "deny"
	// WithoutCertificateLegacy: it goes past certbearer, as it is, to LegacyUpstream.
	WithoutCertificateLegacy WithoutCertificate = "legacy"
)

func readEnvoy(m *mapping) Envoy {
	return Envoy{
		Version:     text(m, "version", Envoy140, oneOf([]EnvoyVersion{Envoy137, Envoy138, Envoy139, Envoy140})),
		Listen:      text(m, "listen", "127.0.0.1:8443", hostPort),
		Upstream:    text(m, "upstream", Upstream{}, parseUpstream),
		UpstreamCA:  text(m, "upstreamCA", "", m.doc.filePath),
		GRPCAddress: text(m, "grpcAddress", "", m.doc.reachedAddress),
		HTTPAddress: text(m, "httpAddress", "", m.doc.reachedAddress),
		Caller:      section(m, "caller", readEnvoyCaller),
		Front:       section(m, "front", readEnvoyFront),
		Certificate: text(m, "certificate", "", m.doc.filePath),
		Key:         text(m, "key", "", m.doc.filePath),
		ClientCertificate: text(m, "clientCertificate", ClientCertificateOptional,
			oneOf([]ClientCertificate{ClientCertificateOptional, ClientCertificateRequired})),
		WithoutCertificate: text(m, "withoutCertificate", WithoutCertificateDeny,
			oneOf([]WithoutCertificate{WithoutCertificateDeny, WithoutCertificateLegacy})),
		LegacyUpstream:   text(m, "legacyUpstream", Upstream{}, parseUpstream),
		LegacyUpstreamCA: text(m, "legacyUpstreamCA", "", m.doc.filePath),

		Timeout:      duration(m, "timeout", 500*time.Millisecond, 10*time.Millisecond, 10*time.Second),
		JWTAuthn:     flag(m, "jwtAuthn", false),
		AccessLog:    text(m, "accessLog", ToStdout, m.doc.accessLog),
		PublicListen: text(m, "publicListen", "", orEmpty(hostPort)),
		AdminListen:  text(m, "adminListen", "", orEmpty(hostPort)),
	}
}

// readEnvoyCaller reads how Envoy proves itself where callers are proven by mTLS.
func readEnvoyCaller(m *mapping) EnvoyCaller {
	return EnvoyCaller{
		Certificate: text(m, "certificate", "", m.doc.filePath),
		Key:         text(m, "key", "", m.doc.filePath),
		TrustedCA:   text(m, "trustedCA", "", m.doc.filePath),
		ServerName:  text(m, "serverName", "", parseServerName),
	}
}

// readEnvoyFront reads who stands in front of Envoy.
func readEnvoyFront(m *mapping) EnvoyFront {
	return EnvoyFront{
		TrustedCA: text(m, "trustedCA", "", m.doc.filePath),
		SANs:      texts(m, "sans", parseSAN),
	}
}

// checkFront reports a proxy in front whose element nobody would look at.
func checkFront(m *mapping, certificate Certificate) {
	if m.has("front") && certificate.Hops <= 1 && !m.doc.hasFault("certificate") {
		m.fail("front", "has meaning only with certificate.hops above 1")
	}
}

// checkLegacy reports a way past us that nobody could take, or that nobody asked for.
func checkLegacy(m *mapping, envoy Envoy, certificate Certificate) {
	if !m.sound("withoutCertificate") {
		return
	}
	if envoy.WithoutCertificate != WithoutCertificateLegacy {
		for _, name := range []string{"legacyUpstream", "legacyUpstreamCA"} {
			if m.has(name) {
				m.fail(name, "has meaning only with envoy.withoutCertificate: legacy")
			}
		}
		return
	}
	switch {
	case envoy.ClientCertificate == ClientCertificateRequired && m.sound("clientCertificate"):
		m.fail("withoutCertificate", "legacy has no meaning with envoy.clientCertificate: required, which lets nobody in without a certificate")
	case certificate.Hops > 1:
		m.fail("withoutCertificate", "legacy has no meaning with certificate.hops above 1: the proxy in front has a certificate on every connection")
	}
}

func parseServerName(text string) (string, error) {
	if !isHost(text) {
		return "", errors.New("want the DNS name in certbearer's own certificate")
	}
	return text, nil
}

// accessLog takes no other word of audit.to: a file of that name would come as
// a surprise.
func (d *document) accessLog(text string) (string, error) {
	switch text {
	case "", ToStdout:
		return text, nil
	case ToStderr, ToNone:
		return "", errors.New(`want stdout, a file path, or "" for none; write ./` + text + " for a file of that name")
	}
	return d.filePath(text)
}

// checkEnvoyAddresses reports listeners of Envoy at an address of ours. Of an
// Envoy that reaches us elsewhere than where we listen nothing can be said: it
// may be on another machine.
func checkEnvoyAddresses(m *mapping, envoy Envoy, listen Listen) {
	if m.has("httpAddress") && listen.HTTP == "" && !m.doc.hasFault("listen") {
		m.fail("httpAddress", "has meaning only with listen.http")
	}
	if collide(envoy.Listen, envoy.AdminListen) {
		m.fail("adminListen", "the same address as envoy.listen")
	}
	if envoy.GRPCAddress != "" || envoy.HTTPAddress != "" || len(m.pairs) == 0 {
		return
	}
	for _, own := range []struct{ name, address string }{{"listen", envoy.Listen}, {"adminListen", envoy.AdminListen}} {
		for _, ours := range []struct{ name, address string }{{"listen.grpc", listen.GRPC}, {"listen.http", listen.HTTP}, {"listen.ops", listen.Ops}, {"listen.proxies", listen.Proxies.Address}} {
			if collide(own.address, ours.address) && m.sound(own.name) {
				m.fail(own.name, "the same address as "+ours.name+", which is "+ours.address)
			}
		}
	}
}

// checkPublic reports a second host of which not all is said: its listener, and
// where the first one then is.
func checkPublic(m, top *mapping, envoy Envoy, config *Config) {
	switch {
	case envoy.PublicListen == "":
	case config.MTLSOrigin == "" && !top.has("mtlsOrigin"):
		m.fail("publicListen", "needs mtlsOrigin: the origin under which clients reach the listener that asks for certificates")
	case config.MTLSOrigin != "" && canonical(config.MTLSOrigin) == canonical(Origin(config.Issuer)):
		m.fail("publicListen", "needs an mtlsOrigin that is not the issuer's: there Envoy asks for certificates, here it does not")
	case config.Listen.HTTP == "" && !m.doc.hasFault("listen"):
		m.fail("publicListen", "needs metadata and keys to serve; set listen.http")
	case envoy.PublicListen == envoy.Listen && !strings.HasSuffix(envoy.Listen, ":0"):
		m.fail("publicListen", "the same address as envoy.listen")
	}
}

// checkJWKS reports a verifier in Envoy that would have nowhere to fetch keys.
func checkJWKS(m *mapping, envoy Envoy, listen Listen) {
	if envoy.JWTAuthn && listen.HTTP == "" && listen.Proxies.Address == "" && !m.doc.hasFault("listen") {
		m.fail("jwtAuthn", "needs the JWKS; set listen.http, or listen.proxies for a gateway in another pod")
	}
}

// CheckEnvoy reports as [Errors] what `certbearer render envoy` needs and the
// configuration does not have. file is what the errors call the configuration.
func (c *Config) CheckEnvoy(file string) error {
	var missing Errors
	need := func(field string, present bool) {
		if !present {
			missing = append(missing, &Error{File: file, Field: field, Problem: "required to render Envoy's configuration"})
		}
	}
	if c.Certificate.From == FromHeader {
		missing = append(missing, &Error{File: file, Field: "certificate.from", Problem: "header: an Envoy behind another proxy is not rendered; docs/alb.md has what to write into one of yours"})
	}
	need("envoy.upstream", c.Envoy.Upstream != Upstream{})
	need("envoy.certificate", c.Envoy.Certificate != "")
	need("envoy.key", c.Envoy.Key != "")
	reach := func(field, address, listener, listens string) {
		if address == "" && isUnspecified(listens) {
			missing = append(missing, &Error{File: file, Field: field, Problem: "required, because " + listener + " is " + listens + ": write where Envoy reaches it"})
		}
	}
	reach("envoy.grpcAddress", c.Envoy.GRPCAddress, "listen.grpc", c.Listen.GRPC)
	reach("envoy.httpAddress", c.Envoy.HTTPAddress, "listen.http", c.Listen.HTTP)
	need("listen.http", !c.Envoy.JWTAuthn || c.Listen.HTTP != "")
	need("envoy.front.trustedCA", c.Certificate.Hops <= 1 || c.Envoy.Front.TrustedCA != "")
	need("envoy.front.sans", c.Certificate.Hops <= 1 || len(c.Envoy.Front.SANs) > 0)
	need("envoy.legacyUpstreamCA", c.Envoy.LegacyUpstream.Scheme != "https" || c.Envoy.LegacyUpstreamCA != "")
	need("envoy.upstreamCA", c.Envoy.Upstream.Scheme != "https" || c.Envoy.UpstreamCA != "")
	if c.Callers.Proof == ProofMTLS {
		need("envoy.caller.certificate", c.Envoy.Caller.Certificate != "")
		need("envoy.caller.key", c.Envoy.Caller.Key != "")
		need("envoy.caller.trustedCA", c.Envoy.Caller.TrustedCA != "")
		need("envoy.caller.serverName", c.Envoy.Caller.ServerName != "")
	}
	return missing.asError()
}
