package integration_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// realNginx returns the path of nginx, or leaves the test out where there is none.
func realNginx(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} { // Debian keeps it from the PATH of users
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	leaveOut(t, "no nginx: Debian's package is nginx-light")
	return ""
}

// proxyServer is a running nginx in front of a world's certbearer.
type proxyServer struct {
	site
	world  *world
	folder string
}

// aroundNginx is what stands around a configuration for the http block. One process
// is enough, and keeps the rights that the test has.
const aroundNginx = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {}
http {
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
%s
}
`

// nginx starts nginx with a configuration for its http block, which listens at
// 127.0.0.1 and port.
func (w *world) nginx(t *testing.T, port, conf string) *proxyServer {
	t.Helper()
	binary := realNginx(t)
	folder, err := os.MkdirTemp(w.folder, "nginx")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(path, fmt.Appendf(nil, aroundNginx, conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if printed, err := exec.Command(binary, "-p", folder, "-e", "stderr", "-c", path, "-t").CombinedOutput(); err != nil {
		t.Fatalf("nginx -t: %v\n%s\n%s", err, printed, conf)
	}
	var printed bytes.Buffer
	command := exec.Command(binary, "-p", folder, "-e", "stderr", "-c", path)
	command.Stderr, command.SysProcAttr = &printed, endWithParent()
	ended := make(chan struct{})
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // on Linux the process ends with this thread
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait() // it ends by a signal
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("nginx printed:\n%s", printed.String())
		}
		w.noSecretIn("what nginx printed", printed.String())
	})
	p := &proxyServer{site: site{"https://127.0.0.1:" + port, w.roots()}, world: w, folder: folder}
	eventually(t, "nginx listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return p
}

// freePort is one that nobody has at the moment: nginx takes none that the system
// chooses.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return itoa(listener.Addr().(*net.TCPAddr).Port)
}

// openBehindNginx makes a world whose proxies begin with one that is nginx, on a
// socket.
func openBehindNginx(t *testing.T, p plan) *world {
	t.Helper()
	realNginx(t)
	w := prepare(t, p)
	editSettings(t, w.config, parseSettings(t, `
proxies: [{name: nginx, socket: "unix:run/nginx.sock", header: x-mtls-cert, format: nginx}]
nginx: {certificate: pki/server.crt, key: pki/server.key, upstream: "`+w.upstream.url("")+`", serverNames: [localhost]}
`), parseSettings(t, p.settings))
	w.start()
	return w
}

// seedBlock is the server block of Medplum's documentation, with the paths and the
// port of the world.
func (w *world) seedBlock(port string) string {
	return strings.NewReplacer(
		"listen 443", "listen 127.0.0.1:"+port,
		"/etc/ssl/", filepath.Join(w.folder, "pki")+"/",
	).Replace(`
