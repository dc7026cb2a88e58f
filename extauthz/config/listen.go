package config

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

func readListen(m *mapping) Listen {
	m.require("grpc")
	listen := Listen{
		GRPC:  text(m, "grpc", "", m.doc.listenAddress),
		HTTP:  text(m, "http", "", orEmpty(m.doc.listenAddress)),
		Ops:   text(m, "ops", "127.0.0.1:9193", orEmpty(m.doc.listenAddress)),
		Admin: text(m, "admin", "", noAdmin),
		TLS:   section(m, "tls", readListenTLS),

		Proxies: section(m, "proxies", readListenProxies),
	}
	checkDistinct(m, listen.Proxies.Address, listen.GRPC, "proxies", "grpc")
	checkDistinct(m, listen.Proxies.Address, listen.HTTP, "proxies", "http")
	checkDistinct(m, listen.Proxies.Address, listen.Ops, "proxies", "ops")
	checkDistinct(m, listen.Proxies.Address, listen.TLS.Address, "proxies", "tls")
	checkDistinct(m, listen.TLS.Address, listen.GRPC, "tls", "grpc")
	checkDistinct(m, listen.TLS.Address, listen.HTTP, "tls", "http")
	checkDistinct(m, listen.TLS.Address, listen.Ops, "tls", "ops")
	checkDistinct(m, listen.GRPC, listen.HTTP, "grpc", "http")
	checkDistinct(m, listen.GRPC, listen.Ops, "grpc", "ops")
	checkDistinct(m, listen.HTTP, listen.Ops, "http", "ops")
	return listen
}

// readListenTLS reads a listener of which either all is said or nothing.
func readListenTLS(m *mapping) ListenTLS {
	tls := ListenTLS{
		Address:     text(m, "address", "", hostPort),
		Certificate: text(m, "certificate", "", m.doc.filePath),
		Key:         text(m, "key", "", m.doc.filePath),
	}
	if m.has("address") || m.has("certificate") || m.has("key") {
		m.require("address", "certificate", "key")
	}
	return tls
}

func noAdmin(text string) (string, error) {
	if text != "" {
		return "", errors.New(`the admin interface is not available in this version; write "" or remove the key`)
	}
	return "", nil
}

// checkDistinct reports two listeners at one address.
func checkDistinct(m *mapping, a, b, nameA, nameB string) {
	if !collide(a, b) {
		return
	}
	if !m.has(nameB) {
		// b is a default, and the line to change is the other one's.
		nameA, nameB = nameB, nameA
	}
	m.fail(nameB, "the same address as "+m.path+"."+nameA)
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

const (
	askForCallers = "a TCP listener needs callers: write callers: {certificate: FILE, key: FILE, trustedCA: FILE, sans: [NAME]}, " +
		"or callers: unauthenticated to believe whoever can connect"
	callersOnSocket = "has no meaning with a Unix socket, whose file mode says who may call; remove it"
)

// readCallers reads who may hand over evidence. listen is the mapping in which
// the address stands, because a missing key has no line of its own.
func readCallers(m, listen *mapping, grpc string) Callers {
	node := m.take("callers")
	callers := Callers{Proof: ProofSocket}
	switch {
	case node == nil:
	case node.Kind == yaml.MappingNode:
		callers = section(m, "callers", readMTLS)
	default:
		callers.Proof = scalar(m, "callers", callersKind, ProofSocket, parseCallers)
	}
	checkCallers(m, listen, grpc)
	return callers
}

func checkCallers(m, listen *mapping, grpc string) {
	switch present := m.has("callers"); {
	case grpc == "":
	case isUnix(grpc) && present && m.sound("callers"):
		m.fail("callers", callersOnSocket)
	case !isUnix(grpc) && !present:
		listen.fail("grpc", askForCallers)
	}
}

func parseCallers(text string) (Proof, error) {
	if text != string(ProofNone) {
		return "", fmt.Errorf("want %s, got %s", callersKind.want, quote(text))
	}
	return ProofNone, nil
}

func readMTLS(m *mapping) Callers {
	m.require("certificate", "key", "trustedCA", "sans")
	callers := Callers{
		Proof:       ProofMTLS,
		Certificate: text(m, "certificate", "", m.doc.filePath),
		Key:         text(m, "key", "", m.doc.filePath),
		TrustedCA:   text(m, "trustedCA", "", m.doc.filePath),
		SANs:        texts(m, "sans", parseSAN),
	}
	if m.has("sans") && m.sound("sans") && len(callers.SANs) == 0 {
		m.fail("sans", "must name at least one caller")
	}
	return callers
}

// parseSAN accepts the exact name of one caller. No patterns: who may vouch for
// certificates is a list that can be read aloud.
func parseSAN(text string) (string, error) {
	u, err := parseURI(text)
	if err == nil && strings.Contains(text, "://") && u.IsAbs() && u.Host != "" {
		return text, nil
	}
	if isDNSName(strings.TrimPrefix(text, "dns:")) {
		return text, nil
	}
	return "", errors.New("want a URI such as spiffe://mesh/envoy or a DNS name, without wildcards, got " + quote(text))
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
