package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ListenProxies is a listener for [Proxy] entries with MTLS or Addresses; its
// Address is empty for nowhere. Certificate, Key and TrustedCA are PEM files:
// without the first two it is plain HTTP, and with TrustedCA proxies can be known
// by their certificates.
type ListenProxies struct {
	Address     string
	Certificate string
	Key         string
	TrustedCA   string
}

// Proxy is one that asks over HTTP, and how it is known: exactly one of Socket,
// MTLS and Addresses is set. Its Header, in lower case and never empty, has the
// client's certificate as Format says.
type Proxy struct {
	Name string
	// Socket is a "unix:/path" of its own: whoever connects there is this proxy.
	Socket string
	// MTLS are the names of which its certificate has one, as in [Callers].
	MTLS []string
	// Addresses are the networks that it connects from, such as "10.0.1.0/24".
	Addresses []string
	Header    string
	Format    Format
}

const (
	// maxProxies bounds what each connection is compared with, and each proxy's
	// maxProxyNames and maxProxyAddresses too.
	maxProxies        = 64
	maxProxyNames     = 64
	maxProxyAddresses = 64
	// leastBits is the widest network that anybody has of their own: 10.0.0.0/8 and
	// fd00::/8 (RFC 1918 section 3, RFC 4193 section 3.1).
	leastBits = 8
)

// readListenProxies reads where proxies ask that are known by name or address.
func readListenProxies(m *mapping) ListenProxies {
	listen := ListenProxies{
		Address:     text(m, "address", "", hostPort),
		Certificate: text(m, "certificate", "", m.doc.filePath),
		Key:         text(m, "key", "", m.doc.filePath),
		TrustedCA:   text(m, "trustedCA", "", m.doc.filePath),
	}
	if len(m.pairs) > 0 {
		m.require("address")
	}
	if m.has("certificate") || m.has("key") || m.has("trustedCA") {
		m.require("certificate", "key")
	}
	return listen
}

// readProxies reads who may ask over HTTP, and holds them to the listener that
// they ask at. A connection has to be of exactly one of them.
func readProxies(m *mapping, listen Listen) []Proxy {
	var proxies []Proxy
	seen := seenProxies{names: map[string]int{}, sans: map[string]string{}}
	items := m.elements("proxies")
	if len(items) > maxProxies {
		m.fail("proxies", fmt.Sprintf("more than %d items", maxProxies))
		return nil
	}
	for _, item := range items {
		inner := m.doc.mapping(item.node, item.path)
		proxy := readProxy(inner)
		checkReached(inner, proxy, listen)
		seen.check(inner, proxy, listen)
		inner.close()
		proxies = append(proxies, proxy)
	}
	return proxies
}

func readProxy(m *mapping) Proxy {
	m.require("name", "format")
	proxy := Proxy{
		Name:      text(m, "name", "", matching(routeName, "1 to 64 letters, digits, dots, hyphens or underscores")),
		Socket:    text(m, "socket", "", m.doc.socketAddress),
		MTLS:      texts(m, "mtls", parseSAN),
		Addresses: texts(m, "addresses", parseNetwork),
		Format:    text(m, "format", "", oneOf(append(Formats(), FormatXFCC))),
	}
	checkKind(m, proxy)
	proxy.Header = readHeader(m, proxy.Format)
	return proxy
}

// checkKind reports an entry that does not say in one way which connections are
// the proxy's.
func checkKind(m *mapping, proxy Proxy) {
	var kinds []string
	for _, kind := range []string{"socket", "mtls", "addresses"} {
		if m.has(kind) {
			kinds = append(kinds, kind)
		}
	}
	for _, list := range []struct {
		name        string
		count, most int
	}{{"mtls", len(proxy.MTLS), maxProxyNames}, {"addresses", len(proxy.Addresses), maxProxyAddresses}} {
		switch {
		case list.count > list.most:
			m.fail(list.name, fmt.Sprintf("more than %d items", list.most))
		case m.has(list.name) && m.sound(list.name) && list.count == 0:
			m.fail(list.name, "must not be empty: nobody would be this proxy")
		}
	}
	switch {
	case m.broken:
	case len(kinds) == 0:
		m.fail("socket", "required, or mtls, or addresses: how is the proxy known?")
	case len(kinds) > 1:
		m.fail(kinds[1], "stands beside "+kinds[0]+": a proxy is known in one way; make it two entries")
	}
}