upstream medplum-backend { server unix:` + filepath.Join(w.folder, "run", "nginx.sock") + `; }
server {
listen 443 ssl;
ssl_certificate /etc/ssl/server.crt;
ssl_certificate_key /etc/ssl/server.key;

ssl_verify_client optional_no_ca;

location /oauth2/token {
proxy_pass http://medplum-backend;
proxy_set_header x-mtls-cert $ssl_client_escaped_cert;
}
}
`)
}

// escaped is a certificate as $ssl_client_escaped_cert has it.
func escaped(issued *testca.Issued) string {
	return strings.NewReplacer(" ", "%20", "\n", "%0A", "+", "%2B", "/", "%2F", "=", "%3D").Replace(string(issued.PEM()))
}

func TestTheServerBlockOfTheSeedGetsTokens(t *testing.T) {
	seed := made(t)(testca.LikeOpenSSL("My Integration Client", "My Organization"))
	ca := authority(t, "Partner CA")
	between := issue(t, authority(t, "Root"), testca.Template{CommonName: "Between", CA: true})
	kept := issue(t, authority(t, "Root of Kept"), testca.Template{CommonName: "Kept", CA: true})
	expired := selfSigned(t, testca.Template{CommonName: "expired", NotAfter: time.Now().Add(-time.Minute)})
	early := selfSigned(t, testca.Template{CommonName: "early", NotBefore: time.Now().Add(time.Hour)})
	ended := selfSigned(t, testca.Template{CommonName: "other"})
	w := openBehindNginx(t, plan{clients: map[string]document{
		"my-client": trusting(seed), "partner": trusting(ca), "far": trusting(between.Issuer), "near": trusting(kept.Issuer, kept),
		"expired": trusting(expired), "early": trusting(early), "off": trusting(ended).with("status", "off"),
	}})
	port := freePort(t)
	p := w.nginx(t, port, w.seedBlock(port))
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	for sentence, test := range map[string]struct {
		client string
		as     *tls.Certificate
		header http.Header
		status int
		reason string
	}{
		"the self-signed certificate of the seed's own commands gets a token": {"my-client", presents(seed), nil, 200, "token_issued"},
		"one that the client's CA issued gets a token":                        {"partner", presents(leaf), nil, 200, "token_issued"},
		"a stranger's gets none":                                              {"my-client", presents(selfSigned(t, testca.Template{CommonName: "My Integration Client"})), nil, 401, "path_not_found"},
		"no certificate gets none":                                            {"my-client", nil, nil, 401, "certificate_missing"},
		"the certificate of another client gets none":                         {"partner", presents(seed), nil, 401, "certificate_is_ca"},
		"one of a client that is off gets none":                               {"off", presents(ended), nil, 401, "client_inactive"},
		"a header of the client's own is no certificate":                      {"my-client", nil, http.Header{"X-Mtls-Cert": {escaped(seed)}}, 401, "certificate_missing"},
		"nor is it one in other capitals":                                     {"my-client", nil, http.Header{"x-MTLS-cert": {escaped(seed)}}, 401, "certificate_missing"},
		"nor two of them":                                                     {"my-client", nil, http.Header{"X-Mtls-Cert": {escaped(seed), escaped(seed)}}, 401, "certificate_missing"},
		"nor one with underscores":                                            {"my-client", nil, http.Header{"x_mtls_cert": {escaped(seed)}}, 401, "certificate_missing"},
		"nor beside a certificate of a stranger":                              {"my-client", presents(ended), http.Header{"X-Mtls-Cert": {escaped(seed)}}, 401, "path_not_found"},
		"beside an own one it changes nothing":                                {"my-client", presents(seed), http.Header{"X-Mtls-Cert": {escaped(leaf)}}, 200, "token_issued"},
		"nor do headers of other proxies":                                     {"my-client", nil, http.Header{"X-Amzn-Mtls-Clientcert": {escaped(seed)}, "X-Forwarded-Client-Cert": {"Cert=\"" + escaped(seed) + "\""}}, 401, "certificate_missing"},

		"nginx passes the leaf alone: an intermediate that only the client sends is missing": {"far", presents(issue(t, between, testca.Template{CommonName: "leaf"})), nil, 401, "path_not_found"},
		"with the intermediate in the client's store it is not":                              {"near", presents(issue(t, kept, testca.Template{CommonName: "leaf"})), nil, 200, "token_issued"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := p.post(t, posted{form: granting(test.client), as: test.as, header: test.header})
			if got.status != test.status {
				t.Errorf("status %d with %s, want %d", got.status, got.body, test.status)
			}
			if r := w.judged(t, got.id); r.Reason != test.reason {
				t.Errorf("the record is %+v, want %s", r, test.reason)
			}
		})
	}
	for sentence, test := range map[string]struct {
		client string
		as     *testca.Issued
	}{
		"nginx itself refuses one that has expired": {"expired", expired},
		"and one of a CA that has expired":          {"partner", issue(t, ca, testca.Template{CommonName: "leaf", NotAfter: expired.Certificate.NotAfter})},
		"and one that is not yet valid":             {"early", early},
	} {
		t.Run(sentence, func(t *testing.T) {
			before := len(w.records(t))
			got := p.post(t, posted{form: granting(test.client), as: presents(test.as)})
			if got.status != http.StatusBadRequest || !strings.Contains(got.body, "The SSL certificate error") || got.id != "" {
				t.Errorf("status %d with %s", got.status, got.body)
			}
			if after := len(w.records(t)); after != before {
				t.Errorf("certbearer was asked %d times", after-before)
			}
		})
	}
}
