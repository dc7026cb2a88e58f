package listener_test

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/listener"
)

// proxied is a listener whose handlers answer with the name of the proxy.
type proxied struct {
	*listener.HTTP
	files           listener.ProxiesTLS
	server, callers authority
	refused         *log
}

const (
	loopback  = "127.0.0.1/32"
	elsewhere = "192.0.2.0/24"
)

func byName(name string, sans ...string) listener.Proxy {
	return listener.Proxy{Name: name, SANs: sans, Handler: naming(name)}
}

func byAddress(name string, networks ...string) listener.Proxy {
	p := listener.Proxy{Name: name, Handler: naming(name)}
	for _, network := range networks {
		p.Addresses = append(p.Addresses, netip.MustParsePrefix(network))
	}
	return p
}

func naming(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
}

// proxiesFiles writes what ends TLS and what judges the proxies' certificates.
func proxiesFiles(t *testing.T) (files listener.ProxiesTLS, server, callers authority) {
	t.Helper()
	dir := t.TempDir()
	server, callers = newAuthority(t), newAuthority(t)
	files = listener.ProxiesTLS{
		Certificate: filepath.Join(dir, "proxies.crt"), Key: filepath.Join(dir, "proxies.key"), TrustedCA: filepath.Join(dir, "ca.crt"),
	}
	certPEM, keyPEM := server.issue(t, names{dns: []string{"localhost"}})
	write(t, files.Certificate, certPEM)
	write(t, files.Key, keyPEM)
	write(t, files.TrustedCA, callers.pem)
	return files, server, callers
}

func newProxied(t *testing.T, change func(*listener.ProxiesConfig), proxies ...listener.Proxy) proxied {
	t.Helper()
	p := proxied{refused: &log{}}
	p.files, p.server, p.callers = proxiesFiles(t)
	config := listener.ProxiesConfig{
		Address: "127.0.0.1:0", Proxies: proxies, TLS: &p.files,
		Events: listener.Events{Refused: func(_ net.Addr, err error) { p.refused.add(err) }},
	}
	if change != nil {
		change(&config)
	}
	var err error
	if p.HTTP, err = listener.ListenProxies(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Serve() }()
	t.Cleanup(func() { _ = p.Close(); <-ended })
	return p
}

func plain(c *listener.ProxiesConfig) { c.TLS = nil }

// get asks over a connection of its own; without a config it is plain HTTP.
func (p proxied) get(t *testing.T, config *tls.Config, header string) (body string, answer *http.Response, err error) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", p.Addr().String(), 20*time.Second)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n"); err != nil {
		return "", nil, err
	}
	if answer, err = http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
		return "", nil, err
	}
	content, err := io.ReadAll(answer.Body)
	return string(content), answer, err
}

