package listener

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// guard wraps a service's handlers. An interceptor would not do: it is called
// only after the request was decoded, and that is where a hostile one would
// cause a panic.
func (e *Evidence) guard(service *grpc.ServiceDesc) *grpc.ServiceDesc {
	guarded := *service
	guarded.Methods = slices.Clone(service.Methods)
	for i, method := range service.Methods {
		guarded.Methods[i].Handler = e.guardMethod("/"+service.ServiceName+"/"+method.MethodName, method.Handler)
	}
	guarded.Streams = slices.Clone(service.Streams)
	for i, method := range service.Streams {
		guarded.Streams[i].Handler = e.guardStream("/"+service.ServiceName+"/"+method.StreamName, method.Handler)
	}
	return &guarded
}

func (e *Evidence) guardMethod(where string, handler grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (reply any, err error) {
		defer func() {
			if value := recover(); value != nil {
				e.events.panicked(where, value)
				reply, err = nil, errPanicked()
			}
		}()
		return handler(srv, ctx, decode, interceptor)
	}
}

func (e *Evidence) guardStream(where string, handler grpc.StreamHandler) grpc.StreamHandler {
	return func(srv any, inner grpc.ServerStream) (err error) {
		defer func() {
			if value := recover(); value != nil {
				e.events.panicked(where, value)
				err = errPanicked()
			}
		}()
		ctx, cancel := context.WithCancel(inner.Context())
		defer cancel()
		go func() {
			select {
			case <-e.draining:
				cancel()
			case <-ctx.Done():
			}
		}()
		return handler(srv, stream{ServerStream: inner, context: func() context.Context { return ctx }})
	}
}

// errPanicked tells the caller nothing of what happened.
func errPanicked() error { return status.Error(codes.Internal, "internal error") }
