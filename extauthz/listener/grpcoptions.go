package listener

import (
	"context"
	"errors"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

func (e *Evidence) options(limits GRPCLimits) []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(limits.MessageBytes),
		grpc.MaxSendMsgSize(limits.MessageBytes),
		grpc.MaxConcurrentStreams(limits.Streams),
		grpc.MaxHeaderListSize(limits.HeaderBytes),
		grpc.ConnectionTimeout(limits.ConnectionTimeout),
		// Envoy keeps its connections without requests and pings them.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: limits.PingInterval, PermitWithoutStream: true,
		}),
		// A connection's age bounds how long a caller is believed whose
		// certificate has expired or is no longer listed.
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: pingAfter, Timeout: pingAnswer,
			MaxConnectionAge: limits.ConnectionAge, MaxConnectionAgeGrace: ageGrace,
		}),
	}
	if e.identity != nil {
		tls := credentials.NewTLS(e.identity.serverConfig())
		options = append(options, grpc.Creds(reporting{TransportCredentials: tls, events: e.events}))
	}
	return options
}

// reporting tells of handshakes that failed, which gRPC otherwise keeps to
// itself.
type reporting struct {
	credentials.TransportCredentials
	events Events
}

// ServerHandshake is the one of TLS. A caller that connects and leaves without
// a word, as port probes do, is not worth telling.
func (r reporting) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := r.TransportCredentials.ServerHandshake(conn)
	if err != nil && !errors.Is(err, io.EOF) && r.events.Refused != nil {
		r.events.Refused(conn.RemoteAddr(), err)
	}
	return secured, info, err
}

// Clone keeps the reporting.
func (r reporting) Clone() credentials.TransportCredentials {
	return reporting{TransportCredentials: r.TransportCredentials.Clone(), events: r.events}
}

// stream is a server stream that ends when draining begins. Health's Watch has
// no end of its own and would hold up every drain.
type stream struct {
	grpc.ServerStream
	context func() context.Context
}

// Context returns the context that draining ends.
func (s stream) Context() context.Context { return s.context() }
