package listener_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/certbearer/certbearer/extauthz/listener"
)

// fake is a server that takes what time it is told to shut down.
type fake struct {
	takes    time.Duration
	fail     chan error
	stop     chan struct{}
	once     sync.Once
	shutting atomic.Pointer[time.Time]
}

func newFake(takes time.Duration) *fake {
	return &fake{takes: takes, fail: make(chan error, 1), stop: make(chan struct{})}
}

func (f *fake) Addr() net.Addr { return &net.UnixAddr{Name: "fake", Net: "unix"} }

func (f *fake) Serve() error {
	select {
	case err := <-f.fail:
		return err
	case <-f.stop:
		return nil
	}
}

func (f *fake) Shutdown(ctx context.Context) error {
	defer f.once.Do(func() { close(f.stop) })
	now := time.Now()
	f.shutting.Store(&now)
	select {
	case <-time.After(f.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestDrainTakesItsTime(t *testing.T) {
	for name, test := range map[string]struct {
		takes     time.Duration
		want      time.Duration
		wantError error
	}{
		"requests that finish":        {takes: time.Second, want: 4 * time.Second},
		"requests that never finish":  {takes: time.Hour, want: 8 * time.Second, wantError: context.DeadlineExceeded},
		"nothing that is to be ended": {want: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow, quick := newFake(test.takes), newFake(0)
				ready := listener.NewReadiness()
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				ended := make(chan error, 1)
				group := listener.Group{
					Servers: []listener.Server{slow, quick}, Readiness: ready,
					DrainDelay: 3 * time.Second, DrainTimeout: 5 * time.Second,
				}
				go func() { ended <- group.Serve(ctx) }()
				synctest.Wait()
				if !ready.Ready() {
					t.Fatal("not ready while serving")
				}
				began := time.Now()
				stop()
				synctest.Wait()
				if since := slow.shutting.Load(); ready.Ready() || since != nil {
					t.Errorf("ready %v, shutting down since %v: want readiness to go first", ready.Ready(), since)
				}
				if err := <-ended; !errors.Is(err, test.wantError) {
					t.Errorf("Serve = %v, want %v", err, test.wantError)
				}
				if took := time.Since(began); took != test.want {
					t.Errorf("took %v, want %v", took, test.want)
				}
				if waited := slow.shutting.Load().Sub(began); waited != 3*time.Second {
					t.Errorf("stopped accepting after %v, want 3s", waited)
				}
			})
		})
	}
}

func TestTheFirstServerThatFailsEndsAll(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		err      error
		draining bool
		want     string
	}{
		"with an error":          {err: broken, want: "listener fake: broken"},
		"without an error":       {want: "ended without being asked to"},
		"while it waits to stop": {err: broken, draining: true, want: "listener fake: broken"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failing, healthy := newFake(0), newFake(0)
				ready := listener.NewReadiness()
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				group := listener.Group{
					Servers: []listener.Server{healthy, failing}, Readiness: ready, DrainDelay: time.Hour,
				}
				ended := make(chan error, 1)
				go func() { ended <- group.Serve(ctx) }()
				if test.draining {
					stop()
					synctest.Wait()
				}
				began := time.Now()
				failing.fail <- test.err
				wantError(t, <-ended, test.want)
				if since := healthy.shutting.Load(); since == nil || ready.Ready() || time.Since(began) != 0 {
					t.Errorf("the other shut down at %v, ready %v, after %v", since, ready.Ready(), time.Since(began))
				}
			})
		})
	}
}

func TestAGroupOfNothingIsRefused(t *testing.T) {
	for name, group := range map[string]listener.Group{
		"no servers":   {Readiness: listener.NewReadiness()},
		"no readiness": {Servers: []listener.Server{newFake(0)}},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, group.Serve(t.Context()), "needs servers and a readiness") })
	}
}

// TestDrainOfRealServers drains a gRPC and an HTTP server, each with a request
// under way and gRPC with a health watch that would never end by itself.
func TestDrainOfRealServers(t *testing.T) {
	dir := shortDir(t)
	ready := listener.NewReadiness()
	e := opened(t, listener.EvidenceConfig{Address: "unix:" + filepath.Join(dir, "extauthz.sock"), Readiness: ready})
	p := newProbe()
	p.register(e)
	entered := make(chan struct{})
	h, err := listener.ListenHTTP(t.Context(), listener.HTTPConfig{
		Address: "unix:" + filepath.Join(dir, "http.sock"),
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-p.release }),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	group := listener.Group{Servers: []listener.Server{e, h}, Readiness: ready}
	ended := make(chan error, 1)
	go func() { ended <- group.Serve(ctx) }()

	conn := connect(t, e.Addr(), nil)
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(bounded(t), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := watch.Recv(); err != nil || answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("watch: %v, %v", answer, err)
	}
	answer := p.waiting(t, conn)
	status := make(chan int, 1)
	client := clientOf(t, h.Addr())
	go func() {
		got, _ := post(t, client, "/", "")
		status <- got
	}()
	<-entered

	stop()
	for err == nil {
		_, err = watch.Recv()
	}
	if ready.Ready() {
		t.Error("ready while draining")
	}
	waitUntil(t, "the socket is gone", func() bool {
		_, err := net.Dial("unix", e.Addr().String())
		return err != nil
	})
	select {
	case err := <-ended:
		t.Fatalf("ended with requests under way: %v", err)
	case err := <-answer:
		t.Fatalf("the request under way was cut off: %v", err)
	default:
	}
	close(p.release)
	if err := <-answer; err != nil {
		t.Errorf("the gRPC request under way: %v", err)
	}
	if got := <-status; got != http.StatusOK {
		t.Errorf("the HTTP request under way: status %d", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	ctx := bounded(t)
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never came about: %s", what)
		}
	}
}

func TestRequestsThatNeverFinishAreCutOff(t *testing.T) {
	ready := listener.NewReadiness()
	config := socketConfig(t)
	e := opened(t, config)
	p := newProbe()
	p.register(e)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	group := listener.Group{Servers: []listener.Server{e}, Readiness: ready, DrainTimeout: 50 * time.Millisecond}
	ended := make(chan error, 1)
	go func() { ended <- group.Serve(ctx) }()
	answer := p.waiting(t, connect(t, e.Addr(), nil))
	stop()
	wantError(t, <-ended, "cut off")
	if err := <-answer; err == nil {
		t.Error("the request that was cut off has an answer")
	}
}
