package integration_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// bySocket is a client of a Unix socket.
func bySocket(path string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
}

// Every proxy has a socket of its own, and only its own header counts there.
func TestTheHeaderOfOneProxyCountsNotForAnother(t *testing.T) {
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	w := prepare(t, plan{clients: map[string]document{"lab": trusting(lab)}})
	editSettings(t, w.config, parseSettings(t, `
proxies:
- {name: nginx, socket: "unix:run/nginx.sock", header: x-mtls-cert, format: nginx}
- {name: haproxy, socket: "unix:run/haproxy.sock", header: x-ssl-cert, format: haproxy}
`))
	w.start()
	headers := map[string][2]string{"nginx": {"X-Mtls-Cert", escaped(lab)}, "haproxy": {"X-Ssl-Cert", standardBase64(lab)}}
	for proxy := range headers {
		for writer, header := range headers {
			request, err := http.NewRequest(http.MethodGet, "http://certbearer/authz", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header = http.Header{
				"X-Original-Method": {"GET"}, "X-Original-Uri": {"/"}, "X-Original-Host": {"api.example"}, "X-Request-Id": {proxy + "-" + writer},
				header[0]: {header[1]},
			}
			answer, err := bySocket(filepath.Join(w.folder, "run", proxy+".sock")).Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			want := http.StatusUnauthorized
			if proxy == writer {
				want = http.StatusOK
			}
			if answer.StatusCode != want {
				t.Errorf("%s's header at %s's socket: status %d, want %d", writer, proxy, answer.StatusCode, want)
			}
			if r := w.record(t, proxy+"-"+writer); (r.Reason == allowed) != (proxy == writer) {
				t.Errorf("the record is %+v", r)
			}
		}
	}
	for _, name := range []string{"nginx.sock", "haproxy.sock"} {
		info, err := os.Stat(filepath.Join(w.folder, "run", name))
		if err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestAConnectionThatIsNoProxysIsRefusedAndCounted(t *testing.T) {
	w := prepare(t, plan{})
	editSettings(t, w.config, parseSettings(t, `
listen: {proxies: {address: "127.0.0.1:0"}}
proxies: [{name: alb, addresses: [192.0.2.0/24], format: alb}]
`))
	w.start()
	for range 3 {
		conn, err := net.Dial("tcp", w.proxiesAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n") // it may be closed already
		if text, _ := io.ReadAll(conn); len(text) > 0 {
			t.Errorf("it was answered %q", text)
		}
		_ = conn.Close()
	}
	eventually(t, "three are counted", func() bool {
		_, metrics := w.operations(t, "/metrics")
		return strings.Contains(metrics, "\ncertbearer_proxy_connections_refused_total 3\n")
	})
	if n := w.serve.count(t, "a connection to listen.proxies was refused"); n != 1 {
		t.Errorf("the log has %d lines, want one", n)
	}
}

// A load balancer passes on what its clients ask: the answer to a check would be theirs.
func TestALoadBalancerThatWritesRFC9440AsksNothing(t *testing.T) {
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	w := prepare(t, plan{clients: map[string]document{"lab": trusting(lab)}})
	editSettings(t, w.config, parseSettings(t, `
listen: {proxies: {address: "127.0.0.1:0"}}
proxies: [{name: glb, addresses: [127.0.0.1], format: rfc9440}]
`))
	w.start()
	balancer, header := site{base: "http://" + w.proxiesAddress(t)}, http.Header{"Client-Cert": {":" + standardBase64(lab) + ":"}}
	if got := balancer.post(t, posted{form: granting("lab"), header: header}); got.status != http.StatusOK {
		t.Fatalf("the token endpoint: status %d with %s", got.status, got.body)
	}
	header["X-Original-Method"], header["X-Original-Host"], header["X-Original-Uri"] = []string{"GET"}, []string{"api.example"}, []string{"/"}
	for _, path := range []string{"/authz", "/authz/", "/authz/orders"} {
		if got := balancer.get(t, path, header); got.status != http.StatusNotFound || got.header.Get("Authorization") != "" {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
}

// A renewed file is taken up; one that cannot be used shows, by its key.
func TestTheFilesOfListenProxiesAreReadAgain(t *testing.T) {
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	w := prepare(t, plan{clients: map[string]document{"lab": trusting(lab)}})
	mesh := w.meshFiles(t, "edge.internal")
	editSettings(t, w.config, parseSettings(t, `
listen: {proxies: {address: "127.0.0.1:0", certificate: mesh/certbearer.crt, key: mesh/certbearer.key, trustedCA: mesh/ca.crt}}
proxies: [{name: edge, mtls: [edge.internal], format: rfc9440}]
`))
	w.start()
	ask := func() (int, error) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(mesh, "proxy.crt"), filepath.Join(mesh, "proxy.key"))
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			InsecureSkipVerify:   true, // which certificate it has is not asked here
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
		}}}
		request, err := http.NewRequest(http.MethodGet, "https://"+w.proxiesAddress(t)+"/authz/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Client-Cert", ":"+standardBase64(lab)+":")
		answer, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		_ = answer.Body.Close()
		return answer.StatusCode, nil
	}
	if status, err := ask(); status != http.StatusOK {
		t.Fatalf("status %d, %v", status, err)
	}
	good, err := os.ReadFile(filepath.Join(mesh, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(mesh, "ca.crt"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, h := w.healthz(t); status != 500 || len(h.Faults) != 1 || !strings.HasPrefix(h.Faults[0], "listen.proxies.trustedCA: ") {
		t.Errorf("/healthz: %d %+v", status, h)
	}
	if status, err := ask(); status != http.StatusOK {
		t.Errorf("with the last good file: status %d, %v", status, err)
	}
	other := authority(t, "Mesh CA")
	if err := os.WriteFile(filepath.Join(mesh, "ca.crt"), bytes.Join([][]byte{other.PEM(), []byte("\n")}, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, err := ask(); err == nil {
		t.Errorf("one of a CA that is gone: status %d", status)
	}
	if err := os.WriteFile(filepath.Join(mesh, "ca.crt"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, err := ask(); status != http.StatusOK {
		t.Errorf("with the CA of before: status %d, %v", status, err)
	}
}