// checkReached reports a proxy that has nowhere to ask.
func checkReached(m *mapping, proxy Proxy, listen Listen) {
	byTCP, byName := m.has("mtls") || m.has("addresses"), m.has("mtls")
	kind := "addresses"
	if byName {
		kind = "mtls"
	}
	switch {
	case !byTCP || !m.sound(kind) || m.doc.hasFault("listen.proxies"):
	case listen.Proxies.Address == "":
		m.fail(kind, "needs listen.proxies.address: where does this proxy connect?")
	case byName && listen.Proxies.TrustedCA == "":
		m.fail(kind, "needs listen.proxies with certificate, key and trustedCA: the CAs of the proxies' certificates")
	}
}

// seenProxies remembers the proxies before the present one.
type seenProxies struct {
	names   map[string]int
	sans    map[string]string // to the proxy's name
	proxies []Proxy
}

// check reports a proxy that cannot be told from an earlier one, and a socket
// that something else has.
func (s *seenProxies) check(m *mapping, proxy Proxy, listen Listen) {
	if line, twice := s.names[proxy.Name]; twice && m.sound("name") {
		m.fail("name", fmt.Sprintf("%s is the name of the proxy on line %d already", quote(proxy.Name), line))
	}
	if proxy.Name != "" {
		s.names[proxy.Name] = m.line
	}
	for _, name := range proxy.MTLS {
		key := sanKey(name)
		if other, twice := s.sans[key]; twice && m.sound("mtls") {
			m.fail("mtls", quote(name)+" is a name of proxy "+quote(other)+" too: a connection is of one proxy")
		}
		s.sans[key] = proxy.Name
	}
	for _, earlier := range s.proxies {
		s.compare(m, proxy, earlier)
	}
	for _, own := range []struct{ name, address string }{{"grpc", listen.GRPC}, {"http", listen.HTTP}, {"ops", listen.Ops}} {
		if m.sound("socket") && collide(proxy.Socket, own.address) {
			m.fail("socket", "the same address as listen."+own.name)
		}
	}
	s.proxies = append(s.proxies, proxy)
}

func (s *seenProxies) compare(m *mapping, proxy, earlier Proxy) {
	if m.sound("socket") && collide(proxy.Socket, earlier.Socket) {
		m.fail("socket", "the same address as that of proxy "+quote(earlier.Name))
	}
	for _, a := range proxy.Addresses {
		for _, b := range earlier.Addresses {
			if m.sound("addresses") && netip.MustParsePrefix(a).Overlaps(netip.MustParsePrefix(b)) {
				m.fail("addresses", a+" and "+b+" of proxy "+quote(earlier.Name)+" have addresses in common: a connection is of one proxy")
			}
		}
	}
}

// sanKey is equal for names that the same certificate can have.
func sanKey(name string) string {
	if strings.Contains(name, "://") {
		return name
	}
	return "dns:" + strings.ToLower(strings.TrimPrefix(name, "dns:"))
}

// checkListenProxies reports a listener to which nobody may connect, or to whose
// certificates nobody looks.
func checkListenProxies(listen *mapping, proxies []Proxy, settings ListenProxies) {
	byName := slices.ContainsFunc(proxies, func(p Proxy) bool { return len(p.MTLS) > 0 })
	byAddress := slices.ContainsFunc(proxies, func(p Proxy) bool { return len(p.Addresses) > 0 })
	switch {
	case settings.Address == "" || listen.doc.hasFault("proxies") || listen.doc.hasFault("listen"):
	case !byName && !byAddress:
		listen.fail("proxies", "no proxy is known by mtls or addresses, so nobody could connect: name one in proxies, or remove it")
	case !byName && settings.TrustedCA != "":
		listen.fail("proxies", "has trustedCA, and no proxy is known by mtls")
	}
}

// socketAddress accepts a Unix socket.
func (d *document) socketAddress(text string) (string, error) {
	if !isUnix(text) {
		return "", errors.New("want unix:/path, got " + quote(text) + "; a proxy that connects by TCP is known by mtls or addresses")
	}
	return d.listenAddress(text)
}

// parseNetwork accepts an IP address or a network, and returns the network.
func parseNetwork(text string) (string, error) {
	network, err := network(text)
	switch {
	case err != nil:
		return "", err
	case network.Bits() < leastBits:
		return "", fmt.Errorf("%s is wider than /%d: whoever connects from there could name any client's certificate; list the proxy's own addresses", quote(text), leastBits)
	}
	return network.String(), nil
}
