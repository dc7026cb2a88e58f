package config

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Listen holds the server's own addresses, each "unix:/path" or "host:port".
// An empty one is not opened; GRPC is never empty.
type Listen struct {
	GRPC  string
	HTTP  string
	Ops   string
	Admin string
	// TLS is where we end TLS ourselves, with client certificates; its Address is
	// empty for nowhere.
	TLS ListenTLS
	// Proxies is where proxies connect that are known by name or address.
	Proxies ListenProxies
}

// ListenTLS is a listener of our own endpoints for clients without a proxy that
// ends TLS. Certificate and Key are PEM files.
type ListenTLS struct {
	Address     string
	Certificate string
	Key         string
}

// Callers says who may hand over evidence on the gRPC listener. The paths and
// SANs are set with [ProofMTLS] and with nothing else.
type Callers struct {
	Proof       Proof
	Certificate string
	Key         string
	TrustedCA   string
	// SANs are the names of accepted callers: a URI such as
	// "spiffe://mesh/envoy", or a DNS name, with or without "dns:" in front.
	SANs []string
}

// Proof is what makes a caller a proven one.
type Proof string

// The values of [Proof]. They are derived: the file has no key of this name.
const (
	// ProofSocket: the mode of the Unix socket's file.
	ProofSocket Proof = "socket"
	// ProofMTLS: a certificate of a listed name.
	ProofMTLS Proof = "mtls"
	// ProofNone: nothing. Whoever reaches the listener is believed.
	ProofNone Proof = "unauthenticated"
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
