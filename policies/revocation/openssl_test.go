package revocation_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// authority is a CA that openssl runs: ca.crt, responder.crt, good.crt, gone.crt,
// of which the last is revoked.
type authority struct {
	folder                    string
	ca, responder, leaf, gone *testca.Issued
}

// newAuthority returns false where there is no openssl to compare with, which is
// a failure in CI.
func newAuthority(t *testing.T) (*authority, bool) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Logf("left out: %v", err)
		return nil, false
	}
	a := &authority{folder: t.TempDir(), ca: newCA(t, "CA")}
	a.responder = responderOf(t, a.ca, nil)
	a.leaf, a.gone = issue(t, a.ca, testca.Template{CommonName: "leaf"}), issue(t, a.ca, testca.Template{CommonName: "gone"})
	for name, issued := range map[string]*testca.Issued{"ca": a.ca, "responder": a.responder, "leaf": a.leaf, "gone": a.gone} {
		if err := issued.WriteFiles(a.file(name+".crt"), a.file(name+".key")); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"index.txt": a.line(a.leaf, "") + a.line(a.gone, "revoked"), "index.txt.attr": "", "crlnumber": "01\n",
		"ca.cnf": fmt.Sprintf("[ca]\ndefault_ca=d\n[d]\ndatabase=%s\ncrlnumber=%s\ndefault_md=sha256\ndefault_crl_days=1\ncrl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid:always\n",
			a.file("index.txt"), a.file("crlnumber")),
	} {
		if err := os.WriteFile(a.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a, true
}

func (a *authority) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(a.file(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (a *authority) read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(a.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (a *authority) file(name string) string { return filepath.Join(a.folder, name) }

// line is one of openssl's index: status, end, revocation, number, file, subject.
func (a *authority) line(c *testca.Issued, revoked string) string {
	status := "V"
	if revoked != "" {
		status, revoked = "R", noon.Format("060102150405Z")+",keyCompromise"
	}
	serial := strings.ToUpper(c.Certificate.SerialNumber.Text(16))
	if len(serial)%2 == 1 {
		serial = "0" + serial
	}
	return strings.Join([]string{status, c.Certificate.NotAfter.UTC().Format("060102150405Z"), revoked, serial, "unknown", "/CN=" + c.Certificate.Subject.CommonName}, "\t") + "\n"
}

func (a *authority) openssl(t *testing.T, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "openssl", arguments...)
	command.Dir = a.folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}

func TestACRLOfOpenSSL(t *testing.T) {
	a, ok := newAuthority(t)
	if !ok {
		return
	}
	a.openssl(t, "ca", "-config", "ca.cnf", "-gencrl", "-cert", "ca.crt", "-keyfile", "ca.key", "-out", "ca.crl")
	text, err := os.ReadFile(a.file("ca.crl"))
	if err != nil {
		t.Fatal(err)
	}
	lists, err := revocation.ParseCRLs(text)
	if err != nil {
		t.Fatal(err)
	}
	view := revocation.NewView(nil, lists, nil)
	for c, want := range map[*testca.Issued]string{a.leaf: "good", a.gone: "certificate_revoked"} {
		if got := judged(view, revocation.Hard, c, a.ca); got != want {
			_, err := view.Judge(path(c, a.ca), revocation.Policy{Mode: revocation.Hard}, noon)
			t.Errorf("got %s, want %s (%v)", got, want, err)
		}
	}
}

func TestAnswersOfOpenSSL(t *testing.T) {
	a, ok := newAuthority(t)
	if !ok {
		return
	}
	request := func(c *testca.Issued) {
		der, err := revocation.OCSPRequest(c.Certificate, a.ca.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(a.file("request.der"), der, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stranger := issue(t, a.ca, testca.Template{CommonName: "stranger"})
	for sentence, c := range map[string]struct {
		of    *testca.Issued
		flags []string
		want  string
	}{
		"good, by the responder":           {a.leaf, []string{"-rsigner", "responder.crt", "-rkey", "responder.key", "-ndays", "1"}, "good"},
		"good, named by its key":           {a.leaf, []string{"-rsigner", "responder.crt", "-rkey", "responder.key", "-ndays", "1", "-resp_key_id"}, "good"},
		"good, by the CA, with its own":    {a.leaf, []string{"-rsigner", "ca.crt", "-rkey", "ca.key", "-ndays", "1"}, "good"},
		"good, by the CA alone":            {a.leaf, []string{"-rsigner", "ca.crt", "-rkey", "ca.key", "-ndays", "1", "-resp_no_certs", "-resp_key_id"}, "good"},
		"good, without an end":             {a.leaf, []string{"-rsigner", "ca.crt", "-rkey", "ca.key"}, "good"},
		"revoked":                          {a.gone, []string{"-rsigner", "responder.crt", "-rkey", "responder.key", "-ndays", "1"}, "revoked"},
		"unknown":                          {stranger, []string{"-rsigner", "responder.crt", "-rkey", "responder.key", "-ndays", "1"}, "does not know"},
		"by a client of the CA":            {a.leaf, []string{"-rsigner", "gone.crt", "-rkey", "gone.key", "-ndays", "1"}, "OCSPSigning"},
		"by a responder that is not shown": {a.leaf, []string{"-rsigner", "responder.crt", "-rkey", "responder.key", "-ndays", "1", "-resp_no_certs"}, "responderID"},
		"signed with SHA-1":                {a.leaf, []string{"-rsigner", "responder.crt", "-rkey", "responder.key", "-ndays", "1", "-rmd", "sha1"}, "not accepted"},
	} {
		t.Run(sentence, func(t *testing.T) {
			request(c.of)
			a.openssl(t, append([]string{"ocsp", "-index", "index.txt", "-CA", "ca.crt", "-reqin", "request.der", "-respout", "answer.der"}, c.flags...)...)
			der, err := os.ReadFile(a.file("answer.der"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := revocation.ParseAnswer(der, c.of.Certificate, a.ca.Certificate, noon)
			switch {
			case err == nil && got.Revoked == (c.want == "revoked") && (c.want == "good" || c.want == "revoked"):
			case err == nil || !strings.Contains(err.Error(), c.want):
				t.Errorf("%+v, %v, want %q", got, err, c.want)
			}
		})
	}
}

var accepting = regexp.MustCompile(`ACCEPT .*:([0-9]+)`)

// service is a running `openssl ocsp`.
type service struct {
	process  *os.Process
	location string
	allowed  []revocation.Allowed
}

// responds starts `openssl ocsp` as a server that signs with the named key, on a port
// of the kernel's. It knows no way to listen on one address only.
func (a *authority) responds(t *testing.T, signer string) service {
	t.Helper()
	command := exec.CommandContext(t.Context(), "openssl", "ocsp", "-index", "index.txt", "-CA", "ca.crt", "-port", "0",
		"-rsigner", signer+".crt", "-rkey", signer+".key", "-ndays", "1")
	command.Dir = a.folder
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if found := accepting.FindStringSubmatch(lines.Text()); found != nil {
			at := netip.MustParseAddrPort("127.0.0.1:" + found[1])
			return service{command.Process, "http://" + at.String() + "/", []revocation.Allowed{{Prefix: netip.PrefixFrom(at.Addr(), 32), Ports: []uint16{at.Port()}}}}
		}
	}
	t.Fatalf("openssl ocsp did not start: %s", problems.String())
	return service{}
}

// ask asks the service about a certificate, and waits for the first answer for as
// long as given; 0 is for as long as it takes.
func (s service) ask(t *testing.T, f *revocation.Fetcher, c, ca *testca.Issued, wait time.Duration) error {
	t.Helper()
	l := revocation.Location{URL: s.location, Issuers: path(ca), Certificate: c.Certificate}
	if err := f.Ask("client", l); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	return f.Await(ctx, "client", l)
}

func (s service) signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := s.process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// A responder that stalls, and one that is no more: what is known counts until its
// end, and of what is not known soft mode says that.
func TestAResponderOfOpenSSLStallsAndStops(t *testing.T) {
	a, ok := newAuthority(t)
	if !ok {
		return
	}
	s := a.responds(t, "responder")
	v := views{last: revocation.NewView(nil, nil, nil)}
	f := newFetcher(t, revocation.Options{Backend: revocation.NewWeb(s.allowed), Publish: v.publish})
	defer run(t, f)()
	in := func(mode revocation.Mode, c *testca.Issued, at time.Time) string {
		return outcome(v.now().Judge(path(c, a.ca), revocation.Policy{Mode: mode}, at))
	}
	both := func(c *testca.Issued, at time.Time) string {
		return in(revocation.Soft, c, at) + " " + in(revocation.Hard, c, at)
	}
	s.signal(t, syscall.SIGSTOP)
	if err := s.ask(t, f, a.leaf, a.ca, 100*time.Millisecond); err == nil {
		t.Error("a process that is stopped answers")
	}
	if got := both(a.leaf, time.Now()); got != "unknown revocation_unavailable" {
		t.Errorf("while it stalls: %s", got)
	}
	s.signal(t, syscall.SIGCONT)
	for _, c := range []*testca.Issued{a.leaf, a.gone} {
		if err := s.ask(t, f, c, a.ca, 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := both(a.leaf, time.Now()) + ", " + both(a.gone, time.Now()); got != "good good, certificate_revoked certificate_revoked" {
		t.Errorf("when it goes on: %s: %+v", got, f.States())
	}
	s.signal(t, os.Kill)
	if _, err := s.process.Wait(); err != nil {
		t.Fatal(err)
	}
	late := issue(t, a.ca, testca.Template{CommonName: "late"})
	if err := s.ask(t, f, late, a.ca, 0); err != nil {
		t.Fatal(err)
	}
	if got := both(late, time.Now()); got != "unknown revocation_unavailable" {
		t.Errorf("one that comes when it is gone: %s", got)
	}
	if got := both(a.leaf, time.Now()); got != "good good" {
		t.Errorf("one that was known, when it is gone: %s", got)
	}
	tomorrow := time.Now().Add(25 * time.Hour)
	if got := both(a.leaf, tomorrow) + ", " + both(a.gone, tomorrow); got != "unknown revocation_stale, certificate_revoked certificate_revoked" {
		t.Errorf("after the end of what is known: %s", got)
	}
}

func TestAResponderOfOpenSSLThatIsNoneIsNotBelieved(t *testing.T) {
	a, ok := newAuthority(t)
	if !ok {
		return
	}
	s := a.responds(t, "gone") // a client's certificate
	v := views{last: revocation.NewView(nil, nil, nil)}
	f := newFetcher(t, revocation.Options{Backend: revocation.NewWeb(s.allowed), Publish: v.publish})
	defer run(t, f)()
	if err := s.ask(t, f, a.leaf, a.ca, 0); err != nil {
		t.Fatal(err)
	}
	if got := v.judged(a.leaf, a.ca); got != "revocation_unavailable" || !strings.Contains(f.States()[0].Problem, "OCSPSigning") {
		t.Errorf("%s: %+v", got, f.States())
	}
}

func TestTheResponderOfOpenSSLIsAsked(t *testing.T) {
	a, ok := newAuthority(t)
	if !ok {
		return
	}
	responder := a.responds(t, "responder")
	var v views
	f := newFetcher(t, revocation.Options{Backend: revocation.NewWeb(responder.allowed), Publish: v.publish})
	stop := run(t, f)
	defer stop()
	for _, c := range []*x509.Certificate{a.leaf.Certificate, a.gone.Certificate} {
		if err := f.Ask("client", revocation.Location{URL: responder.location, Issuers: path(a.ca), Certificate: c}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Await(t.Context(), "client"); err != nil {
		t.Fatal(err)
	}
	for c, want := range map[*testca.Issued]string{a.leaf: "good", a.gone: "certificate_revoked"} {
		if got := v.judged(c, a.ca); got != want {
			t.Errorf("%s, want %s: %+v", got, want, f.States())
		}
	}
}
