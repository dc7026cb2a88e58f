package config_test

import (
	"fmt"
	"strings"
	"testing"
)

// atProxies is minimal with a listener for proxies, in three lines, and what
// begins on line 4.
func atProxies(settings, text string) string {
	return instead("{grpc", "{proxies: {"+settings+"}, grpc") + text + "\n"
}

const (
	plainTCP = `address: "0.0.0.0:9080"`
	withTLS  = plainTCP + ", certificate: a, key: b, trustedCA: c"

	onSocket = `name: a, socket: "unix:/run/a.sock"`
	knownIn  = "how is the proxy known?"
)

func one(entry string) string { return more("proxies: [{" + entry + "}]") }

func TestProxiesAreRefused(t *testing.T) {
	two := func(first, second string) string { return "proxies:\n- {" + first + "}\n- {" + second + "}" }
	checkRefusals(t, map[string]refusal{
		"an entry that is known in no way": {
			one("name: a, format: alb"), "4: proxies[0].socket: required, or mtls, or addresses: " + knownIn},
		"an entry that is known in two ways": {
			atProxies(plainTCP, two(onSocket+", addresses: [10.0.0.1], format: alb", "name: b, addresses: [10.0.0.2], format: alb")),
			"5: proxies[0].addresses: stands beside socket: a proxy is known in one way; make it two entries"},
		"an entry without a name": {
			one(`socket: "unix:/run/a.sock", format: alb`), "4: proxies[0].name: required"},
		"an entry that does not say what the header holds": {
			one(onSocket), "4: proxies[0].format: required"},
		"a format that nobody writes": {
			one(onSocket + ", format: pem"), `4: proxies[0].format: want alb, alb-leaf, nginx, rfc9440, apache, haproxy, traefik or xfcc, got "pem"`},
		"a name with a slash": {
			one(`name: a/b, socket: "unix:/run/a.sock", format: alb`), `4: proxies[0].name: want 1 to 64 letters, digits, dots, hyphens or underscores, got "a/b"`},
		"two proxies of one name": {
			more(two(onSocket+", format: alb", `name: a, socket: "unix:/run/b.sock", format: alb`)),
			`6: proxies[1].name: "a" is the name of the proxy on line 5 already`},
		"two proxies at one socket": {
			more(two(onSocket+", format: alb", `name: b, socket: "unix:/run/../run/a.sock", format: alb`)),
			`6: proxies[1].socket: the same address as that of proxy "a"`},
		"the socket of the gRPC listener": {
			one("name: a, socket: " + socket + ", format: alb"), "4: proxies[0].socket: the same address as listen.grpc"},
		"a socket that is none": {
			one(`name: a, socket: "127.0.0.1:1", format: alb`),
			`4: proxies[0].socket: want unix:/path, got "127.0.0.1:1"; a proxy that connects by TCP is known by mtls or addresses`},
		"an abstract socket": {
			one(`name: a, socket: "unix:@a", format: alb`), "4: proxies[0].socket: an abstract socket has no file mode to guard it; write unix:/path"},
		"addresses without a listener": {
			one("name: a, addresses: [10.0.0.1], format: alb"), "4: proxies[0].addresses: needs listen.proxies.address: where does this proxy connect?"},
		"names without a listener": {
			one("name: a, mtls: [edge.internal], format: xfcc"), "4: proxies[0].mtls: needs listen.proxies.address: where does this proxy connect?"},
		"names at a listener without TLS": {
			atProxies(plainTCP, "proxies: [{name: a, mtls: [edge.internal], format: xfcc}]"),
			"4: proxies[0].mtls: needs listen.proxies with certificate, key and trustedCA: the CAs of the proxies' certificates"},
		"a listener to which nobody may connect": {
			atProxies(plainTCP, ""), "3: listen.proxies: no proxy is known by mtls or addresses, so nobody could connect: name one in proxies, or remove it"},
		"a listener for a proxy that has a socket": {
			atProxies(plainTCP, "proxies: [{"+onSocket+", format: alb}]"), "3: listen.proxies: no proxy is known by mtls or addresses, so nobody could connect: name one in proxies, or remove it"},
		"CAs for names that nobody has": {
			atProxies(withTLS, "proxies: [{name: a, addresses: [10.0.0.1], format: alb}]"), "3: listen.proxies: has trustedCA, and no proxy is known by mtls"},
		"a listener without an address": {
			atProxies("certificate: a, key: b", ""), "3: listen.proxies.address: required"},
		"a listener with half of TLS": {
			atProxies(plainTCP+", trustedCA: c", ""), "3: listen.proxies.certificate: required\n3: listen.proxies.key: required"},
		"the listener of another": {
			instead("{grpc", `{ops: "127.0.0.1:1", proxies: {address: "127.0.0.1:1"}, grpc`), "3: listen.ops: the same address as listen.proxies"},
		"nobody by name":    {atProxies(withTLS, "proxies: [{name: a, mtls: [], format: xfcc}]"), "4: proxies[0].mtls: must not be empty: nobody would be this proxy"},
		"nobody by address": {atProxies(plainTCP, "proxies: [{name: a, addresses: [], format: xfcc}]"), "4: proxies[0].addresses: must not be empty: nobody would be this proxy"},
		"a pattern of names": {
			atProxies(withTLS, "proxies: [{name: a, mtls: [\"*.internal\"], format: xfcc}]"),
			`4: proxies[0].mtls[0]: want a URI such as spiffe://mesh/envoy or a DNS name, without wildcards, got "*.internal"`},
		"one name of two proxies, in other capitals": {
			atProxies(withTLS, two("name: a, mtls: [Edge.internal], format: xfcc", "name: b, mtls: [\"dns:edge.Internal\"], format: xfcc")),
			`6: proxies[1].mtls: "dns:edge.Internal" is a name of proxy "a" too: a connection is of one proxy`},
		"networks of two proxies that overlap": {
			atProxies(plainTCP, two("name: a, addresses: [10.0.0.0/16], format: xfcc", "name: b, addresses: [10.0.3.7], format: xfcc")),
			`6: proxies[1].addresses: 10.0.3.7/32 and 10.0.0.0/16 of proxy "a" have addresses in common: a connection is of one proxy`},
		"everybody": {
			atProxies(plainTCP, "proxies: [{name: a, addresses: [0.0.0.0/0], format: xfcc}]"),
			`4: proxies[0].addresses[0]: "0.0.0.0/0" is wider than /8: whoever connects from there could name any client's certificate; list the proxy's own addresses`},
		"half of the world": {
			atProxies(plainTCP, "proxies: [{name: a, addresses: [\"8000::/1\"], format: xfcc}]"),
			`4: proxies[0].addresses[0]: "8000::/1" is wider than /8: whoever connects from there could name any client's certificate; list the proxy's own addresses`},
		"a network with bits too many": {
			atProxies(plainTCP, "proxies: [{name: a, addresses: [10.0.1.7/24], format: xfcc}]"),
			`4: proxies[0].addresses[0]: "10.0.1.7/24" has bits beyond its length; write 10.0.1.0/24`},
		"an IPv4 address as IPv6": {
			atProxies(plainTCP, "proxies: [{name: a, addresses: [\"::ffff:10.0.0.1\"], format: xfcc}]"),
			"4: proxies[0].addresses[0]: write the IPv4 address itself, without ::ffff: before it"},
		"an address with a zone": {
			atProxies(plainTCP, "proxies: [{name: a, addresses: [\"fe80::1%eth0\"], format: xfcc}]"),
			`4: proxies[0].addresses[0]: want an IP address or a network such as 10.0.1.0/24, got "fe80::1%eth0"`},
		"a name where addresses belong": {
			atProxies(plainTCP, "proxies: [{name: a, addresses: [edge.internal], format: xfcc}]"),
			`4: proxies[0].addresses[0]: want an IP address or a network such as 10.0.1.0/24, got "edge.internal"`},
		"too many addresses": {
			atProxies(plainTCP, "proxies: [{name: a, addresses: "+many("10.0.0.%d", 65)+", format: xfcc}]"), "4: proxies[0].addresses: more than 64 items"},
		"too many names": {
			atProxies(withTLS, "proxies: [{name: a, mtls: "+many("n%d.internal", 65)+", format: xfcc}]"), "4: proxies[0].mtls: more than 64 items"},
		"too many proxies": {
			more("proxies: " + many(`{name: a%d, socket: "unix:/run/x.sock", format: alb}`, 65)), "4: proxies: more than 64 items"},
		"an unknown key of a proxy": {
			one(onSocket + ", formt: alb, format: alb"), "4: proxies[0].formt: unknown key (did you mean format?)"},
		"addresses under the profile of FAPI 2.0": {
			atProxies(plainTCP, "profile: fapi2\nproxies: [{name: a, addresses: [10.0.0.1], format: xfcc}]"),
			"4: profile: fapi2: proxy a: want mtls or a socket: an address proves nobody"},
	})
}

