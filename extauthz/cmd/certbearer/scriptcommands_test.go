package main

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// replace is "replace OLD NEW FILE": OLD must be there.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s does not hold %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(text, args[0], args[1])), 0o644))
}

// serveFile is "servefile FILE CERT KEY": from then on https://localhost:$SERVED
// answers each request with the file.
func serveFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: servefile FILE CERT KEY")
	}
	pair, err := tls.LoadX509KeyPair(ts.MkAbs(args[1]), ts.MkAbs(args[2]))
	ts.Check(err)
	text := ts.ReadFile(args[0])
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, text) // whoever asked sees what is missing
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that trust nobody
	server.StartTLS()
	ts.Defer(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	ts.Check(err)
	ts.Setenv("SERVED", port)
}

// waitServing is "waitserving SOCKET": until gRPC health there says SERVING.
func waitServing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitserving SOCKET")
	}
	conn, err := grpc.NewClient("unix:"+ts.MkAbs(args[0]), grpc.WithTransportCredentials(insecure.NewCredentials()))
	ts.Check(err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		health, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if health.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING {
			return
		}
		select {
		case <-tick.C:
			conn.ResetConnectBackoff()
		case <-ctx.Done():
			ts.Fatalf("%s does not serve: %v", args[0], err)
		}
	}
}

// until is "until PATTERN command …": runs the command again and again, until its
// output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN command [argument…]")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-tick.C {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no output of %s matches %s: %v", args[1], args[0], err)
		}
	}
}

// sendCheck is "check SOCKET ID URL [FILE|NAME=VALUE…]": asks a server as Envoy does about
// a GET whose x-request-id is ID, with the certificates of the files, the leaf's first, and
// the headers.
func sendCheck(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: check SOCKET ID URL [FILE|NAME=VALUE…]")
	}
	conn, err := grpc.NewClient("unix:"+ts.MkAbs(args[0]), grpc.WithTransportCredentials(insecure.NewCredentials()))
	ts.Check(err)
	defer conn.Close()
	target, err := url.Parse(args[2])
	ts.Check(err)
	headers := map[string]string{"x-request-id": args[1]}
	var ders [][]byte
	for _, arg := range args[3:] {
		if name, value, isHeader := strings.Cut(arg, "="); isHeader {
			headers[name] = value
			continue
		}
		more, err := splitPEM([]byte(ts.ReadFile(arg)))
		ts.Check(err)
		ders = append(ders, more...)
	}
	source := &authv3.AttributeContext_Peer{}
	if len(ders) > 0 {
		source.Certificate = envoyPEM(ders[0])
		headers["x-forwarded-client-cert"] = forwardedHeader(ders, 0)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err = authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: source,
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Scheme: target.Scheme, Host: target.Host, Path: target.RequestURI(), Headers: headers,
		}},
	}})
	ts.Check(err)
}
