package main

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// caService is a CA's web server on loopback. It counts what it is asked.
type caService struct {
	url   string
	mu    sync.Mutex
	asked map[string]int
}

func (s *caService) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

// serveCA answers each path as its function does.
func serveCA(t *testing.T, answers map[string]http.HandlerFunc) *caService {
	t.Helper()
	service := &caService{asked: make(map[string]int)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service.mu.Lock()
		service.asked[r.URL.Path]++
		service.mu.Unlock()
		if answer := answers[r.URL.Path]; answer != nil {
			answer(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	service.url = server.URL
	return service
}

func sends(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) } // whoever asked sees what is missing
}

// stalls answers nothing for as long as it is asked.
func stalls(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// configured writes a configuration that allows addresses to be fetched from.
func configured(t *testing.T, allow ...string) string {
	t.Helper()
	var items []string
	for _, address := range allow {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, fmt.Sprintf("{addresses: [%s], ports: [%s]}", host, port))
	}
	file := filepath.Join(t.TempDir(), "certbearer.yaml")
	text := "issuer: https://gateway.example\naudience: https://api.example\nlisten: {grpc: \"unix:run/x.sock\"}\nrevocation: {allow: [" + strings.Join(items, ", ") + "]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func hostPort(t *testing.T, location string) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// asksAt is an authorityInfoAccess with an OCSP responder (RFC 5280 4.2.2.1).
func asksAt(t *testing.T, location string) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal([]struct {
		Method   asn1.ObjectIdentifier
		Location asn1.RawValue
	}{{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(location)}}})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}, Value: value}
}

func located(mode string, locations ...string) map[string]any {
	return map[string]any{"mode": mode, "locations": locations}
}

func TestLocationsAreAskedOnline(t *testing.T) {
	t.Parallel()
	ca := authority(t, "CA")
	soon := time.Now().Add(time.Hour)
	service := serveCA(t, map[string]http.HandlerFunc{
		"/good":   sends(crlOf(t, ca, soon)),
		"/other":  sends(crlOf(t, authority(t, "CA"), soon)),
		"/stale":  sends(crlOf(t, ca, time.Now().Add(-time.Hour))),
		"/no-crl": sends("<html>"),
		"/stall":  stalls,
		"/away":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"/elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.2/good", http.StatusFound)
		},
		"/oversized": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "999999999") },
	})
	down := closedPort(t)
	config := configured(t, hostPort(t, service.url), down)
	for path, want := range map[string]string{
		"/good":      "",
		"/other":     "unsigned: ",
		"/stale":     "stale: what the location has ended at ",
		"/no-crl":    "malformed: ",
		"/stall":     "timed_out: ",
		"/away":      "declined: the answer has status 503",
		"/absent":    "declined: the answer has status 404",
		"/elsewhere": "forbidden: ",
		"/oversized": "too_large: the answer has 999999999 bytes",
		"down":       "unreachable: ",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			location, patience := service.url+path, "--online-timeout=20s"
			if path == "/stall" {
				patience = "--online-timeout=500ms"
			}
			if path == "down" {
				location = "http://" + down + "/crl"
			}
			for mode, severity := range map[string]severity{"soft": isWarning, "hard": isError} {
				dir := repository{"a.json": fields{"certificateTrustStore": stored(ca), "revocation": located(mode, location+"?key=secret")}}.write(t)
				found := findings(t, dir, "--config", config, "--online", patience)
				switch {
				case want == "" && len(found) == 0:
				case len(found) != 1 || want == "":
					t.Errorf("%s: %+v", mode, found)
				case found[0].Severity != severity || found[0].Location != location || found[0].Line == 0 || !strings.HasPrefix(found[0].Problem, "location "+location+" would not do: "+want):
					t.Errorf("%s: %+v", mode, found[0])
				}
				if printed, _ := checked(t, dir, "--config", config, "--online", patience); strings.Contains(printed, "secret") {
					t.Errorf("the query is shown:\n%s", printed)
				}
			}
		})
	}
}

