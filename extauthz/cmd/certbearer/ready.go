package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

type readyCommand struct {
	configFlag
}

// Help is shown below the usage.
func (readyCommand) Help() string {
	return `Asks the running certbearer of the configuration for /readyz, at listen.ops. It is
the health check of the container image, which has no shell and no curl.

  certbearer ready --config demo/certbearer.yaml`
}

const (
	readyTimeout  = 3 * time.Second
	maxReadyBytes = 4 << 10
)

// Run asks.
func (r readyCommand) Run(c *console) error {
	settings, err := r.load()
	if err != nil {
		return err
	}
	if settings.Listen.Ops == "" {
		return errors.New("listen.ops is \"\": there is no /readyz to ask")
	}
	ctx, cancel := context.WithTimeout(c.ctx, readyTimeout)
	defer cancel()
	status, said, err := askOps(ctx, settings.Listen.Ops, "/readyz")
	if err != nil {
		fmt.Fprintln(c.stdout, "not ready:", err)
		return no()
	}
	if status != http.StatusOK {
		fmt.Fprintf(c.stdout, "not ready: %s\n", said)
		return no()
	}
	fmt.Fprintln(c.stdout, "ready")
	return nil
}

// askOps gets a path of the operators' listener from where it runs.
func askOps(ctx context.Context, address, path string) (status int, said string, err error) {
	network, at := "tcp", reachable(address)
	if socket, is := strings.CutPrefix(address, "unix:"); is {
		network, at = "unix", socket
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at)
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://certbearer"+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReadyBytes))
	return response.StatusCode, strings.TrimSpace(string(body)), err
}

// reachable is a listen address as it is dialled: every address of the machine is
// listened to, loopback among them.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host != "" && (err != nil || !ip.IsUnspecified()):
		return address
	case ip.Is6():
		return net.JoinHostPort("::1", port)
	default:
		return net.JoinHostPort("127.0.0.1", port)
	}
}
