package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// story is the demo, told as requests and answers.
type story struct {
	stage      *stage
	out        io.Writer
	cast       cast
	unexpected int
	scenes     int
}

// cast are the certificates of the story.
type cast struct {
	pinned       *testca.Issued // self-signed, its client pins it
	partner      *testca.Issued // of the CA that its client trusts, an intermediate between
	stranger     *testca.Issued // self-signed, with the names of pinned
	partnerTwin  *testca.Issued // of another CA, with the names of partner and of its CA
	newcomer     *testca.Issued // becomes a client while Envoy runs
	partnerRoots string
}

// tell plays all scenes and returns how often something was not as expected.
func (s *story) tell(ctx context.Context) int {
	var err error
	if s.cast, err = newCast(); err == nil {
		err = s.admitCast(ctx)
	}
	if err != nil {
		s.wrong("the demo could not be prepared: %v", err)
		return s.unexpected
	}
	fmt.Fprintf(s.out, "Envoy listens on https://%s and asks certbearer about each request.\nThe service behind it answers with what it received.\n", s.stage.address)
	for _, scenes := range []func(context.Context){s.knownClients, s.strangers, s.liveChanges, s.forgeries, s.tokens} {
		if ctx.Err() == nil {
			scenes(ctx)
		}
	}
	return s.unexpected
}

func newCast() (cast, error) {
	var c cast
	var err error
	if c.pinned, err = testca.LikeOpenSSL("lab-partner", "Example Lab"); err != nil {
		return c, err
	}
	if c.stranger, err = testca.LikeOpenSSL("lab-partner", "Example Lab"); err != nil {
		return c, err
	}
	if c.newcomer, err = testca.LikeOpenSSL("newcomer", "Example Clinic"); err != nil {
		return c, err
	}
	if c.partner, c.partnerRoots, err = newPartner(); err != nil {
		return c, err
	}
	c.partnerTwin, _, err = newPartner()
	return c, err
}

// newPartner makes a root, an intermediate and a leaf. Every call gives the
// same names and other keys.
func newPartner() (leaf *testca.Issued, rootPEM string, err error) {
	root, err := testca.SelfSigned(testca.Template{CommonName: "Payer Root CA", Organization: "Example Payer", CA: true})
	if err != nil {
		return nil, "", err
	}
	intermediate, err := root.Issue(testca.Template{CommonName: "Payer Issuing CA", Organization: "Example Payer", CA: true})
	if err != nil {
		return nil, "", err
	}
	leaf, err = intermediate.Issue(testca.Template{CommonName: "gateway.payer.example", Organization: "Example Payer", DNSNames: []string{"gateway.payer.example"}})
	if err != nil {
		return nil, "", err
	}
	return leaf, string(root.PEM()), nil
}

// admitCast writes the documents of the two clients and waits until they work.
func (s *story) admitCast(ctx context.Context) error {
	if err := s.stage.site.writeClient("lab-partner", "Example Lab", string(s.cast.pinned.PEM())); err != nil {
		return err
	}
	if err := s.stage.site.writeClient("payer", "Example Payer", s.cast.partnerRoots); err != nil {
		return err
	}
	for _, certificate := range []*testca.Issued{s.cast.pinned, s.cast.partner} {
		if _, err := s.until(ctx, certificate, http.StatusOK); err != nil {
			return err
		}
	}
	for name, certificate := range map[string]*testca.Issued{"lab-partner": s.cast.pinned, "payer": s.cast.partner, "stranger": s.cast.stranger} {
		path := filepath.Join(s.stage.site.Dir, "pki", name)
		if err := certificate.WriteFiles(path+".crt", path+".key"); err != nil {
			return err
		}
	}
	return nil
}

// until repeats a request until it gets the status, as one who has just changed
// a document would.
func (s *story) until(ctx context.Context, certificate *testca.Issued, status int) (reply, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(10 * time.Second)
	for {
		r, err := s.stage.call(ctx, certificate, "/hello", nil)
		if err != nil || r.status == status || time.Now().After(deadline) {
			return r, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return reply{}, ctx.Err()
		}
	}
}

