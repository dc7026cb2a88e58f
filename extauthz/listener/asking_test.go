package listener_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/listener"
)

// asking is a server that ends TLS and answers with the thumbprint of what was
// proven to it.
type asking struct {
	*listener.HTTP
	files  listener.TLS
	server authority
}

func newAsking(t *testing.T, events listener.Events) asking {
	t.Helper()
	dir, server := t.TempDir(), newAuthority(t)
	files := listener.TLS{Certificate: filepath.Join(dir, "server.crt"), Key: filepath.Join(dir, "server.key")}
	a := asking{files: files, server: server}
	a.renew(t)
	a.HTTP = servingHTTP(t, listener.HTTPConfig{
		Address: "127.0.0.1:0", TLS: &files, Events: events,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.TLS == nil || !r.TLS.HandshakeComplete {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			for _, certificate := range r.TLS.PeerCertificates {
				_, _ = fmt.Fprintf(w, "%x\n", sha256.Sum256(certificate.Raw))
			}
		}),
	})
	return a
}

// renew writes another certificate of the server's, and its key.
func (a asking) renew(t *testing.T) {
	t.Helper()
	certPEM, keyPEM := a.server.issue(t, names{dns: []string{"localhost"}})
	write(t, a.files.Key, keyPEM)
	write(t, a.files.Certificate, certPEM)
}

func (a asking) config(proving ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.server.cert)
	return &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: proving}
}

// get asks over a connection of its own.
func (a asking) get(t *testing.T, config *tls.Config) (body string, state tls.ConnectionState, err error) {
	t.Helper()
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(bounded(t), "tcp", a.Addr().String())
	if err != nil {
		return "", state, err
	}
	defer func() { _ = conn.Close() }()
	secure, _ := conn.(*tls.Conn)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return "", state, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", state, err
	}
	content, err := io.ReadAll(answer.Body)
	return string(content), secure.ConnectionState(), err
}

func selfSignedPair(t *testing.T, notAfter time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "lab"}, NotBefore: notAfter.Add(-time.Hour), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func thumbprints(ders ...[]byte) string {
	var text strings.Builder
	for _, der := range ders {
		sum := sha256.Sum256(der)
		text.WriteString(hex.EncodeToString(sum[:]) + "\n")
	}
	return text.String()
}

func TestAClientIsAskedForACertificateAndNotJudged(t *testing.T) {
	a := newAsking(t, listener.Events{})
	ca := newAuthority(t)
	issued := *ca.pair(t, names{dns: []string{"client.example"}})
	chain := tls.Certificate{Certificate: append(issued.Certificate, ca.cert.Raw), PrivateKey: issued.PrivateKey}
	own, expired := selfSignedPair(t, time.Now().Add(time.Hour)), selfSignedPair(t, time.Now().Add(-time.Hour))
	for sentence, test := range map[string]struct {
		proving []tls.Certificate
		want    string
	}{
		"one that is self-signed":          {[]tls.Certificate{own}, thumbprints(own.Certificate[0])},
		"one that has expired":             {[]tls.Certificate{expired}, thumbprints(expired.Certificate[0])},
		"one of a CA that nobody has":      {[]tls.Certificate{issued}, thumbprints(issued.Certificate[0])},
		"one with its chain":               {[]tls.Certificate{chain}, thumbprints(chain.Certificate...)},
		"none, which is the handler's too": {nil, ""},
	} {
		for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
			t.Run(sentence+" over "+name, func(t *testing.T) {
				config := a.config(test.proving...)
				config.MinVersion, config.MaxVersion = version, version
				got, state, err := a.get(t, config)
				if err != nil {
					t.Fatal(err)
				}
				if got != test.want || state.Version != version || state.DidResume {
					t.Errorf("%q, version %x, resumed %v", got, state.Version, state.DidResume)
				}
			})
		}
	}
}

// A client that obeys a list of CAs would send nothing.
func TestAClientIsAskedWithoutAListOfCAs(t *testing.T) {
	a := newAsking(t, listener.Events{})
	var asked *tls.CertificateRequestInfo
	config := a.config()
	config.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = info
		return new(tls.Certificate), nil
	}
	if _, _, err := a.get(t, config); err != nil {
		t.Fatal(err)
	}
	if asked == nil || len(asked.AcceptableCAs) != 0 {
		t.Errorf("asked with %+v", asked)
	}
}

