package integration_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// partner is a client with one pinned certificate, and one that nobody knows.
func partner(t *testing.T) (clients map[string]document, known, unknown *tls.Certificate) {
	t.Helper()
	issued := selfSigned(t, testca.Template{CommonName: "partner"})
	stranger := selfSigned(t, testca.Template{CommonName: "partner"})
	return map[string]document{"partner": trusting(issued)}, presents(issued), presents(stranger)
}

func TestEveryProtocolCarriesTheToken(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	g := open(t, plan{clients: clients}).envoy()
	for _, version := range []struct {
		name  string
		http2 bool
	}{{"HTTP/1.1", false}, {"HTTP/2", true}} {
		for sentence, c := range map[string]struct {
			method string
			as     *tls.Certificate
			want   want
		}{
			"a GET of a known client is admitted":  {http.MethodGet, known, admitted("partner")},
			"a POST of a known client is admitted": {http.MethodPost, known, admitted("partner")},
			"a GET of a stranger is refused":       {http.MethodGet, unknown, unauthenticated("client_unknown")},
			"a GET of nobody is refused":           {http.MethodGet, nil, unauthenticated("certificate_missing")},
		} {
			t.Run(version.name+": "+sentence, func(t *testing.T) {
				got, _ := g.expect(t, ask{method: c.method, as: c.as, http2: version.http2}, c.want)
				if challenge := got.header.Get("Www-Authenticate"); (c.want.status == 401) != (challenge != "") {
					t.Errorf("WWW-Authenticate is %q with status %d", challenge, got.status)
				}
			})
		}
	}
}

func TestATokenIsUsedAgainOnTheNextRequest(t *testing.T) {
	realEnvoy(t)
	clients, known, _ := partner(t)
	g := open(t, plan{clients: clients}).envoy()
	_, first := g.expect(t, ask{as: known}, admitted("partner"))
	_, second := g.expect(t, ask{as: known}, admitted("partner"))
	if first.Cached || !second.Cached || first.TokenID != second.TokenID {
		t.Errorf("the records are %+v and %+v, want one token, made once", first, second)
	}
}

func TestGRPCCarriesTheToken(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	g := open(t, plan{clients: clients, scheme: "h2c"}).envoy()
	for sentence, c := range map[string]struct {
		as     *tls.Certificate
		code   codes.Code
		reason string
	}{
		"a call of a known client is admitted": {known, codes.OK, allowed},
		"a call of a stranger is refused":      {unknown, codes.Unauthenticated, "client_unknown"},
		"a call of nobody is refused":          {nil, codes.Unauthenticated, "certificate_missing"},
	} {
		t.Run(sentence, func(t *testing.T) {
			before := g.world.upstream.count()
			code, header, trailer := g.healthCheck(t, c.as)
			if code != c.code {
				t.Fatalf("code %v, want %v", code, c.code)
			}
			id := append(header.Get("x-request-id"), trailer.Get("x-request-id")...)
			if len(id) != 1 {
				t.Fatalf("%d request ids in %v and %v", len(id), header, trailer)
			}
			r := g.world.record(t, id[0])
			if r.Reason != c.reason || r.Path != "/grpc.health.v1.Health/Check" {
				t.Errorf("the record is %+v, want %s", r, c.reason)
			}
			got := answer{received: g.world.upstream.since(before)}
			if c.code == codes.OK {
				g.expectReceived(t, ask{as: c.as}, admitted("partner"), got, r)
				return
			}
			g.expectReceived(t, ask{}, want{}, got, r)
			if len(header) > 0 {
				t.Errorf("headers %v before the trailers of a refusal", header)
			}
		})
	}
	t.Run("a refusal is trailers only", func(t *testing.T) {
		got := g.ask(t, ask{method: http.MethodPost, path: "/grpc.health.v1.Health/Check", http2: true, header: http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}})
		if got.status != 200 || got.header.Get("Grpc-Status") != "16" || len(got.received) > 0 {
			t.Errorf("status %d with headers %v, and %d requests at the upstream", got.status, got.header, len(got.received))
		}
	})
}

// healthCheck calls the upstream's gRPC service.
func (g *gate) healthCheck(t *testing.T, as *tls.Certificate) (code codes.Code, header, trailer metadata.MD) {
	t.Helper()
	conn, err := grpc.NewClient(g.address.String(), grpc.WithTransportCredentials(credentials.NewTLS(g.tls(as))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Header(&header), grpc.Trailer(&trailer))
	return status.Code(err), header, trailer
}

func TestAWebSocketCarriesTheToken(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	g := open(t, plan{clients: clients}).envoy()
	t.Run("the upgrade of a known client is admitted", func(t *testing.T) {
		before := g.world.upstream.count()
		if echoed := g.webSocket(t, known, "over the socket"); echoed != "over the socket" {
			t.Errorf("the echo is %q", echoed)
		}
		got := answer{received: g.world.upstream.since(before)}
		if len(got.received) != 1 {
			t.Fatalf("the upstream received %d requests", len(got.received))
		}
		r := g.world.record(t, got.received[0].Header.Get("X-Request-Id"))
		g.expectReceived(t, ask{as: known}, admitted("partner"), got, r)
		if r.Reason != allowed {
			t.Errorf("the record is %+v", r)
		}
	})
	for sentence, c := range map[string]struct {
		as   *tls.Certificate
		want want
	}{
		"the upgrade of a stranger is refused": {unknown, unauthenticated("client_unknown")},
		"the upgrade of nobody is refused":     {nil, unauthenticated("certificate_missing")},
	} {
		t.Run(sentence, func(t *testing.T) {
			g.expect(t, ask{path: "/socket", as: c.as, header: http.Header{
				"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
				"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Origin": {"https://localhost"},
			}}, c.want)
		})
	}
}

// webSocket sends a message and returns what comes back.
func (g *gate) webSocket(t *testing.T, as *tls.Certificate, message string) string {
	t.Helper()
	settings := g.tls(as)
	settings.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", g.address.String(), settings)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	config, err := websocket.NewConfig("wss://"+g.address.String()+"/socket", "https://localhost")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := websocket.NewClient(config, conn)
	if err != nil {
		t.Fatal(err)
	}
	var echoed string
	if err := websocket.Message.Send(socket, message); err != nil {
		t.Fatal(err)
	}
	if err := websocket.Message.Receive(socket, &echoed); err != nil {
		t.Fatal(err)
	}
	return echoed
}