func (s *story) knownClients(ctx context.Context) {
	s.scene("A client whose self-signed certificate is pinned")
	s.accepted(ctx, "lab-partner", s.cast.pinned)

	s.scene("A client known by its CA, with an intermediate between")
	s.accepted(ctx, "payer", s.cast.partner)
}

func (s *story) strangers(ctx context.Context) {
	s.scene("A stranger with the same names in a self-signed certificate")
	s.request("GET /hello", "another certificate for CN=lab-partner,O=Example Lab")
	s.refused(ctx, s.cast.stranger, nil, "client_unknown")

	s.scene("A stranger whose CA has the same names as the client's CA")
	s.request("GET /hello", "another chain for CN=gateway.payer.example")
	s.refused(ctx, s.cast.partnerTwin, nil, "client_unknown")

	s.scene("A caller without a certificate")
	s.request("GET /hello", "no certificate")
	s.refused(ctx, nil, nil, "certificate_missing")
}

func (s *story) liveChanges(ctx context.Context) {
	s.scene("A client is dropped into the folder while Envoy runs")
	s.request("GET /hello", "the certificate of newcomer, before")
	s.refused(ctx, s.cast.newcomer, nil, "client_unknown")
	document := clientDocument{ResourceType: "ClientApplication", ID: "newcomer", Name: "Example Clinic", TrustStore: string(s.cast.newcomer.PEM())}
	s.change(ctx, document, "clients/newcomer.json is written", http.StatusOK, "allowed")

	s.scene("Its status turns off")
	document.Status = "off"
	s.change(ctx, document, `clients/newcomer.json says "status": "off"`, http.StatusUnauthorized, "client_inactive")
}

// change writes a document and waits for what it does.
func (s *story) change(ctx context.Context, document clientDocument, what string, status int, reason string) {
	began := time.Now()
	if err := s.stage.site.writeDocument(document); err != nil {
		s.wrong("%v", err)
		return
	}
	r, err := s.until(ctx, s.cast.newcomer, status)
	if err != nil {
		s.wrong("%v", err)
		return
	}
	s.line("  ~ %s; %s later:", what, time.Since(began).Round(10*time.Millisecond))
	s.show(r)
	s.expect(r, status, reason)
}

func (s *story) forgeries(ctx context.Context) {
	forged := forgedXFCC(s.cast.pinned)

	s.scene("A forged x-forwarded-client-cert with the certificate of lab-partner")
	s.request("GET /hello", "no certificate, and x-forwarded-client-cert: "+forged[:40]+"…")
	s.refused(ctx, nil, http.Header{"X-Forwarded-Client-Cert": {forged}}, "certificate_missing")
	s.request("GET /hello", "the stranger's certificate, and the same header")
	s.refused(ctx, s.cast.stranger, http.Header{"X-Forwarded-Client-Cert": {forged}}, "client_unknown")

	s.scene("A caller's own Authorization")
	s.request("GET /hello", "the certificate of lab-partner, and Authorization: Bearer of its own")
	s.refused(ctx, s.cast.pinned, http.Header{"Authorization": {"Bearer of-its-own"}}, "token_malformed")
}

// forgedXFCC is what Envoy itself would write for the certificate.
func forgedXFCC(victim *testca.Issued) string {
	sum := victim.Thumbprint()
	return fmt.Sprintf(`Hash=%s;Cert="%s"`, hex.EncodeToString(sum[:]), victim.URLEncodedPEM())
}

// accepted expects a 200, and a token for the upstream that the key set
// verifies and that names the certificate.
func (s *story) accepted(ctx context.Context, client string, certificate *testca.Issued) {
	s.acceptedWith(ctx, client, certificate, "", nil)
}