func (p proxied) config(proving ...*tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(p.server.cert)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	for _, pair := range proving {
		// Whatever the server's list of CAs says.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	return config
}

// pairOf is a certificate of the authority that is not as it should be.
func (a authority) pairOf(t *testing.T, template *x509.Certificate) *tls.Certificate {
	t.Helper()
	template.SerialNumber, template.NotBefore = big.NewInt(9), time.Now().Add(-time.Hour)
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// withoutKey is a certificate in the hands of somebody who has another key.
func withoutKey(t *testing.T, pair *tls.Certificate) *tls.Certificate {
	t.Helper()
	return &tls.Certificate{Certificate: pair.Certificate, PrivateKey: newKey(t)}
}

func TestAConnectionIsOfTheOneProxyThatItMatches(t *testing.T) {
	const edge, mesh = "spiffe://example.org/edge", "dns:mesh.example.org"
	anywhere, near := byAddress("far", elsewhere), byAddress("near", elsewhere, loopback)
	type who func(p proxied) *tls.Certificate
	named := func(n names) who { return func(p proxied) *tls.Certificate { return p.callers.pair(t, n) } }
	stranger := func(proxied) *tls.Certificate { return newAuthority(t).pair(t, names{uris: []string{edge}}) }
	selfSigned := func(proxied) *tls.Certificate {
		pair := selfSignedPair(t, time.Now().Add(time.Hour))
		return &pair
	}
	expired := func(p proxied) *tls.Certificate {
		return p.callers.pairOf(t, &x509.Certificate{NotAfter: time.Now().Add(-time.Minute), DNSNames: []string{"mesh.example.org"}})
	}
	server := func(p proxied) *tls.Certificate {
		return p.callers.pairOf(t, &x509.Certificate{
			NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"mesh.example.org"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
	}
	stolen := func(p proxied) *tls.Certificate {
		return withoutKey(t, p.callers.pair(t, names{dns: []string{"mesh.example.org"}}))
	}
	for name, test := range map[string]struct {
		proxies []listener.Proxy
		as      who // nil: no certificate
		plain   bool
		want    string // the proxy, "" if it is refused
		refused string
	}{
		"by its URI":         {[]listener.Proxy{byName("a", edge), byName("b", mesh)}, named(names{uris: []string{edge}}), false, "a", ""},
		"by its DNS name":    {[]listener.Proxy{byName("a", edge), byName("b", mesh)}, named(names{dns: []string{"MESH.example.org"}}), false, "b", ""},
		"by its address":     {[]listener.Proxy{byAddress("far", "198.51.100.0/24"), near}, nil, true, "near", ""},
		"by address, in TLS": {[]listener.Proxy{near}, nil, false, "near", ""},
		"by address beside others that are known by name": {[]listener.Proxy{byName("a", edge), near}, nil, false, "near", ""},
		"no certificate where names are asked for":        {[]listener.Proxy{byName("a", edge), anywhere}, nil, false, "", "of none of them, and has no certificate"},
		"a name that nobody has":                          {[]listener.Proxy{byName("a", edge)}, named(names{uris: []string{"spiffe://example.org/other"}}), false, "", `of none of them; its certificate is for DNS [], URI ["spiffe://example.org/other"]`},
		"a good name of another CA":                       {[]listener.Proxy{byName("a", edge)}, stranger, false, "", "unknown authority"},
		"a certificate that has ended":                    {[]listener.Proxy{byName("a", edge)}, expired, false, "", "certificate has expired"},
		"a certificate for servers":                       {[]listener.Proxy{byName("b", mesh)}, server, false, "", "incompatible key usage"},
		"a certificate of its own making":                 {[]listener.Proxy{byName("a", edge)}, selfSigned, false, "", "unknown authority"},
		"a proxy's certificate without its key":           {[]listener.Proxy{byName("b", mesh)}, stolen, false, "", ""},
		"the same from a good address":                    {[]listener.Proxy{byName("b", "dns:else.example.org"), near}, stolen, false, "", ""},
		"a wrong certificate from a good address":         {[]listener.Proxy{byName("a", edge), near}, stranger, false, "", "unknown authority"},
		"the names of two":                                {[]listener.Proxy{byName("a", edge), byName("b", mesh)}, named(names{uris: []string{edge}, dns: []string{"mesh.example.org"}}), false, "", "a's and b's: one has to be enough"},
		"a name and an address of two":                    {[]listener.Proxy{byName("a", edge), near}, named(names{uris: []string{edge}}), false, "", "a's and near's: one has to be enough"},
		"an address that is nobody's":                     {[]listener.Proxy{anywhere}, nil, true, "", "of none of them"},
		"an address that is nobody's, in TLS":             {[]listener.Proxy{anywhere}, nil, false, "", "of none of them"},
	} {
		t.Run(name, func(t *testing.T) {
			var change func(*listener.ProxiesConfig)
			if test.plain {
				change = plain
			}
			p := newProxied(t, change, test.proxies...)
			var config *tls.Config
			if !test.plain {
				config = p.config()
			}
			if test.as != nil {
				config = p.config(test.as(p))
			}
			got, _, err := p.get(t, config, "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n")
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("answered by %q, %v; want %q", got, err, test.want)
			}
			told := strings.Join(p.refused.all(), "\n")
			if test.want == "" && !strings.Contains(told, test.refused) || test.want != "" && told != "" {
				t.Errorf("told of %q, want %q", told, test.refused)
			}
		})
	}
}

// Who connects is the connection's address. Nothing that is sent says another.
func TestNoBytesOfAConnectionMakeItAnotherProxys(t *testing.T) {
	p := newProxied(t, plain, byAddress("far", elsewhere), byAddress("near", loopback))
	for name, header := range map[string]string{
		"X-Forwarded-For": "X-Forwarded-For: 192.0.2.1\r\n",
		"X-Real-IP":       "X-Real-Ip: 192.0.2.1\r\n",
		"Forwarded":       "Forwarded: for=192.0.2.1;by=192.0.2.2\r\n",
	} {
		if got, _, err := p.get(t, nil, header); got != "near" {
			t.Errorf("with %s answered by %q, %v", name, got, err)
		}
	}
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "PROXY TCP4 192.0.2.1 127.0.0.1 1000 1000\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || answer.StatusCode != http.StatusBadRequest {
		t.Errorf("the PROXY protocol: %v, %v", answer, err)
	}
}

func TestAProxyIsAskedToConnectAnewWhenItsConnectionIsOld(t *testing.T) {
	p := newProxied(t, func(c *listener.ProxiesConfig) { c.ConnectionAge = time.Nanosecond }, byAddress("near", loopback))
	if _, answer, err := p.get(t, p.config(), ""); err != nil || !answer.Close {
		t.Errorf("the connection stays open: %v", err)
	}
	p = newProxied(t, nil, byAddress("near", loopback))
	if _, answer, err := p.get(t, p.config(), ""); err != nil || answer.Close {
		t.Errorf("the connection does not stay open: %v", err)
	}
}

func TestTLS12KnowsTheSameProxies(t *testing.T) {
	old := func(config *tls.Config) *tls.Config { config.MaxVersion = tls.VersionTLS12; return config }
	p := newProxied(t, nil, byName("a", "dns:a.example"), byAddress("near", loopback))
	q := newProxied(t, nil, byName("a", "dns:a.example"), byAddress("far", elsewhere))
	if got, _, err := p.get(t, old(p.config()), ""); got != "near" {
		t.Errorf("without a certificate: %q, %v", got, err)
	}
	if got, _, err := q.get(t, old(q.config(q.callers.pair(t, names{dns: []string{"a.example"}}))), ""); got != "a" {
		t.Errorf("with its certificate: %q, %v", got, err)
	}
	for name, config := range map[string]*tls.Config{
		"without a certificate": q.config(),
		"with a stranger's":     q.config(newAuthority(t).pair(t, names{dns: []string{"a.example"}})),
		"without its key":       q.config(withoutKey(t, q.callers.pair(t, names{dns: []string{"a.example"}}))),
		"with another name":     q.config(q.callers.pair(t, names{dns: []string{"b.example"}})),
	} {
		if got, _, err := q.get(t, old(config), ""); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTheFilesOfProxiesAreReadAgain(t *testing.T) {
	var told log
	p := newProxied(t, func(c *listener.ProxiesConfig) { c.Events.Reloaded = told.add }, byName("a", "dns:a.example"))
	old := p.callers.pair(t, names{dns: []string{"a.example"}})
	if got, _, err := p.get(t, p.config(old), ""); got != "a" {
		t.Fatalf("%q, %v", got, err)
	}
	next := newAuthority(t)
	write(t, p.files.TrustedCA, append([]byte("# renewed\n"), next.pem...))
	if got, _, err := p.get(t, p.config(old), ""); err == nil {
		t.Errorf("one of the CA before is %q", got)
	}
	if got, _, err := p.get(t, p.config(next.pair(t, names{dns: []string{"a.example"}})), ""); got != "a" {
		t.Errorf("one of the CA of now: %q, %v", got, err)
	}
	write(t, p.files.TrustedCA, []byte("nothing"))
	wantError(t, p.Fault(), "trustedCA: "+p.files.TrustedCA)
	if got, _, err := p.get(t, p.config(next.pair(t, names{dns: []string{"a.example"}})), ""); got != "a" {
		t.Errorf("the last good CA: %q, %v", got, err)
	}
	if lines := told.all(); len(lines) != 2 || lines[0] != "ok" || !strings.Contains(lines[1], "trustedCA") {
		t.Errorf("told of %q", lines)
	}
}

func TestAListenerOfProxiesThatMakesNoSenseIsRefused(t *testing.T) {
	files, _, _ := proxiesFiles(t)
	withoutCA := listener.ProxiesTLS{Certificate: files.Certificate, Key: files.Key}
	absent := files
	absent.Key = filepath.Join(filepath.Dir(files.Key), "absent")
	near := byAddress("near", loopback)
	for name, test := range map[string]struct {
		config listener.ProxiesConfig
		want   string
	}{
		"nobody":                           {listener.ProxiesConfig{}, "there is none"},
		"a Unix socket":                    {listener.ProxiesConfig{Address: "unix:/a", Proxies: []listener.Proxy{near}}, "neither an address nor a certificate"},
		"no address":                       {listener.ProxiesConfig{Address: "here", Proxies: []listener.Proxy{near}}, "neither unix:/path nor host:port"},
		"a proxy that is known by nothing": {listener.ProxiesConfig{Proxies: []listener.Proxy{{Name: "a", Handler: naming("a")}}}, "proxy a: is known by names or by addresses"},
		"a proxy without a handler":        {listener.ProxiesConfig{Proxies: []listener.Proxy{{Name: "a", SANs: []string{"b"}}}}, "proxy a: no handler"},
		"names without TLS":                {listener.ProxiesConfig{Proxies: []listener.Proxy{byName("a", "b")}}, "no trusted CA"},
		"names without a CA":               {listener.ProxiesConfig{Proxies: []listener.Proxy{byName("a", "b")}, TLS: &withoutCA}, "no trusted CA"},
		"a pattern":                        {listener.ProxiesConfig{Proxies: []listener.Proxy{byName("a", "*.b")}, TLS: &files}, "without wildcard"},
		"a key that is not there":          {listener.ProxiesConfig{Proxies: []listener.Proxy{near}, TLS: &absent}, "mtls: key: "},
	} {
		t.Run(name, func(t *testing.T) {
			if test.config.Address == "" {
				test.config.Address = "127.0.0.1:0"
			}
			_, err := listener.ListenProxies(t.Context(), test.config)
			wantError(t, err, test.want)
		})
	}
	// Where nobody is known by name the CA is not looked at.
	if err := os.Remove(files.TrustedCA); err != nil {
		t.Fatal(err)
	}
	h, err := listener.ListenProxies(t.Context(), listener.ProxiesConfig{Address: "127.0.0.1:0", Proxies: []listener.Proxy{near}, TLS: &files})
	if err != nil {
		t.Fatal(err)
	}
	_ = h.Close()
}
