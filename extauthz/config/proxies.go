package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const (
	// maxProxies bounds what each connection is compared with, and each proxy's
	// maxProxyNames and maxProxyAddresses too.
	maxProxies        = 64
	maxProxyNames     = 64
	maxProxyAddresses = 64
	// maxHeaderName is far above any header's name that proxies use, in bytes.
	maxHeaderName = 64
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
	const want = "want an IP address or a network such as 10.0.1.0/24"
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		text = netip.PrefixFrom(address, address.BitLen()).String()
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return "", errors.New(want + ", got " + quote(text))
	case network.Addr().Is4In6():
		return "", errors.New("write the IPv4 address itself, without ::ffff: before it")
	case network != network.Masked():
		return "", errors.New(quote(text) + " has bits beyond its length; write " + network.Masked().String())
	case network.Bits() < leastBits:
		return "", fmt.Errorf("%s is wider than /%d: whoever connects from there could name any client's certificate; list the proxy's own addresses", quote(text), leastBits)
	}
	return network.String(), nil
}

// headerName is a field name (RFC 9110 section 5.1) in the alphabet that proxies
// agree about: many services read an underscore as a hyphen.
var headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// readHeader reads the name of the header with the certificate.
func readHeader(m *mapping, format Format) string {
	header := text(m, "header", format.header(), parseHeaderName)
	switch {
	case m.broken || format == "":
	case format == FormatXFCC && m.has("header") && m.sound("header") && header != format.header():
		m.fail("header", "xfcc is read from "+format.header())
	case format != FormatXFCC && header == FormatXFCC.header():
		m.fail("header", header+" is Envoy's and holds no "+string(format))
	case header == "":
		m.require("header")
	}
	return header
}

func parseHeaderName(text string) (string, error) {
	name := strings.ToLower(text)
	switch {
	case !headerName.MatchString(text):
		return "", errors.New("want the name of a header, of letters, digits and hyphens, got " + quote(text))
	case len(text) > maxHeaderName:
		return "", fmt.Errorf("longer than %d bytes", maxHeaderName)
	case isTakenHeader(name):
		return "", errors.New(quote(text) + " has a meaning of its own; have the proxy write the certificate into another")
	}
	return name, nil
}

// isTakenHeader reports a header that says something else about a request, or
// about a connection only.
func isTakenHeader(name string) bool {
	switch name {
	case "authorization", "cookie", "host", "date", "expect", "origin", "forwarded", "range", "via", "accept",
		"content-length", "content-type", "content-encoding", "x-request-id", "client-cert-chain",
		"access-control-request-method", "access-control-request-headers",
		// RFC 9110 section 7.6.1
		"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
		"transfer-encoding", "upgrade":
		return true
	case "x-forwarded-client-cert", "x-forwarded-tls-client-cert":
		return false
	}
	for _, family := range []string{"certbearer-", "x-original-", "x-forwarded-", "x-envoy-", "sec-", "if-", "accept-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return false
}
