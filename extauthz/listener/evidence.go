package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// EvidenceConfig describes a gRPC listener whose callers are believed about
// certificates. Readiness may be nil: always ready.
type EvidenceConfig struct {
	Address   string
	Callers   Callers
	Limits    GRPCLimits
	Readiness *Readiness
	Events    Events
	// Options are added to the server's own, for a codec or a stats handler.
	// They must not set credentials or loosen a limit.
	Options []grpc.ServerOption
}

// Evidence is a gRPC server on an open socket. It serves gRPC health, where
// each registered service and the empty name are SERVING while Readiness says
// so.
type Evidence struct {
	listener        net.Listener
	server          *grpc.Server
	health          *health.Server
	readiness       *Readiness
	events          Events
	identity        *identity
	unauthenticated bool
	draining        chan struct{}
	drainOnce       sync.Once
}

// ListenEvidence opens the address and builds the server. A TCP address
// without proven callers is an error that says what to write.
func ListenEvidence(ctx context.Context, config EvidenceConfig) (*Evidence, error) {
	e := &Evidence{
		health:          health.NewServer(),
		readiness:       config.Readiness,
		events:          config.Events,
		unauthenticated: config.Callers.Unauthenticated,
		draining:        make(chan struct{}),
	}
	if e.readiness == nil {
		e.readiness = NewReadiness()
	}
	address, err := ParseAddress(config.Address)
	if err != nil {
		return nil, err
	}
	if err := e.prove(address, config.Callers); err != nil {
		return nil, err
	}
	limits := config.Limits.orDefaults()
	if e.listener, err = listen(ctx, address, limits.Connections); err != nil {
		return nil, err
	}
	e.server = grpc.NewServer(append(e.options(limits), config.Options...)...)
	grpc_health_v1.RegisterHealthServer(e, e.health)
	e.followReadiness("")
	return e, nil
}

func (e *Evidence) prove(address Address, callers Callers) error {
	if err := callers.check(address); err != nil {
		return err
	}
	if callers.MTLS == nil {
		return nil
	}
	id, err := newCallersIdentity(*callers.MTLS, e.events.Reloaded)
	if err != nil {
		return fmt.Errorf("listener %s: %w", address, err)
	}
	e.identity = id
	return nil
}

// RegisterService adds a service, before Serve. Panics in its methods, and
// while their requests are decoded, become the status INTERNAL; its streams
// end when draining begins.
func (e *Evidence) RegisterService(service *grpc.ServiceDesc, implementation any) {
	e.server.RegisterService(e.guard(service), implementation)
	e.followReadiness(service.ServiceName)
}

func (e *Evidence) followReadiness(service string) {
	e.readiness.follow(func(ready bool) {
		status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
		if ready {
			status = grpc_health_v1.HealthCheckResponse_SERVING
		}
		e.health.SetServingStatus(service, status)
	})
}

// Addr returns the address that was opened, with the port that was chosen.
func (e *Evidence) Addr() net.Addr { return e.listener.Addr() }

// Unauthenticated reports whether everyone who can connect is believed.
func (e *Evidence) Unauthenticated() bool { return e.unauthenticated }

// Fault returns why changed mTLS files are not in use, or nil.
func (e *Evidence) Fault() error {
	if e.identity == nil {
		return nil
	}
	return e.identity.health()
}

// Serve answers until Shutdown or Close, which make it return nil.
func (e *Evidence) Serve() error {
	err := e.server.Serve(e.listener)
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Shutdown stops accepting, lets requests under way finish and returns nil. If
// ctx ends first, what is left is cut off and the error says so.
func (e *Evidence) Shutdown(ctx context.Context) error {
	e.drainOnce.Do(func() { close(e.draining) })
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		e.server.GracefulStop()
	}()
	select {
	case <-finished:
		// A server that never served knows nothing of its socket.
		return closed(e.listener.Close())
	case <-ctx.Done():
		e.server.Stop()
		return errors.Join(fmt.Errorf("requests under way were cut off: %w", ctx.Err()), closed(e.listener.Close()))
	}
}

// Close ends everything at once. It is for a server that was never served;
// [Evidence.Shutdown] is the way to end one that was.
func (e *Evidence) Close() error {
	e.drainOnce.Do(func() { close(e.draining) })
	e.server.Stop()
	return closed(e.listener.Close())
}
