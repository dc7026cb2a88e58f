package integration_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ask is a request. The zero value is a GET of /hello over HTTP/1.1 without a
// certificate.
type ask struct {
	method string
	path   string // as it is to stand in the request
	host   string
	header http.Header
	body   string
	as     *tls.Certificate
	http2  bool
}

// answer is what came of a request.
type answer struct {
	status   int
	header   http.Header
	oauth    string // the error of the body, "" if there is none
	body     string
	id       string // x-request-id
	received []received
}

// ask sends a request on a connection of its own.
func (g *gate) ask(t *testing.T, a ask) answer {
	t.Helper()
	before := g.world.upstream.count()
	answer, err := g.try(a)
	if err != nil {
		t.Fatalf("%s %s: %v", a.method, a.path, err)
	}
	answer.received = g.world.upstream.since(before)
	return answer
}

// try is ask for requests that may not get an answer. It does not look at the
// upstream, and may be used by several at once.
func (g *gate) try(a ask) (answer, error) {
	client := &http.Client{Transport: g.transport(a), Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(context.Background(), orElse(a.method, http.MethodGet), g.url(orElse(a.path, "/hello")), strings.NewReader(a.body))
	if err != nil {
		return answer{}, err
	}
	request.Host = a.host
	for name, values := range a.header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return newAnswer(response, string(body)), err
}

func newAnswer(response *http.Response, body string) answer {
	var fault struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal([]byte(body), &fault) // an answer that is not ours has no error
	return answer{
		status: response.StatusCode, header: response.Header, body: body,
		oauth: fault.Error, id: response.Header.Get("X-Request-Id"),
	}
}

func (g *gate) transport(a ask) *http.Transport {
	t := &http.Transport{TLSClientConfig: g.tls(a.as), TLSHandshakeTimeout: patience, DisableCompression: true, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(!a.http2)
	t.Protocols.SetHTTP2(a.http2)
	return t
}

// tls presents the certificate whatever the server says it would like.
func (g *gate) tls(as *tls.Certificate) *tls.Config {
	config := &tls.Config{RootCAs: g.world.roots(), MinVersion: tls.VersionTLS12, ServerName: "localhost"}
	if as != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return as, nil }
	}
	return config
}

// roots trust Envoy's own certificate.
func (w *world) roots() *x509.CertPool {
	pem, err := os.ReadFile(filepath.Join(w.folder, "pki", "server.crt"))
	if err != nil {
		w.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return roots
}

// until repeats a request until the condition holds, and returns how long that
// took.
func (g *gate) until(t *testing.T, what string, a ask, holds func(answer) bool) time.Duration {
	t.Helper()
	return eventually(t, what, func() bool {
		answer, err := g.try(a)
		return err == nil && holds(answer)
	})
}

// soon is until for what a change of a document or a SIGHUP does.
func (g *gate) soon(t *testing.T, what string, a ask, holds func(answer) bool) time.Duration {
	t.Helper()
	return within(t, live, what, func() bool {
		answer, err := g.try(a)
		return err == nil && holds(answer)
	})
}

func hasStatus(status int) func(answer) bool {
	return func(a answer) bool { return a.status == status }
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	var text strings.Builder
	if _, err := io.Copy(&text, io.LimitReader(r, 4<<20)); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