func TestHeadersOfCertificatesAreRefused(t *testing.T) {
	named := func(header string) string { return one(onSocket + ", format: nginx, header: " + header) }
	taken := func(header string) refusal {
		return refusal{named(header), fmt.Sprintf("4: proxies[0].header: %q has a meaning of its own; have the proxy write the certificate into another", header)}
	}
	cases := map[string]refusal{
		"no header where the proxy has none of its own": {
			one(onSocket + ", format: nginx"), "4: proxies[0].header: required"},
		"a pseudo-header":             {named("':path'"), `4: proxies[0].header: want the name of a header, of letters, digits and hyphens, got ":path"`},
		"a header with an underscore": {named("x_cert"), `4: proxies[0].header: want the name of a header, of letters, digits and hyphens, got "x_cert"`},
		"a header without a name":     {named("''"), `4: proxies[0].header: want the name of a header, of letters, digits and hyphens, got ""`},
		"a header of 65 bytes":        {named(strings.Repeat("x", 65)), "4: proxies[0].header: longer than 64 bytes"},
		"Envoy's header as nginx's":   {named("X-Forwarded-Client-Cert"), "4: proxies[0].header: x-forwarded-client-cert is Envoy's and holds no nginx"},
		"another header as Envoy's":   {one(onSocket + ", format: xfcc, header: x-cert"), "4: proxies[0].header: xfcc is read from x-forwarded-client-cert"},

		"from: header without a format": {more("certificate: {from: header}"), "4: certificate.format: required"},
		"from: header without a header": {more("certificate: {from: header, format: apache}"), "4: certificate.header: required"},
		"from: header with Envoy's own": {more("certificate: {from: header, format: xfcc}"), `4: certificate.format: want alb, alb-leaf, nginx, rfc9440, apache, haproxy or traefik, got "xfcc"`},
		"a format without from: header": {more("certificate: {format: alb}"), "4: certificate.format: has meaning only with from: header"},
		"a header without from: header": {more("certificate: {from: xfcc, header: x-cert}"), "4: certificate.header: has meaning only with from: header"},
		"hops without from: xfcc": {more("certificate: {from: header, format: alb, hops: 2}"),
			"4: certificate.hops: more than 1 needs from: xfcc; source.certificate is that of the last proxy in front, not the client's"},
		"a format where the source belongs": {more("certificate: {from: alb}"), "4: certificate.from: write from: header, and format: alb"},
	}
	for _, header := range []string{"Authorization", "host", "Connection", "te", "Transfer-Encoding", "cookie", "x-request-id", "X-Original-URI", "x-envoy-retry-on", "certbearer-statement", "x-forwarded-for", "client-cert-chain"} {
		cases["the header "+header] = taken(header)
	}
	checkRefusals(t, cases)
}

// many is a list of n items.
func many(format string, n int) string {
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf(format, i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}
