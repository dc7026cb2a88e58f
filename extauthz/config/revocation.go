package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"
)

// Revocation says how it is learned what CAs have taken back. It is not about our
// own tokens: those are [Revocations].
type Revocation struct {
	// Directory keeps what was fetched for the next start; "" keeps nothing.
	Directory string
	// Allow are addresses to fetch from that are not public, or on other ports than
	// 80 and 443.
	Allow []AllowedAddresses
	// Refresh is after what time at most a location is asked again.
	Refresh time.Duration
	// Quota is how many MiB may be known, in memory and in Directory.
	Quota int
	// Wait bounds how long the first check of a certificate waits for its locations.
	// It is less than [Envoy.Timeout].
	Wait time.Duration
}

// AllowedAddresses are networks, such as "10.0.1.0/24". Without Ports they are
// those of the web, 80 and 443.
type AllowedAddresses struct {
	Addresses []string
	Ports     []int
}

const (
	// maxAllowed bounds what each connection is compared with, and each item's lists.
	maxAllowed = 64
	// defaultWait leaves more than half of Envoy's patience for the decision.
	defaultWait = 200 * time.Millisecond
)

// readRevocation takes Envoy's patience: an answer that comes later is none.
// keys is the folder beside which things are kept by default: certbearer writes there
// anyway.
func readRevocation(m *mapping, keys string, patience time.Duration) Revocation {
	r := Revocation{
		Directory: text(m, "directory", filepath.Join(filepath.Dir(keys), "crls"), orEmpty(m.doc.filePath)),
		Allow:     readAllow(m),
		Refresh:   duration(m, "refresh", time.Hour, time.Second, 24*time.Hour),
		Quota:     number(m, "quota", 1024, 1, 1<<20),
		Wait:      duration(m, "wait", min(defaultWait, patience*2/5), 0, 10*time.Second),
	}
	if m.sound("wait") && r.Wait >= patience {
		m.fail("wait", fmt.Sprintf("%s is not less than envoy.timeout, which is %s: Envoy would refuse before the answer comes", brief(r.Wait), brief(patience)))
	}
	return r
}

func readAllow(m *mapping) []AllowedAddresses {
	items := m.elements("allow")
	if len(items) > maxAllowed {
		m.fail("allow", fmt.Sprintf("more than %d items", maxAllowed))
		return nil
	}
	var all []AllowedAddresses
	for _, item := range items {
		inner := m.doc.mapping(item.node, item.path)
		inner.require("addresses")
		a := AllowedAddresses{Addresses: texts(inner, "addresses", parseFetched), Ports: numbers(inner, "ports", 1, 65535)}
		checkAllowed(inner, "addresses", len(a.Addresses))
		checkAllowed(inner, "ports", len(a.Ports))
		inner.close()
		all = append(all, a)
	}
	return all
}

func checkAllowed(m *mapping, name string, count int) {
	switch {
	case count > maxAllowed:
		m.fail(name, fmt.Sprintf("more than %d items", maxAllowed))
	case count == 0 && m.has(name) && m.sound(name):
		m.fail(name, "must not be empty: it would allow nothing")
	}
}

// numbers reads the key as a list of whole numbers, none of which stands twice.
func numbers(m *mapping, name string, least, most int) []int {
	var values []int
	for _, item := range m.elements(name) {
		value, ok := scalarOf(m.doc, item.node, item.path, numberKind, parseInt(least, most))
		switch {
		case !ok:
			m.doc.faulty[m.take(name)] = true
		case slices.Contains(values, value):
			m.doc.fault(item.node, item.path, fmt.Sprintf("%d stands twice", value))
		default:
			values = append(values, value)
		}
	}
	return values
}

// parseFetched accepts an IP address or a network that may be fetched from.
func parseFetched(text string) (string, error) {
	network, err := network(text)
	switch {
	case err != nil:
		return "", err
	case network.Bits() < leastBits:
		return "", fmt.Errorf("%s is wider than /%d: whoever writes a location could have nearly anything connected to; list the addresses of your CA", quote(text), leastBits)
	}
	return network.String(), nil
}

// network reads an IP address or a network.
func network(text string) (netip.Prefix, error) {
	const want = "want an IP address or a network such as 10.0.1.0/24"
	shown := quote(text)
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		text = netip.PrefixFrom(address, address.BitLen()).String()
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return network, errors.New(want + ", got " + shown)
	case network.Addr().Is4In6():
		return network, errors.New("write the IPv4 address itself, without ::ffff: before it")
	case network != network.Masked():
		return network, errors.New(shown + " has bits beyond its length; write " + network.Masked().String())
	}
	return network, nil
}
