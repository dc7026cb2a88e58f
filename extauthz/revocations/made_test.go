package revocations_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/revocations"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ authn.Revocations = (*revocations.Keeper)(nil)

// patience is how long a condition may take on a busy machine.
const patience = 20 * time.Second

type fields = map[string]any

// snapshot has a client for each id; before may have some of them.
func snapshot(t testing.TB, before *policies.Snapshot, documents map[string]fields) *policies.Snapshot {
	t.Helper()
	if before == nil {
		before = policies.Empty(policies.Options{AllowSharedAnchors: true})
	}
	builder := before.Edit()
	for client := range before.All() {
		if _, stays := documents[client.ID()]; !stays {
			builder.Remove(client.ID())
		}
	}
	for id, members := range documents {
		whole := fields{"resourceType": "ClientApplication", "id": id}
		for name, value := range members {
			whole[name] = value
		}
		text, err := json.Marshal(whole)
		must(t, err)
		read, err := policies.ParseFile(id+".json", text)
		if err != nil || read[0].Fault != nil {
			t.Fatal(err, read)
		}
		builder.Put(read[0].Client)
	}
	return builder.Snapshot()
}

// asking is a document for a client of the CAs, hard, with more of revocation.
func asking(more fields, by ...*testca.Issued) fields {
	store := ""
	for _, ca := range by {
		store += string(ca.PEM())
	}
	asks := fields{"mode": "hard"}
	for name, value := range more {
		asks[name] = value
	}
	return fields{"certificateTrustStore": store, "revocation": asks}
}

func newCA(t testing.TB, name string) *testca.Issued {
	t.Helper()
	ca, err := testca.SelfSigned(testca.Template{CommonName: name, CA: true})
	must(t, err)
	return ca
}

func issue(t testing.TB, by *testca.Issued, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := by.Issue(template)
	must(t, err)
	return issued
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pathOf(certificates ...*testca.Issued) truststore.Path {
	var path truststore.Path
	for _, c := range certificates {
		path = append(path, c.Certificate)
	}
	return path
}

// service is a CA's HTTP server on loopback.
type service struct {
	*httptest.Server
	asked  atomic.Int64
	mu     sync.Mutex
	answer http.HandlerFunc
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{answer: http.NotFound}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) answers(with http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = with
}

// lists serves a list of the CA that ends so soon.
func (s *service) lists(t testing.TB, ca *testca.Issued, lasts time.Duration, revoked ...*testca.Issued) {
	t.Helper()
	now := time.Now()
	der, err := ca.SignCRL(testca.CRL{ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(lasts), Revoked: revoked})
	must(t, err)
	s.answers(func(w http.ResponseWriter, _ *http.Request) { w.Write(der) })
}

// responds is an OCSP responder of the CA.
func (s *service) responds(t testing.TB, ca *testca.Issued, status int) {
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		request, err := ocsp.ParseRequest(body)
		if err != nil {
			t.Errorf("not an OCSP request: %v", err)
			return
		}
		now := time.Now()
		answer, err := ocsp.CreateResponse(ca.Certificate, ca.Certificate, ocsp.Response{
			Status: status, SerialNumber: request.SerialNumber, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour), RevokedAt: now,
		}, ca.Key)
		if err != nil {
			t.Errorf("no OCSP answer: %v", err)
			return
		}
		w.Write(answer)
	})
}

// stalls accepts and never answers, until the test ends.
func (s *service) stalls(t testing.TB) {
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	s.answers(func(http.ResponseWriter, *http.Request) { <-end })
}

func (s *service) port() uint16 {
	return netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
}

// kept is a Keeper that runs, and the last View of it.
type kept struct {
	*revocations.Keeper
	view atomic.Pointer[revocation.View]
	log  *buffer
}

// keep runs a Keeper that may fetch from the services.
func keep(t testing.TB, change func(*revocations.Config), services ...*service) *kept {
	t.Helper()
	k := &kept{log: new(buffer)}
	config := revocations.Config{Wait: patience, Publish: func(v *revocation.View) { k.view.Store(v) }, Log: slog.New(slog.NewTextHandler(k.log, nil))}
	for _, s := range services {
		config.Allowed = append(config.Allowed, revocation.Allowed{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Ports: []uint16{s.port()}})
	}
	if change != nil {
		change(&config)
	}
	var err error
	k.Keeper, err = revocations.New(config)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
	return k
}

// says is what is known of the path, in hard mode.
func (k *kept) says(path truststore.Path) string { return says(k.view.Load(), path) }

func says(view *revocation.View, path truststore.Path) string {
	verdict, err := view.Judge(path, revocation.Policy{Mode: revocation.Hard}, time.Now())
	if err != nil {
		return decision.ReasonOf(err).String()
	}
	return verdict.Status.String()
}

// until waits for what is known of the path.
func (k *kept) until(t testing.TB, path truststore.Path, want string) {
	t.Helper()
	eventually(t, "the path is "+want, func() bool { return k.says(path) == want })
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !holds(); <-tick.C {
		if time.Since(began) > patience {
			t.Fatalf("not so: %s", what)
		}
	}
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

func listOf(t testing.TB, ca *testca.Issued, revoked ...*testca.Issued) *revocation.CRL {
	t.Helper()
	der, err := ca.SignCRL(testca.CRL{Revoked: revoked})
	must(t, err)
	list, err := revocation.ParseCRL(der)
	must(t, err)
	return list
}
