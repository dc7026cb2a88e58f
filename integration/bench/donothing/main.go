// Command donothing is the measure of what a check costs at least: an ordinary
// gRPC server with Envoy's generated types that reads each CheckRequest, looks
// at nothing in it and allows it. It listens on the Unix socket that is its only
// argument. Nobody should put it behind an Envoy.
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

type server struct {
	authv3.UnimplementedAuthorizationServer
}

// Check allows.
func (server) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{
		Status:       &statuspb.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}},
	}, nil
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "donothing:", err)
		os.Exit(1)
	}
}

func serve(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("want the path of a socket, got %d arguments", len(arguments))
	}
	listener, err := net.Listen("unix", arguments[0])
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, server{})
	return s.Serve(listener)
}
