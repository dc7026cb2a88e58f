package listener_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/certbearer/certbearer/extauthz/listener"
)

// log collects what an Events callback was told.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := "ok"
	if err != nil {
		line = err.Error()
	}
	l.lines = append(l.lines, line)
}

func (l *log) Write(line []byte) (int, error) {
	l.add(errors.New(string(line)))
	return len(line), nil
}

func (l *log) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

func clientConfig(server authority, cert *tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(server.cert)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	return config
}

func TestWhoMayCallOverMTLS(t *testing.T) {
	server, callers, stranger := newAuthority(t), newAuthority(t), newAuthority(t)
	var refused log
	e := serving(t, listener.EvidenceConfig{
		Address: "127.0.0.1:0",
		Callers: listener.Callers{MTLS: files(t, t.TempDir(), server, callers)},
		Events:  listener.Events{Refused: func(_ net.Addr, err error) { refused.add(err) }},
	})
	if e.Unauthenticated() || e.Fault() != nil {
		t.Errorf("Unauthenticated = %v, Fault = %v", e.Unauthenticated(), e.Fault())
	}
	for name, test := range map[string]struct {
		cert        *tls.Certificate
		maxVersion  uint16
		wantRefused string
	}{
		"a listed URI":                           {cert: callers.pair(t, names{uris: []string{envoyID}})},
		"a listed URI over TLS 1.2":              {cert: callers.pair(t, names{uris: []string{envoyID}}), maxVersion: tls.VersionTLS12},
		"a listed DNS name":                      {cert: callers.pair(t, names{dns: []string{"envoy.example.org"}})},
		"a name that is not listed":              {cert: callers.pair(t, names{dns: []string{"other.example.org"}}), wantRefused: "none of the names"},
		"a name that is not listed, TLS 1.2":     {cert: callers.pair(t, names{dns: []string{"other.example.org"}}), maxVersion: tls.VersionTLS12, wantRefused: "none of the names"},
		"a listed name by another CA":            {cert: stranger.pair(t, names{uris: []string{envoyID}}), wantRefused: "unknown authority"},
		"no certificate":                         {wantRefused: "didn't provide a certificate"},
		"no certificate over TLS 1.2":            {maxVersion: tls.VersionTLS12, wantRefused: "didn't provide a certificate"},
		"TLS 1.1, with a listed name":            {cert: callers.pair(t, names{uris: []string{envoyID}}), maxVersion: tls.VersionTLS11, wantRefused: "unsupported versions"},
		"the server's CA does not prove callers": {cert: server.pair(t, names{uris: []string{envoyID}}), wantRefused: "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(refused.all())
			config := clientConfig(server, test.cert)
			config.MinVersion, config.MaxVersion = tls.VersionTLS10, test.maxVersion
			// Sent whatever CAs the server asks for.
			config.Certificates = nil
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if test.cert == nil {
					return &tls.Certificate{}, nil
				}
				return test.cert, nil
			}
			_, err := health(t, connect(t, e.Addr(), config), "")
			if test.wantRefused == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if status.Code(err) != codes.Unavailable {
				t.Fatalf("error %v, want UNAVAILABLE", err)
			}
			// The caller hears of it before the operator does.
			waitUntil(t, "the operator is told "+test.wantRefused, func() bool {
				return strings.Contains(strings.Join(refused.all()[before:], "\n"), test.wantRefused)
			})
		})
	}
}

func TestPlainCallerOfAnMTLSListenerIsRefused(t *testing.T) {
	ca := newAuthority(t)
	e := serving(t, listener.EvidenceConfig{
		Address: "127.0.0.1:0", Callers: listener.Callers{MTLS: files(t, t.TempDir(), ca, ca)},
	})
	if _, err := health(t, connect(t, e.Addr(), nil), ""); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v, want UNAVAILABLE", err)
	}
}

// handshake makes one TLS connection and returns its state once the server has
// accepted or refused it.
func handshake(t *testing.T, addr net.Addr, config *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(bounded(t), "tcp", addr.String())
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = conn.Close() }()
	// The server's first frame comes only after it accepted the certificate.
	_, err = conn.Read(make([]byte, 1))
	return conn.(*tls.Conn).ConnectionState(), err
}

func TestEveryConnectionIsJudgedAnew(t *testing.T) {
	server, callers := newAuthority(t), newAuthority(t)
	m := files(t, t.TempDir(), server, callers)
	e := serving(t, listener.EvidenceConfig{Address: "127.0.0.1:0", Callers: listener.Callers{MTLS: m}})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			write(t, m.TrustedCA, callers.pem)
			config := clientConfig(server, callers.pair(t, names{uris: []string{envoyID}}))
			config.MaxVersion = version
			config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
			for range 2 {
				state, err := handshake(t, e.Addr(), config)
				if err != nil || state.DidResume {
					t.Fatalf("DidResume = %v, error %v; want a full handshake", state.DidResume, err)
				}
			}
			write(t, m.TrustedCA, newAuthority(t).pem)
			if _, err := handshake(t, e.Addr(), config); err == nil {
				t.Error("a caller whose CA is no longer trusted came in by its old session")
			}
		})
	}
}

func TestFilesAreReadAgainAndTheLastGoodOnesKept(t *testing.T) {
	server, callers, next := newAuthority(t), newAuthority(t), newAuthority(t)
	m := files(t, t.TempDir(), server, callers)
	var reloads log
	e := serving(t, listener.EvidenceConfig{
		Address: "127.0.0.1:0", Callers: listener.Callers{MTLS: m},
		Events: listener.Events{Reloaded: reloads.add},
	})
	old := callers.pair(t, names{uris: []string{envoyID}})
	fresh := next.pair(t, names{uris: []string{envoyID}})
	wantHandshake(t, e, clientConfig(server, old), true)
	wantHandshake(t, e, clientConfig(server, fresh), false)

	write(t, m.TrustedCA, next.pem)
	wantHandshake(t, e, clientConfig(server, old), false)
	wantHandshake(t, e, clientConfig(server, fresh), true)

	certPEM, keyPEM := next.issue(t, names{dns: []string{"localhost"}})
	write(t, m.Certificate, certPEM)
	wantHandshake(t, e, clientConfig(server, fresh), true)
	wantHandshake(t, e, clientConfig(server, fresh), true)
	wantError(t, e.Fault(), "does not match")
	write(t, m.Key, keyPEM)
	wantHandshake(t, e, clientConfig(next, fresh), true)
	if err := e.Fault(); err != nil {
		t.Errorf("Fault = %v after the pair was whole again", err)
	}
	if err := os.Remove(m.TrustedCA); err != nil {
		t.Fatal(err)
	}
	wantHandshake(t, e, clientConfig(next, fresh), true)
	wantError(t, e.Fault(), m.TrustedCA)

	told := reloads.all()
	if len(told) != 4 || told[0] != "ok" || !strings.Contains(told[1], "does not match") ||
		told[2] != "ok" || !strings.Contains(told[3], "no such file") {
		t.Errorf("told %q, want each change once", told)
	}
}

func wantHandshake(t *testing.T, e *listener.Evidence, config *tls.Config, want bool) {
	t.Helper()
	if _, err := handshake(t, e.Addr(), config); (err == nil) != want {
		t.Errorf("handshake: error %v, want accepted: %v", err, want)
	}
}
