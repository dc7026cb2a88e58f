package listener

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	unixPrefix = "unix:"
	// maxAddress is above every path the system takes and every host name.
	maxAddress = 4096
)

// Address is where a server listens: a Unix socket or a TCP host and port.
// Exactly one of the two is set; the zero value is no address.
type Address struct {
	path     string
	hostPort string
}

// ParseAddress reads "unix:/path", "unix:///path" or "host:port". The port is a
// number; 0 lets the system choose; an empty host means every interface.
// Abstract Unix sockets ("unix:@name") are refused: they have no file, so no
// mode that could keep strangers out.
func ParseAddress(text string) (Address, error) {
	if len(text) > maxAddress {
		return Address{}, fmt.Errorf("listen address: over %d bytes", maxAddress)
	}
	if path, ok := strings.CutPrefix(text, unixPrefix); ok {
		return parsePath(text, path)
	}
	return parseHostPort(text)
}

func parsePath(text, path string) (Address, error) {
	switch {
	case path == "":
		return Address{}, fmt.Errorf("listen address %q: no path after %q", text, unixPrefix)
	case strings.HasPrefix(path, "@"):
		return Address{}, fmt.Errorf("listen address %q: an abstract socket has no mode that keeps strangers out; use a path", text)
	case strings.ContainsRune(path, 0):
		return Address{}, fmt.Errorf("listen address %q: the path contains a NUL byte", text)
	case strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///"):
		return Address{}, fmt.Errorf("listen address %q: names a host; write unix:/path", text)
	case strings.HasSuffix(path, "/"):
		return Address{}, fmt.Errorf("listen address %q: ends in a slash, so it names a folder", text)
	}
	path = filepath.Clean(path)
	switch base := filepath.Base(path); {
	case base == "." || base == "..":
		return Address{}, fmt.Errorf("listen address %q: names a folder", text)
	case strings.HasPrefix(path, "@"):
		// A file, by its "./"; without it the name would be an abstract socket's.
		path = "./" + path
	}
	return Address{path: path}, nil
}

func parseHostPort(text string) (Address, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return Address{}, fmt.Errorf("listen address %q: neither unix:/path nor host:port: %w", text, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return Address{}, fmt.Errorf("listen address %q: the port is not a number from 0 to 65535", text)
	}
	if strings.ContainsAny(host, "/@ ") {
		return Address{}, fmt.Errorf("listen address %q: %q is no host", text, host)
	}
	return Address{hostPort: net.JoinHostPort(host, port)}, nil
}

// Unix reports whether the address is a Unix socket.
func (a Address) Unix() bool { return a.path != "" }

// String returns the address in the form that ParseAddress reads.
func (a Address) String() string {
	if a.Unix() {
		return unixPrefix + a.path
	}
	return a.hostPort
}
