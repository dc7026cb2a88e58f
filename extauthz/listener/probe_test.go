package listener_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// probe is a service whose Wait answers when it is released and whose other
// methods panic.
type probe struct {
	entered chan struct{}
	release chan struct{}
}

func newProbe() *probe {
	return &probe{entered: make(chan struct{}, 8), release: make(chan struct{})}
}

func (p *probe) register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Probe",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Wait", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				if err := decode(new(emptypb.Empty)); err != nil {
					return nil, err
				}
				p.entered <- struct{}{}
				select {
				case <-p.release:
					return new(emptypb.Empty), nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}},
			{MethodName: "Panic", Handler: func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) {
				panic("a secret of the handler")
			}},
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "PanicStream", ServerStreams: true, Handler: func(any, grpc.ServerStream) error {
				panic("a secret of the stream")
			}},
		},
	}, p)
}

func call(ctx context.Context, conn *grpc.ClientConn, method string) error {
	return conn.Invoke(ctx, "/test.Probe/"+method, new(emptypb.Empty), new(emptypb.Empty))
}

// waiting starts a Wait and returns once its handler runs.
func (p *probe) waiting(t *testing.T, conn *grpc.ClientConn) <-chan error {
	t.Helper()
	ctx := bounded(t)
	answer := make(chan error, 1)
	go func() { answer <- call(ctx, conn, "Wait") }()
	select {
	case <-p.entered:
	case err := <-answer:
		t.Fatalf("Wait ended before it was released: %v", err)
	}
	return answer
}
