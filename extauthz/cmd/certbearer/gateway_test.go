package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/tokens"
)

// The cache has a token that is soon to be renewed; nobody asks for it again.
func TestAGatewaySweepsTheTokensThatItKeeps(t *testing.T) {
	g := openGateway(t)
	var err error
	if g.cache, err = tokens.NewCache(tokens.Options{SweepEvery: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	request := tokens.Request{
		Issuer: "https://issuer.example", ClientID: "lab", Audience: "https://api.example", Typ: tokens.TypAccessToken,
		Thumbprint: [32]byte{1}, Lifetime: 2 * time.Second, NotAfter: time.Now().Add(time.Hour), At: time.Now(),
	}
	if _, _, err := g.cache.Token(t.Context(), request, tokens.Basis{Proof: t, Keys: g.holder.Load().Keys}); err != nil {
		t.Fatal(err)
	}
	if g.cache.Len() != 1 {
		t.Fatalf("%d tokens are kept before it runs, want one", g.cache.Len())
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.run(ctx) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); g.cache.Len() > 0; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the token is still kept")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// openGateway opens what init writes.
func openGateway(t *testing.T) *gateway {
	t.Helper()
	folder, err := os.MkdirTemp("", "cb-") // short: a socket's path has 104 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) }) // one of the system's temporary ones
	made := site{Dir: folder, Upstream: "http://127.0.0.1:1", Listen: "127.0.0.1:0", Ops: "127.0.0.1:0", Issuer: demoIssuer, AuditTo: filepath.Join(folder, "audit.jsonl")}
	if err := made.create(t.Context()); err != nil {
		t.Fatal(err)
	}
	settings, err := config.Load(filepath.Join(folder, configFile))
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(t.Context(), settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return g
}
