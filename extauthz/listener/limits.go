package listener

import (
	"cmp"
	"time"
)

// GRPCLimits bounds what callers of a gRPC listener may ask for. A zero field
// means the default that stands beside it.
type GRPCLimits struct {
	Connections int    // at once; 1024
	Streams     uint32 // at once on a connection; 1024
	// MessageBytes has to hold what Envoy makes of the largest chain that its TLS
	// library lets through: 100 KiB, of which the leaf comes three times and every
	// byte can take four. A check that does not fit would be an error to Envoy and
	// not a refusal.
	MessageBytes int    // of a request or an answer; 2 MiB
	HeaderBytes  uint32 // of gRPC metadata; 16 KiB
	// ConnectionTimeout is kept below the time to drain, which waits for it.
	ConnectionTimeout time.Duration // from accept to the end of the HTTP/2 handshake; 5 s
	PingInterval      time.Duration // the caller's pings may not come faster; 1 s
	ConnectionAge     time.Duration // then the caller is asked to connect anew; 1 h
}

const (
	// A connection whose caller vanished is kept for the sum of these two.
	pingAfter  = 30 * time.Second
	pingAnswer = 10 * time.Second
	// ageGrace is what requests under way get when a connection has its age.
	ageGrace = 30 * time.Second
)

func (l GRPCLimits) orDefaults() GRPCLimits {
	return GRPCLimits{
		Connections:       cmp.Or(l.Connections, 1024),
		Streams:           cmp.Or(l.Streams, 1024),
		MessageBytes:      cmp.Or(l.MessageBytes, 2<<20),
		HeaderBytes:       cmp.Or(l.HeaderBytes, 16<<10),
		ConnectionTimeout: cmp.Or(l.ConnectionTimeout, 5*time.Second),
		PingInterval:      cmp.Or(l.PingInterval, time.Second),
		ConnectionAge:     cmp.Or(l.ConnectionAge, time.Hour),
	}
}

// HTTPLimits bounds what callers of an HTTP listener may ask for. A zero field
// means the default that stands beside it.
type HTTPLimits struct {
	Connections   int           // at once; 1024
	HeaderBytes   int           // of request line and headers; 96 KiB, above the 64 KiB of forwarded certificates
	BodyBytes     int64         // of a request's body; 64 KiB
	HeaderTimeout time.Duration // to send the headers; 5 s
	ReadTimeout   time.Duration // to send the whole request; 10 s
	WriteTimeout  time.Duration // from the end of the headers to the end of the answer; 30 s
	IdleTimeout   time.Duration // between requests; 2 min
}

func (l HTTPLimits) orDefaults() HTTPLimits {
	return HTTPLimits{
		Connections:   cmp.Or(l.Connections, 1024),
		HeaderBytes:   cmp.Or(l.HeaderBytes, 96<<10),
		BodyBytes:     cmp.Or(l.BodyBytes, 64<<10),
		HeaderTimeout: cmp.Or(l.HeaderTimeout, 5*time.Second),
		ReadTimeout:   cmp.Or(l.ReadTimeout, 10*time.Second),
		WriteTimeout:  cmp.Or(l.WriteTimeout, 30*time.Second),
		IdleTimeout:   cmp.Or(l.IdleTimeout, 2*time.Minute),
	}
}
