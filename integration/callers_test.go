package integration_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// mesh are the certificates of those who may and may not call certbearer.
type mesh struct {
	ca, server, envoy, other, stranger *testca.Issued
}

func newMesh(t *testing.T) mesh {
	t.Helper()
	ca := authority(t, "Mesh CA")
	listed := testca.Template{URIs: []string{"spiffe://mesh/envoy"}}
	return mesh{
		ca:       ca,
		server:   issue(t, ca, testca.Template{DNSNames: []string{"certbearer.internal"}, NoExtKeyUsage: true}),
		envoy:    issue(t, ca, listed),
		other:    issue(t, ca, testca.Template{CommonName: "spiffe://mesh/envoy", URIs: []string{"spiffe://mesh/envoy/other"}, DNSNames: []string{"mesh"}}),
		stranger: issue(t, authority(t, "Mesh CA"), listed),
	}
}

// meshSettings is a certbearer that believes one caller of the mesh.
const meshSettings = `
listen: {grpc: "127.0.0.1:0"}
callers: {certificate: mesh/server.crt, key: mesh/server.key, trustedCA: mesh/ca.crt, sans: [spiffe://mesh/envoy]}
envoy: {caller: {certificate: mesh/envoy.crt, key: mesh/envoy.key, trustedCA: mesh/ca.crt, serverName: certbearer.internal}}
`

func openMesh(t *testing.T, clients map[string]document) (*world, mesh) {
	t.Helper()
	m := newMesh(t)
	w := prepare(t, plan{settings: meshSettings, clients: clients})
	folder := filepath.Join(w.folder, "mesh")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, issued := range map[string]*testca.Issued{"ca": m.ca, "server": m.server, "envoy": m.envoy} {
		if err := issued.WriteFiles(filepath.Join(folder, name+".crt"), filepath.Join(folder, name+".key")); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	return w, m
}

func TestAListedCallerIsBelievedOverTCP(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	w, _ := openMesh(t, clients)
	w.listensAt(t, w.grpc)
	g := w.envoy()
	g.expect(t, ask{as: known}, admitted("partner"))
	g.expect(t, ask{as: unknown}, unauthenticated("client_unknown"))
}

// listensAt writes the port that the system chose into the configuration, for
// Envoy's.
func (w *world) listensAt(t *testing.T, address string) {
	t.Helper()
	editSettings(t, w.config, settings{"envoy": map[string]any{"grpcAddress": address}})
}

// Whoever may ask certbearer can have any client's token, for certificates are
// public: so the question itself must not be possible.
func TestOnlyAListedCallerCanAsk(t *testing.T) {
	victim := selfSigned(t, testca.Template{CommonName: "victim"})
	w, m := openMesh(t, map[string]document{"victim": trusting(victim)})
	for sentence, c := range map[string]struct {
		as      *tls.Certificate
		allowed bool
	}{
		"the listed one":                          {presents(m.envoy), true},
		"one of the same CA with another name":    {presents(m.other), false},
		"one with the listed name and another CA": {presents(m.stranger), false},
		"one with the client's own certificate":   {presents(victim), false},
		"one with the certificate of certbearer":  {presents(m.server), false},
		"one without a certificate":               {nil, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			config := &tls.Config{RootCAs: poolOf(m.ca), ServerName: "certbearer.internal", MinVersion: tls.VersionTLS12}
			if c.as != nil {
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.as, nil }
			}
			response, err := check(t, w.grpc, credentials.NewTLS(config), victim)
			if !c.allowed {
				if status.Code(err) != codes.Unavailable || response != nil {
					t.Errorf("it was answered: %v (%v)", response, err)
				}
				return
			}
			if err != nil || response.GetStatus().GetCode() != 0 || len(response.GetOkResponse().GetHeaders()) != 1 {
				t.Errorf("it was refused: %v (%v)", response.GetStatus(), err)
			}
		})
	}
	t.Run("one without TLS", func(t *testing.T) {
		if response, err := check(t, w.grpc, insecure.NewCredentials(), victim); status.Code(err) != codes.Unavailable {
			t.Errorf("it was answered: %v (%v)", response, err)
		}
	})
	if all := w.records(t); len(all) > 1 {
		t.Errorf("certbearer decided %d requests, of which it should have seen one", len(all))
	}
}

// check asks as Envoy does, with the certificate of somebody.
func check(t *testing.T, address string, creds credentials.TransportCredentials, victim *testca.Issued) (*authv3.CheckResponse, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:  &authv3.AttributeContext_Peer{Certificate: victim.URLEncodedPEM()},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: http.MethodGet, Path: "/", Host: "localhost"}},
	}})
}

func TestTCPWithoutProofOfCallersDoesNotStart(t *testing.T) {
	for sentence, c := range map[string]struct{ settings, says string }{
		"on loopback":               {`listen: {grpc: "127.0.0.1:0"}`, "a TCP listener needs callers"},
		"on every network":          {`listen: {grpc: "0.0.0.0:0"}`, "a TCP listener needs callers"},
		"with no name listed":       {`{listen: {grpc: "127.0.0.1:0"}, callers: {certificate: a, key: b, trustedCA: c, sans: []}}`, "must name at least one caller"},
		"with a word of its own":    {`{listen: {grpc: "127.0.0.1:0"}, callers: anyone}`, "unauthenticated"},
		"a socket needs no callers": {`callers: unauthenticated`, "has no meaning with a Unix socket"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := prepare(t, plan{settings: c.settings})
			code, printed := certbearer(t, "serve", "--config", w.config)
			if code != 2 || !strings.Contains(printed, c.says) {
				t.Errorf("exit code %d, want 2 and %q:\n%s", code, c.says, printed)
			}
		})
	}
}

// What is written out is obeyed, and seen by everyone who looks. It is also the
// certbearer whose end others notice: readiness goes first.
func TestUnauthenticatedCallersAreWarnedOfAndReadinessEndsFirst(t *testing.T) {
	victim := selfSigned(t, testca.Template{CommonName: "victim"})
	w := open(t, plan{
		settings: `{listen: {grpc: "127.0.0.1:0"}, callers: unauthenticated}`,
		clients:  map[string]document{"victim": trusting(victim)},
	})
	if !strings.Contains(w.serve.printed(t), `"level":"WARN","msg":"callers: unauthenticated`) {
		t.Errorf("the log does not warn:\n%s", w.serve.printed(t))
	}
	if _, h := w.healthz(t); !h.CallersUnauthenticated {
		t.Error("/healthz does not show it")
	}
	if _, metrics := w.operations(t, "/metrics"); !strings.Contains(metrics, "certbearer_callers_unauthenticated 1") {
		t.Error("/metrics does not show it")
	}
	w.serve.signal(t, syscall.SIGTERM)
	eventually(t, "/readyz says no", func() bool {
		code, body := w.operations(t, "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
	response, err := check(t, w.grpc, insecure.NewCredentials(), victim)
	if err != nil || response.GetOkResponse() == nil {
		t.Errorf("a check after readiness had ended came to %v (%v)", response.GetStatus(), err)
	}
	if code := w.serve.ended(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, w.serve.printed(t))
	}
}

func TestHealthIsServedOnTheSocketOfTheChecks(t *testing.T) {
	w := open(t, plan{})
	conn, err := grpc.NewClient("unix:"+filepath.Join(w.folder, "run", "extauthz.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		response, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		cancel()
		if err != nil || response.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v (%v)", service, response.GetStatus(), err)
		}
	}
	info, err := os.Stat(filepath.Join(w.folder, "run", "extauthz.sock"))
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket's mode is %v (%v), want 0660", info.Mode(), err)
	}
}
