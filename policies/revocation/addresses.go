package revocation

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// Allowed are addresses that are fetched from although they are not public, or
// not on port 80 or 443: the operator's own CA.
type Allowed struct {
	Prefix netip.Prefix
	// Ports; none means 80 and 443.
	Ports []uint16
}

var webPorts = []uint16{80, 443}

// reserved4 are the networks of IPv4 that belong to nobody on the internet
// (IANA's registry of special-purpose addresses), with that of one cloud's own
// services, which looks like any other.
var reserved4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
	"172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3")

// Of IPv6 what is global unicast is public, without the networks in which an
// address of IPv4 may be hidden (Teredo, 6to4), and those for examples.
var (
	global6   = netip.MustParsePrefix("2000::/3")
	reserved6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	// nat64 (RFC 6052) leads to the address of IPv4 in its last four bytes.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(all ...string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, text := range all {
		parsed = append(parsed, netip.MustParsePrefix(text))
	}
	return parsed
}

// real returns the address that a dialled one leads to, IPv4 where it is mapped
// or translated.
func real(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		octets := a.As16()
		return netip.AddrFrom4([4]byte(octets[12:]))
	}
	return a
}

func isPublic(a netip.Addr) bool {
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	if a.Is4() {
		return !slices.ContainsFunc(reserved4, within)
	}
	return global6.Contains(a) && !slices.ContainsFunc(reserved6, within)
}

// checkAddress is asked on every dial, with the address that the name led to:
// whoever answers for a name, or redirects, cannot lead us into our own network.
func checkAddress(address string, allowed []Allowed) error {
	dialled, err := netip.ParseAddrPort(address)
	if err != nil {
		return errors.New("the address to connect to cannot be read")
	}
	to, port := real(dialled.Addr()), dialled.Port()
	if isPublic(to) && slices.Contains(webPorts, port) {
		return nil
	}
	for _, a := range allowed {
		ports := a.Ports
		if len(ports) == 0 {
			ports = webPorts
		}
		if a.Prefix.Contains(to) && slices.Contains(ports, port) {
			return nil
		}
	}
	return fmt.Errorf("connections to %s are not allowed: it is not public, or the port is neither 80 nor 443 (what is to be asked all the same stands in revocation.allow)", netip.AddrPortFrom(to, port))
}

// control is a net.Dialer's Control.
func control(allowed []Allowed) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return in(Forbidden, fmt.Errorf("connections over %s are not allowed", network))
		}
		return in(Forbidden, checkAddress(address, allowed))
	}
}