func TestEveryConnectionProvesItsCertificateAnew(t *testing.T) {
	a := newAsking(t, listener.Events{})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := a.config(selfSignedPair(t, time.Now().Add(time.Hour)))
		config.MaxVersion, config.ClientSessionCache = version, tls.NewLRUClientSessionCache(4)
		for range 2 {
			if _, state, err := a.get(t, config); err != nil || state.DidResume {
				t.Errorf("%s: resumed %v, %v", tls.VersionName(version), state.DidResume, err)
			}
		}
	}
}

func TestACertificateWithoutItsKeyIsNotProven(t *testing.T) {
	a := newAsking(t, listener.Events{})
	own := selfSignedPair(t, time.Now().Add(time.Hour))
	stolen := tls.Certificate{Certificate: own.Certificate, PrivateKey: selfSignedPair(t, time.Now()).PrivateKey}
	if got, _, err := a.get(t, a.config(stolen)); err == nil {
		t.Errorf("an answer for a certificate without its key: %q", got)
	}
}

func TestWhatTLSIsSpoken(t *testing.T) {
	a := newAsking(t, listener.Events{})
	for sentence, test := range map[string]struct {
		change func(*tls.Config)
		works  bool
	}{
		"TLS 1.3":                         {func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, true},
		"TLS 1.2 with forward secrecy":    {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, true},
		"TLS 1.2 without":                 {suites(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), false},
		"TLS 1.2 with CBC":                {suites(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256), false},
		"TLS 1.1":                         {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, false},
		"HTTP/1.1 where it is negotiated": {func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, true},
		"not HTTP/2":                      {func(c *tls.Config) { c.NextProtos = []string{"h2"} }, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			config := a.config()
			test.change(config)
			_, state, err := a.get(t, config)
			if (err == nil) != test.works {
				t.Errorf("version %x: %v", state.Version, err)
			}
		})
	}
	t.Run("no plain HTTP", func(t *testing.T) {
		conn, err := new(net.Dialer).DialContext(bounded(t), "tcp", a.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn)
		if strings.Contains(string(answer), "200") {
			t.Errorf("%q", answer)
		}
	})
}

func suites(suite uint16) func(*tls.Config) {
	return func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite} }
}

func TestChangedFilesAreUsedByTheNextConnection(t *testing.T) {
	var reloads log
	a := newAsking(t, listener.Events{Reloaded: reloads.add})
	leaf := func() string {
		_, state, err := a.get(t, a.config())
		if err != nil {
			t.Fatal(err)
		}
		return thumbprints(state.PeerCertificates[0].Raw)
	}
	first := leaf()
	a.renew(t)
	second := leaf()
	if first == second {
		t.Error("the new certificate is not used")
	}
	write(t, a.files.Key, []byte("garbage"))
	if leaf() != second || a.Fault() == nil {
		t.Errorf("files that cannot be used: fault %v", a.Fault())
	}
	if err := os.Remove(a.files.Certificate); err != nil {
		t.Fatal(err)
	}
	if leaf() != second || a.Fault() == nil {
		t.Errorf("files that are gone: fault %v", a.Fault())
	}
	a.renew(t)
	if third := leaf(); third == second || a.Fault() != nil {
		t.Errorf("mended files: fault %v", a.Fault())
	}
	told := reloads.all()
	if len(told) != 4 || told[0] != "ok" || !strings.Contains(told[1], "key") || !strings.Contains(told[2], "no such file") || told[3] != "ok" {
		t.Errorf("told %q, want each change once", told)
	}
}

func TestATLSListenerWithoutItsFilesDoesNotStart(t *testing.T) {
	good := newAsking(t, listener.Events{}).files
	other := newAsking(t, listener.Events{}).files
	missing := filepath.Join(t.TempDir(), "missing")
	for sentence, files := range map[string]listener.TLS{
		"no certificate":           {Certificate: missing, Key: good.Key},
		"no key":                   {Certificate: good.Certificate, Key: missing},
		"the key of another":       {Certificate: good.Certificate, Key: other.Key},
		"the two the wrong way up": {Certificate: good.Key, Key: good.Certificate},
		"nothing":                  {},
	} {
		t.Run(sentence, func(t *testing.T) {
			h, err := listener.ListenHTTP(context.Background(), listener.HTTPConfig{Address: "127.0.0.1:0", TLS: &files, Handler: http.NotFoundHandler()})
			if err == nil {
				t.Fatal(h.Close())
			}
			if strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("the error has PEM: %v", err)
			}
		})
	}
}

func TestAPlainListenerHasNoFaultOfTLS(t *testing.T) {
	h := servingHTTP(t, listener.HTTPConfig{Address: "127.0.0.1:0", Handler: http.NotFoundHandler()})
	if err := h.Fault(); err != nil {
		t.Error(err)
	}
}