func (s *story) acceptedWith(ctx context.Context, client string, certificate *testca.Issued, what string, header http.Header) {
	s.request("GET /hello", strings.TrimSuffix("the certificate of "+client+", "+what, ", "))
	r, err := s.stage.call(ctx, certificate, "/hello", header)
	if err != nil {
		s.wrong("%v", err)
		return
	}
	s.show(r)
	s.expect(r, http.StatusOK, "allowed")
	if r.received == nil {
		return
	}
	token, err := s.stage.verify(ctx, r.received)
	if err != nil {
		s.wrong("the token does not verify: %v", err)
		return
	}
	s.line("    the service received  Authorization: Bearer <JWT>, verified with /.well-known/jwks.json:")
	s.line("      header  %s", compact(map[string]any{"alg": token.header.Algorithm, "typ": token.header.ExtraHeaders["typ"], "kid": token.header.KeyID}))
	for _, name := range []string{"iss", "aud", "sub", "client_id", "cnf", "iat", "exp", "jti"} {
		s.line("      %-9s %s", name, compact(token.claims[name]))
	}
	s.expectBound(token, client, certificate)
}

func (s *story) expectBound(token bearer, client string, certificate *testca.Issued) {
	if token.claims["client_id"] != client {
		s.wrong("the token is for %v, not for %s", token.claims["client_id"], client)
	}
	sum := sha256.Sum256(certificate.Certificate.Raw)
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	cnf, _ := token.claims["cnf"].(map[string]any)
	if cnf["x5t#S256"] != want {
		s.wrong("cnf is %v, not the certificate's thumbprint %s", token.claims["cnf"], want)
	}
}

func (s *story) refused(ctx context.Context, certificate *testca.Issued, header http.Header, reason string) {
	before := s.stage.echo.requests.Load()
	r, err := s.stage.call(ctx, certificate, "/hello", header)
	if err != nil {
		s.wrong("%v", err)
		return
	}
	s.show(r)
	s.expect(r, http.StatusUnauthorized, reason)
	if reached := s.stage.echo.requests.Load() - before; reached != 0 {
		s.wrong("the service received the request")
	}
}

func (s *story) expect(r reply, status int, reason string) {
	if r.status != status || r.reason != reason {
		s.wrong("expected %d for the reason %s", status, reason)
	}
}

// The printing.

func (s *story) scene(title string) {
	s.scenes++
	fmt.Fprintf(s.out, "\n%d. %s\n", s.scenes, title)
}

func (s *story) line(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *story) request(what, with string) { s.line("  > %-12s %s", what, with) }

func (s *story) show(r reply) {
	s.line("  < %d %s", r.status, http.StatusText(r.status))
	if r.received == nil {
		s.line("    %s", r.body)
	}
	client := ""
	if r.client != "" {
		client = ", client " + r.client
	}
	s.line("    certbearer's record: %s%s", r.reason, client)
}

func (s *story) wrong(format string, args ...any) {
	s.unexpected++
	s.line("  ! NOT AS EXPECTED: "+format, args...)
}

func compact(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// invite says what to try by hand.
func (s *story) invite() {
	program, err := os.Executable()
	if err != nil {
		program = "certbearer"
	}
	s.line(`
All of it keeps running until you press Ctrl-C. Try, in another terminal:

  cd %[1]s
  curl --cacert pki/server.crt --cert pki/lab-partner.crt --key pki/lab-partner.key https://localhost:%[2]d/hello
  curl --cacert pki/server.crt --cert pki/stranger.crt --key pki/stranger.key https://localhost:%[2]d/hello
  curl --cacert pki/server.crt https://localhost:%[2]d/.well-known/jwks.json
  curl --cacert pki/server.crt --cert pki/lab-partner.crt --key pki/lab-partner.key \
    -d grant_type=client_credentials -d client_id=lab-partner https://localhost:%[2]d/oauth2/token
  %[3]s explain --config certbearer.yaml --cert pki/stranger.crt
  %[3]s clients list --config certbearer.yaml
  tail audit.jsonl

or change a document in clients/ and ask again.`, shellWord(s.stage.site.Dir), s.stage.address.Port(), shellWord(program))
}
