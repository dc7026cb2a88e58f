// Package listener owns the sockets: who may connect, how much a connection may
// ask for, and how everything ends without losing a request.
//
// Evidence is believed only from a proven caller, because certificates are
// public and whoever can ask can name anybody's. A Unix socket proves its
// callers by the mode of its file (0660), a TCP listener by mutual TLS and a
// list of names ([MTLS]). Any other TCP listener, loopback too, is refused
// unless [Callers].Unauthenticated says that it is wanted.
//
// [ListenEvidence] makes the gRPC server, [ListenHTTP] a server of plain HTTP,
// and [Group] runs and drains them together. What they are asked for is bounded
// in size, count and time before anything of it is parsed. A panic in a handler
// answers that one request with an error and is reported; it never ends the
// process.
package listener

import (
	"context"
	"errors"
	"net"

	"golang.org/x/net/netutil"
)

// Listen opens the address. A Unix socket is created with mode 0660, replaces
// a socket that nobody answers, and is removed again by Close if it is still
// the same file.
func Listen(ctx context.Context, address Address) (net.Listener, error) {
	if address.Unix() {
		return listenUnix(ctx, address.path)
	}
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", address.hostPort)
}

// listen opens an address and bounds its connections.
func listen(ctx context.Context, address Address, connections int) (net.Listener, error) {
	open, err := Listen(ctx, address)
	if err != nil {
		return nil, err
	}
	return netutil.LimitListener(open, connections), nil
}

// closed takes it as no error that something was closed before.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
