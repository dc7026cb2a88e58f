package envoy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// maxSocketPath is the longest path of a Unix socket that both Linux (108) and
// macOS (104, one of them the closing zero) take.
const maxSocketPath = 103

// address is a parsed "unix:/path" or "host:port": socket is set, or host is.
type address struct {
	socket string
	host   string
	port   uint16
}

func parseAddress(text string) (address, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return parseSocket(path)
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return address{}, errors.New(`must be "unix:/path" or "host:port"`)
	}
	if err := checkHost(host); err != nil {
		return address{}, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return address{}, fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	return address{host: host, port: uint16(number)}, nil
}

func parseSocket(path string) (address, error) {
	switch {
	case !strings.HasPrefix(path, "/"):
		return address{}, errors.New("the path of a Unix socket must be absolute")
	case len(path) > maxSocketPath:
		return address{}, fmt.Errorf("the path of a Unix socket has %d bytes, the system takes %d", len(path), maxSocketPath)
	}
	return address{socket: path}, checkText(path)
}

// parseListen reads the IP address and port of a listener. A name is refused:
// which of its addresses would be listened on is nothing to leave to a resolver.
func parseListen(text string) (address, error) {
	parsed, err := netip.ParseAddrPort(text)
	if err != nil || parsed.Addr().Zone() != "" {
		return address{}, errors.New(`must be an IP address and a port, such as "127.0.0.1:8443" or "[::]:8443"`)
	}
	return address{host: parsed.Addr().String(), port: parsed.Port()}, nil
}

// local reports whether what is sent there stays on this machine.
func (a address) local() bool {
	if a.socket != "" {
		return true
	}
	ip, err := netip.ParseAddr(a.host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (a address) isName() bool {
	if a.socket != "" {
		return false
	}
	_, err := netip.ParseAddr(a.host)
	return err != nil
}

func (a address) proto() *corev3.Address {
	if a.socket != "" {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: a.socket}}}
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       a.host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(a.port)},
	}}}
}

// checkHost accepts an IP address without zone and a DNS name of RFC 1123.
func checkHost(host string) error {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		return nil
	}
	if host == "" || len(host) > 253 {
		return fmt.Errorf("host has %d bytes, a DNS name has 1 to 253", len(host))
	}
	for label := range strings.SplitSeq(host, ".") {
		if !isLabel(label) {
			return fmt.Errorf("%q is neither an IP address nor a DNS name", host)
		}
	}
	return nil
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		if !isAlphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
