package listener

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Server is what a Group runs: [Evidence] or [HTTP].
type Server interface {
	Addr() net.Addr
	// Serve blocks until the server ends, nil after Shutdown.
	Serve() error
	// Shutdown lets requests under way finish and cuts them off when ctx ends.
	Shutdown(ctx context.Context) error
}

// defaultDrainTimeout is below the 30 s that Kubernetes gives by default.
const defaultDrainTimeout = 10 * time.Second

// Group runs servers that begin and end together.
type Group struct {
	Servers   []Server
	Readiness *Readiness // required
	// DrainDelay is the time from not being ready to not accepting, in which
	// whoever sends requests here notices. Zero means none.
	DrainDelay time.Duration
	// DrainTimeout bounds how long requests under way may take to finish after
	// that. Zero means 10 s.
	DrainTimeout time.Duration
}

type ending struct {
	server Server
	err    error
}

// Serve runs the servers until ctx ends: then it is no longer ready, waits
// DrainDelay, shuts all servers down and returns nil, or what went wrong on the
// way. A server that ends by itself ends all of them, and its error is
// returned.
func (g *Group) Serve(ctx context.Context) error {
	if g.Readiness == nil || len(g.Servers) == 0 {
		return errors.New("listener group: needs servers and a readiness")
	}
	endings := make(chan ending, len(g.Servers))
	for _, server := range g.Servers {
		go func() { endings <- ending{server, server.Serve()} }()
	}
	running, failure := g.run(ctx, endings)
	errs := []error{failure, g.shutdown(ctx)}
	for range running {
		end := <-endings
		errs = append(errs, named(end.server, end.err))
	}
	return errors.Join(errs...)
}

// run returns when it is time to shut down, with the number of servers that
// still run.
func (g *Group) run(ctx context.Context, endings <-chan ending) (int, error) {
	running := len(g.Servers)
	select {
	case end := <-endings:
		g.Readiness.Block(draining)
		return running - 1, unexpected(end)
	case <-ctx.Done():
	}
	g.Readiness.Block(draining)
	delay := time.NewTimer(g.DrainDelay)
	defer delay.Stop()
	select {
	case end := <-endings:
		return running - 1, unexpected(end)
	case <-delay.C:
		return running, nil
	}
}

// shutdown outlives ctx, which has ended already.
func (g *Group) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(g.DrainTimeout, defaultDrainTimeout))
	defer cancel()
	done := make(chan error, len(g.Servers))
	for _, server := range g.Servers {
		go func() { done <- named(server, server.Shutdown(ctx)) }()
	}
	var errs []error
	for range g.Servers {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}

func unexpected(end ending) error {
	if end.err == nil {
		return fmt.Errorf("listener %s: ended without being asked to", end.server.Addr())
	}
	return named(end.server, end.err)
}

func named(server Server, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("listener %s: %w", server.Addr(), err)
}
