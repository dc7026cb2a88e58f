package integration_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// received is a request that reached the upstream.
type received struct {
	Method string
	Target string // as it stood in the request
	Header http.Header
}

// upstream is the service behind Envoy. It knows only bearer tokens, speaks
// HTTP/1.1 and HTTP/2 in the clear, echoes WebSocket messages, serves gRPC
// health, and keeps everything that it receives.
type upstream struct {
	address string
	grpc    *grpc.Server

	mu   sync.Mutex
	kept []received
}

func startUpstream(t *testing.T) *upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{address: listener.Addr().String(), grpc: grpc.NewServer()}
	grpc_health_v1.RegisterHealthServer(u.grpc, health.NewServer())
	server := &http.Server{Handler: u, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // it ends by Close
	}()
	t.Cleanup(func() {
		_ = server.Close() // nothing of it is needed any more
		<-ended
	})
	return u
}

func (u *upstream) url(scheme string) string {
	if scheme == "" {
		scheme = "http"
	}
	return scheme + "://" + u.address
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.kept = append(u.kept, received{Method: r.Method, Target: r.RequestURI, Header: r.Header.Clone()})
	u.mu.Unlock()
	switch {
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		u.grpc.ServeHTTP(w, r)
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		websocket.Server{Handler: func(c *websocket.Conn) { _, _ = io.Copy(c, c) }}.ServeHTTP(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode("from the upstream")
	}
}

// since returns what was received after the first n.
func (u *upstream) since(n int) []received {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]received(nil), u.kept[n:]...)
}

func (u *upstream) count() int { return len(u.since(0)) }