// A pinned certificate, whose CA is in the store, says where its responder is.
func TestOCSPRespondersOfTheStoreAreAskedOnline(t *testing.T) {
	t.Parallel()
	ca := authority(t, "CA")
	var lying bool
	var pinned *testca.Issued
	answers := map[string]http.HandlerFunc{"/ocsp": func(w http.ResponseWriter, _ *http.Request) {
		by := ca
		if lying {
			by = authority(t, "CA")
		}
		der, err := ocsp.CreateResponse(by.Certificate, by.Certificate, ocsp.Response{
			Status: ocsp.Good, SerialNumber: pinned.Certificate.SerialNumber, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
		}, by.Key)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(der)
	}}
	service := serveCA(t, answers)
	pinned = issuedBy(t, ca, testca.Template{CommonName: "leaf", ExtraExtensions: []pkix.Extension{asksAt(t, service.url+"/ocsp")}})
	dir := repository{"a.json": fields{"certificateTrustStore": stored(pinned, ca), "revocation": map[string]string{"mode": "hard"}}}.write(t)
	config := configured(t, hostPort(t, service.url))
	if found := findings(t, dir, "--config", config, "--online"); len(found) != 0 || service.count("/ocsp") != 1 {
		t.Errorf("asked %d times: %+v", service.count("/ocsp"), found)
	}
	lying = true
	if found := findings(t, dir, "--config", config, "--online"); len(found) != 1 || !strings.Contains(found[0].Problem, "OCSP responder "+service.url+"/ocsp would not do: ") {
		t.Errorf("of a responder that lies: %+v", found)
	}
}

// What many clients want is asked once, and reported once; nothing is asked without
// --online, of clients that ask nothing, or at addresses that nobody allowed.
func TestALocationIsAskedOnce(t *testing.T) {
	t.Parallel()
	ca := authority(t, "CA")
	service := serveCA(t, map[string]http.HandlerFunc{"/away": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }})
	clients := repository{}
	for i := range 20 {
		clients[fmt.Sprintf("c%02d.json", i)] = fields{"certificateTrustStore": stored(ca), "tlsClientAuth": map[string]string{"sanDns": fmt.Sprintf("c%d.example", i)}, "revocation": located("soft", service.url+"/away")}
	}
	clients["off.json"] = fields{"status": "off", "certificateTrustStore": stored(ca), "tlsClientAuth": map[string]string{"sanDns": "off.example"}, "revocation": located("hard", service.url+"/off")}
	clients["mode.json"] = fields{"certificateTrustStore": stored(ca), "tlsClientAuth": map[string]string{"sanDns": "mode.example"}, "revocation": located("off", service.url+"/off")}
	dir, config := clients.write(t), configured(t, hostPort(t, service.url))
	if found := findings(t, dir, "--config", config); len(found) != 0 || service.count("/away") != 0 {
		t.Errorf("offline: %+v", found)
	}
	if found := findings(t, dir, "--online"); len(found) != 1 || !strings.Contains(found[0].Problem, "forbidden: ") || service.count("/away") != 0 {
		t.Errorf("with nothing allowed: %+v", found)
	}
	found := findings(t, dir, "--config", config, "--online")
	if diff := cmp.Diff([]string{"c00 location_unusable"}, briefly(found)); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	if !strings.HasSuffix(found[0].Problem, "it is wanted by c01, c02, c03, c04, c05, others too") || service.count("/away") != 1 || service.count("/off") != 0 {
		t.Errorf("asked %d times: %+v", service.count("/away"), found)
	}
}

// Who stops the check is not told that locations are down.
func TestACheckThatIsStoppedSaysSo(t *testing.T) {
	t.Parallel()
	ca := authority(t, "CA")
	ctx, stop := context.WithCancel(t.Context())
	service := serveCA(t, map[string]http.HandlerFunc{"/stall": func(w http.ResponseWriter, r *http.Request) { stop(); stalls(w, r) }})
	dir := repository{"a.json": fields{"certificateTrustStore": stored(ca), "revocation": located("hard", service.url+"/stall")}}.write(t)
	var stdout, stderr bytes.Buffer
	code := run(&console{ctx: ctx, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr},
		[]string{"clients", "check", dir, "--config", configured(t, hostPort(t, service.url)), "--online"})
	if code != exitTrouble || stdout.Len() > 0 {
		t.Errorf("exit code %d: %s%s", code, &stdout, &stderr)
	}
}
