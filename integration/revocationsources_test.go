package integration_test

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func signedCRL(t *testing.T, ca *testca.Issued, list testca.CRL) []byte {
	t.Helper()
	der, err := ca.SignCRL(list)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// putCRL writes a list beside the documents, as an editor would.
func putCRL(t *testing.T, w *world, name string, ca *testca.Issued, revoked ...*testca.Issued) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: signedCRL(t, ca, testca.CRL{Revoked: revoked})})
	beside := filepath.Join(w.clients(), "."+name+".new")
	if err := os.WriteFile(beside, text, 0o600); err != nil {
		t.Fatal(err)
	}
	rename(t, beside, filepath.Join(w.clients(), name))
}

// crlServer is a CA's web server on loopback.
type crlServer struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   map[string]int
}

func serveCRLs(t *testing.T) *crlServer {
	t.Helper()
	s := &crlServer{answers: make(map[string]http.HandlerFunc), asked: make(map[string]int)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[r.URL.Path]++
		answer := s.answers[r.URL.Path]
		s.mu.Unlock()
		if answer == nil {
			answer = http.NotFound
		}
		answer(w, r)
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *crlServer) url(path string) string { return s.URL + path }

func (s *crlServer) port() string { return portOf(s.URL) }

func portOf(location string) string { return location[strings.LastIndex(location, ":")+1:] }

func (s *crlServer) handle(path string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = answer
}

func (s *crlServer) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

// put serves a list from now on, and tells when it was sent for the first time.
func (s *crlServer) put(t *testing.T, path string, ca *testca.Issued, lasts time.Duration, revoked ...*testca.Issued) <-chan time.Time {
	t.Helper()
	now := time.Now()
	der := signedCRL(t, ca, testca.CRL{ThisUpdate: now.Add(-time.Second), NextUpdate: now.Add(lasts), Revoked: revoked})
	sent := make(chan time.Time, 1)
	s.handle(path, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(der) // whoever asked may have gone
		select {
		case sent <- time.Now():
		default:
		}
	})
	return sent
}

func says(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
}

// answerOCSP answers as a responder that signs with the CA's key.
func answerOCSP(w http.ResponseWriter, r *http.Request, by *testca.Issued, status int) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		return
	}
	request, err := ocsp.ParseRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now := time.Now()
	answer, err := ocsp.CreateResponse(by.Certificate, by.Certificate, ocsp.Response{
		Status: status, SerialNumber: request.SerialNumber, ThisUpdate: now.Add(-time.Second), NextUpdate: now.Add(time.Hour),
	}, by.Key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(answer)
}

// openssl is a CA whose responder is `openssl ocsp`. In front of it stands a proxy
// that sees when which answer was sent, and keeps the address while it is stopped.
type openssl struct {
	ca      *testca.Issued
	folder  string
	proxy   *httptest.Server
	revoked chan time.Time // when it was first said that something is revoked
	mu      sync.Mutex
	inner   *url.URL
	process *exec.Cmd
}

// newOpenSSL makes the CA. Its responder runs once it is started.
func newOpenSSL(t *testing.T, ca *testca.Issued) *openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		leaveOut(t, "there is no openssl")
	}
	o := &openssl{ca: ca, folder: t.TempDir(), revoked: make(chan time.Time, 1)}
	if err := ca.WriteFiles(filepath.Join(o.folder, "ca.crt"), filepath.Join(o.folder, "ca.key")); err != nil {
		t.Fatal(err)
	}
	o.write(t, "index.txt.attr", "unique_subject = no\n")
	o.proxy = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			o.mu.Lock()
			defer o.mu.Unlock()
			r.SetURL(o.inner)
		},
		ModifyResponse: o.see,
		// A responder that is stopped is one whose connections break off.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	t.Cleanup(o.proxy.Close)
	t.Cleanup(func() { o.stop(t) })
	return o
}

// see looks at an answer that is sent.
func (o *openssl) see(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if answer, err := ocsp.ParseResponse(body, nil); err == nil && answer.Status == ocsp.Revoked {
		select {
		case o.revoked <- time.Now():
		default:
		}
	}
	return nil
}

func (o *openssl) url() string { return o.proxy.URL + "/ocsp" }

func (o *openssl) port() string { return portOf(o.proxy.URL) }

func (o *openssl) write(t *testing.T, name, text string) {
	t.Helper()
	beside := filepath.Join(o.folder, name+".new")
	if err := os.WriteFile(beside, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rename(t, beside, filepath.Join(o.folder, name))
}

// index writes the database of the CA. When it changes openssl reads it again, after
// it has answered once more by the old one.
func (o *openssl) index(t *testing.T, revoked []*testca.Issued, issued ...*testca.Issued) {
	t.Helper()
	const form = "060102150405Z"
	var text strings.Builder
	for _, c := range issued {
		status, since := "V", ""
		for _, gone := range revoked {
			if gone == c {
				status, since = "R", time.Now().UTC().Format(form)+",keyCompromise"
			}
		}
		serial := strings.ToUpper(c.Certificate.SerialNumber.Text(16))
		if len(serial)%2 == 1 {
			serial = "0" + serial
		}
		fmt.Fprintf(&text, "%s\t%s\t%s\t%s\tunknown\t/CN=%s\n", status, c.Certificate.NotAfter.UTC().Format(form), since, serial, c.Certificate.Subject.CommonName)
	}
	o.write(t, "index.txt", text.String())
}

var acceptsAt = regexp.MustCompile(`ACCEPT .*:([0-9]+)`)

// start starts the responder on a port of the kernel's. Its answers count for a
// minute.
func (o *openssl) start(t *testing.T) {
	t.Helper()
	command := exec.Command("openssl", "ocsp", "-index", "index.txt", "-CA", "ca.crt", "-port", "0", "-rsigner", "ca.crt", "-rkey", "ca.key", "-nmin", "1")
	command.Dir = o.folder
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if found := acceptsAt.FindStringSubmatch(lines.Text()); found != nil {
			o.mu.Lock()
			o.process, o.inner = command, &url.URL{Scheme: "http", Host: "127.0.0.1:" + found[1]}
			o.mu.Unlock()
			go io.Copy(io.Discard, output)
			return
		}
	}
	_ = command.Wait()
	t.Fatalf("openssl ocsp did not start: %s", problems.String())
}

// stop ends the responder, if it runs.
func (o *openssl) stop(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	process := o.process
	o.process = nil
	o.mu.Unlock()
	if process != nil {
		_ = process.Process.Kill() // it may have ended
		_ = process.Wait()         // which says that it was killed
	}
}
