package main

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"

	"github.com/certbearer/certbearer/extauthz/listener"
)

// echo is the demo's service behind Envoy. It knows only bearer tokens and
// answers with what it received.
type echo struct {
	server   *listener.HTTP
	requests atomic.Int64
}

// echoed is the answer of the echo service.
type echoed struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Headers http.Header `json:"headers"`
}

func startEcho(ctx context.Context) (*echo, error) {
	e := new(echo)
	var err error
	e.server, err = listener.ListenHTTP(ctx, listener.HTTPConfig{
		Address: "127.0.0.1:0",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e.requests.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(echoed{Method: r.Method, Path: r.URL.Path, Headers: r.Header})
		}),
	})
	if err != nil {
		return nil, err
	}
	go func() { _ = e.server.Serve() }() // it ends by close
	return e, nil
}

func (e *echo) url() string { return "http://" + e.server.Addr().String() }

func (e *echo) close() { _ = e.server.Close() }
