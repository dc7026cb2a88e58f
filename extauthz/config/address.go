package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

const unixScheme = "unix:"

func isUnix(address string) bool { return strings.HasPrefix(address, unixScheme) }

// listenAddress accepts "unix:/path" and "host:port". Port 0 lets the system
// choose.
func (d *document) listenAddress(text string) (string, error) {
	path, unix := strings.CutPrefix(text, unixScheme)
	if !unix {
		return splitHostPort(text, "unix:/path or host:port")
	}
	if strings.HasPrefix(path, "@") {
		return "", errors.New("an abstract socket has no file mode to guard it; write unix:/path")
	}
	path, err := d.filePath(path)
	if err != nil {
		return "", errors.New("want unix:/path")
	}
	return unixScheme + path, nil
}

// reachedAddress accepts an address that somebody can connect to.
func (d *document) reachedAddress(text string) (string, error) {
	address, err := d.listenAddress(text)
	if err == nil && (isUnspecified(address) || hasPortZero(address)) {
		return "", errors.New("want the address that is connected to, with its host and port, got " + quote(text))
	}
	return address, err
}

// isUnspecified reports a TCP address that means every network of the machine.
func isUnspecified(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if isUnix(address) || err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.Unmap().IsUnspecified()
}

func hasPortZero(address string) bool {
	return !isUnix(address) && strings.HasSuffix(address, ":0")
}

// collide reports two listeners that cannot both be on one machine. Port 0 is a
// port of its own each time.
func collide(a, b string) bool {
	if a == "" || b == "" || isUnix(a) || isUnix(b) || hasPortZero(a) {
		return a == b && isUnix(a)
	}
	hostA, portA, _ := net.SplitHostPort(a) // both were read before
	hostB, portB, _ := net.SplitHostPort(b)
	return portA == portB && (hostA == hostB || isUnspecified(a) || isUnspecified(b))
}

// hostPort accepts a host and a port number. The host must be written: an
// empty one would listen on every network.
func hostPort(text string) (string, error) {
	if isUnix(text) {
		return "", fmt.Errorf("want host:port, got %s", quote(text))
	}
	return splitHostPort(text, "host:port")
}

// splitHostPort is hostPort with the words for what is wanted.
func splitHostPort(text, want string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("want %s, got %s", want, quote(text))
	}
	if host == "" {
		return "", errors.New("want a host before the port; write 127.0.0.1 for this machine or 0.0.0.0 for every network")
	}
	if !isHost(host) {
		return "", fmt.Errorf("%s is no host name or IP address", quote(host))
	}
	if _, ok := portNumber(port); !ok {
		return "", fmt.Errorf("want a port number of 0 to 65535, got %s", quote(port))
	}
	return net.JoinHostPort(host, port), nil
}

func portNumber(text string) (uint16, bool) {
	value, err := strconv.ParseUint(text, 10, 16)
	return uint16(value), err == nil && decimal.MatchString(text)
}

// isHost reports an IP address without a zone, or a DNS name.
func isHost(text string) bool {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Zone() == ""
	}
	return isDNSName(text)
}

func isIPv4(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Is4()
}

var dnsLabel = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)

// isDNSName reports a name of letters, digits, hyphens and, because container
// networks have them, underscores. A name whose last label is a number is
// refused: some readers take it for an IPv4 address and others do not.
func isDNSName(text string) bool {
	if len(text) > 253 {
		return false
	}
	labels := strings.Split(text, ".")
	for _, label := range labels {
		if !dnsLabel.MatchString(label) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != ""
}
