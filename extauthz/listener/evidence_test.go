package listener_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/certbearer/certbearer/extauthz/listener"
)

func socketConfig(t *testing.T) listener.EvidenceConfig {
	t.Helper()
	return listener.EvidenceConfig{Address: "unix:" + filepath.Join(shortDir(t), "extauthz.sock")}
}

func TestAPanicEndsOneRequestOnly(t *testing.T) {
	panics := make(chan listener.Panic, 2)
	config := socketConfig(t)
	config.Events.Panicked = func(p listener.Panic) { panics <- p }
	e := opened(t, config)
	newProbe().register(e)
	start(t, e)
	conn := connect(t, e.Addr(), nil)
	for name, method := range map[string]string{
		"while a request is decoded or handled": "Panic",
		"in a stream":                           "PanicStream",
	} {
		t.Run(name, func(t *testing.T) {
			err := call(bounded(t), conn, method)
			if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want a bare INTERNAL", err)
			}
			got := <-panics
			if got.Where != "/test.Probe/"+method || got.Value == nil || !strings.Contains(string(got.Stack), "probe_test.go") {
				t.Errorf("told of %s: %v\n%s", got.Where, got.Value, got.Stack)
			}
		})
	}
	if _, err := health(t, conn, ""); err != nil {
		t.Errorf("after the panics: %v", err)
	}
}

func TestGRPCLimits(t *testing.T) {
	config := socketConfig(t)
	config.Limits = listener.GRPCLimits{MessageBytes: 1000, HeaderBytes: 2000}
	e := opened(t, config)
	p := newProbe()
	p.register(e)
	close(p.release)
	start(t, e)
	conn := connect(t, e.Addr(), nil)
	if err := call(bounded(t), conn, "Wait"); err != nil {
		t.Fatal(err)
	}
	large := wrapperspb.String(strings.Repeat("a", 1001))
	err := conn.Invoke(bounded(t), "/test.Probe/Wait", large, new(wrapperspb.StringValue))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message over the limit: %v", err)
	}
	ctx := metadata.AppendToOutgoingContext(bounded(t), "large", strings.Repeat("a", 2000))
	if err := call(ctx, conn, "Wait"); err == nil {
		t.Error("metadata over the limit was taken")
	}
}

func TestHealthFollowsReadiness(t *testing.T) {
	config := socketConfig(t)
	config.Readiness = listener.NewReadiness("clients", "keys")
	e := opened(t, config)
	newProbe().register(e)
	start(t, e)
	conn := connect(t, e.Addr(), nil)
	want := func(step string, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", "test.Probe"} {
			if got, err := health(t, conn, service); got != want || err != nil {
				t.Errorf("%s: %q is %v, %v; want %v", step, service, got, err, want)
			}
		}
	}
	want("at the start", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	config.Readiness.Lift("clients")
	want("with one of two", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	config.Readiness.Lift("keys")
	want("with both", grpc_health_v1.HealthCheckResponse_SERVING)
	config.Readiness.Block("keys")
	want("with one gone", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	if _, err := health(t, conn, "unknown.Service"); status.Code(err) != codes.NotFound {
		t.Errorf("an unknown service: %v", err)
	}
}

func TestUnauthenticatedIsServedAndSaid(t *testing.T) {
	e := serving(t, listener.EvidenceConfig{
		Address: "127.0.0.1:0", Callers: listener.Callers{Unauthenticated: true},
	})
	if !e.Unauthenticated() {
		t.Error("Unauthenticated = false")
	}
	if _, err := health(t, connect(t, e.Addr(), nil), ""); err != nil {
		t.Error(err)
	}
}

func TestCloseBeforeServeFreesTheSocket(t *testing.T) {
	config := socketConfig(t)
	for range 2 {
		e := opened(t, config)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatalf("the second Close: %v", err)
		}
	}
	e := opened(t, config)
	if err := e.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	opened(t, config)
}
