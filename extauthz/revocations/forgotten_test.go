package revocations_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/revocations"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// responder is one of a CA, in the place of the network, that can be silenced.
type responder struct {
	ca      *testca.Issued
	revoked *testca.Issued
	lasts   time.Duration

	mu     sync.Mutex
	silent bool
}

func (r *responder) silence(silent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = silent
}

func (r *responder) Fetch(_ context.Context, q revocation.Query) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	request, err := ocsp.ParseRequest(q.Body)
	if r.silent || err != nil {
		return nil, errors.Join(err, fmt.Errorf("nobody answers"))
	}
	answer := ocsp.Response{Status: ocsp.Good, SerialNumber: request.SerialNumber, ThisUpdate: time.Now(), NextUpdate: time.Now().Add(r.lasts)}
	if bytes.Equal(request.SerialNumber.Bytes(), r.revoked.Certificate.SerialNumber.Bytes()) {
		answer.Status, answer.RevokedAt = ocsp.Revoked, time.Now()
	}
	return ocsp.CreateResponse(r.ca.Certificate, r.ca.Certificate, answer, r.ca.Key)
}

func TestWhoWaitsUntilAResponderIsSilentIsNotForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		template := testca.Template{CommonName: "leaf", OCSP: []string{"http://ca.example/"}, NotAfter: time.Now().Add(1000 * time.Hour)}
		revoked, good := issue(t, ca, template), issue(t, ca, template)
		r := &responder{ca: ca, revoked: revoked, lasts: 72 * time.Hour}
		k := keep(t, func(c *revocations.Config) { c.Backend, c.Wait = r, time.Second })
		clients := snapshot(t, nil, map[string]fields{"a": asking(fields{"hosts": []string{"ca.example"}}, ca)})
		k.Follow(clients)
		k.Learn(t.Context(), clients.Client("a"), pathOf(revoked, ca))
		k.Learn(t.Context(), clients.Client("a"), pathOf(good, ca))
		time.Sleep(23 * time.Hour)
		r.silence(true)
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		for leaf, want := range map[*testca.Issued]string{revoked: "certificate_revoked", good: "good"} {
			if got := k.says(pathOf(leaf, ca)); got != want {
				t.Errorf("after two days it is %s, want %s", got, want)
			}
		}
		time.Sleep(240 * time.Hour)
		synctest.Wait()
		if got := k.says(pathOf(revoked, ca)); got != "certificate_revoked" {
			t.Errorf("after many days it is %s", got)
		}
		if n := len(k.States()); n != 1 {
			t.Errorf("after many days %d questions are asked", n)
		}
	})
}

func TestARevokedCertificateMakesRoomLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		template := testca.Template{CommonName: "leaf", OCSP: []string{"http://ca.example/"}}
		revoked := issue(t, ca, template)
		k := keep(t, func(c *revocations.Config) {
			c.Backend, c.Wait = &responder{ca: ca, revoked: revoked, lasts: time.Hour}, time.Second
		})
		clients := snapshot(t, nil, map[string]fields{"a": asking(fields{"hosts": []string{"ca.example"}}, ca)})
		k.Follow(clients)
		k.Learn(t.Context(), clients.Client("a"), pathOf(revoked, ca))
		for range 1000 {
			k.Learn(t.Context(), clients.Client("a"), pathOf(issue(t, ca, template), ca))
			time.Sleep(time.Millisecond)
		}
		if got := k.says(pathOf(revoked, ca)); got != "certificate_revoked" {
			t.Errorf("after a thousand others it is %s", got)
		}
	})
}

// Of a certificate whose responder was down when it came, soft mode keeps the verdict,
// but not for longer than somebody asks about it.
func TestACertificateThatStillComesIsAskedAbout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		leaf := issue(t, ca, testca.Template{CommonName: "leaf", OCSP: []string{"http://ca.example/"}, NotAfter: time.Now().Add(10_000 * time.Hour)})
		r := &responder{ca: ca, revoked: leaf, lasts: time.Hour, silent: true}
		k := keep(t, func(c *revocations.Config) { c.Backend, c.Wait = r, time.Second })
		clients := snapshot(t, nil, map[string]fields{"a": asking(fields{"mode": "soft", "hosts": []string{"ca.example"}}, ca)})
		k.Follow(clients)
		reader, err := peercert.NewReader(peercert.Config{From: peercert.Peer})
		must(t, err)
		a := authn.New(reader).Asking(k)
		comes := func() error {
			st := &state.State{Clients: clients, CRLs: k.view.Load()}
			_, err := a.Authenticate(t.Context(), st, peercert.Presented{PeerCertificate: []byte(leaf.URLEncodedPEM())}, authn.Claim{}, time.Now(), nil)
			return err
		}
		for range 10 * 24 {
			if err := comes(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
		}
		r.silence(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if err := comes(); err == nil {
			t.Error("it is let in, though its responder has said for an hour that it is revoked")
		}
	})
}

func TestACAThatIsAddedLosesNothingThatIsKnown(t *testing.T) {
	t.Parallel()
	ca, added, s, o := newCA(t, "CA"), newCA(t, "added"), newService(t), newService(t)
	template := testca.Template{CommonName: "leaf", OCSP: []string{o.URL}}
	listed, answered := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, template)
	s.lists(t, ca, time.Hour, listed)
	o.responds(t, ca, ocsp.Revoked)
	k := keep(t, nil, s, o)
	more := fields{"locations": []string{s.URL}, "hosts": []string{"127.0.0.1"}}
	before := snapshot(t, nil, map[string]fields{"a": asking(more, ca)})
	k.Follow(before)
	k.until(t, pathOf(listed, ca), "certificate_revoked")
	k.Learn(t.Context(), before.Client("a"), pathOf(answered, ca))
	s.Close()
	o.Close()
	says := func(when, want string) {
		t.Helper()
		for _, leaf := range []*testca.Issued{listed, answered} {
			if got := k.says(pathOf(leaf, ca)); got != want {
				t.Errorf("%s it is %s, want %s", when, got, want)
			}
		}
	}
	says("before", "certificate_revoked")
	both := snapshot(t, before, map[string]fields{"a": asking(more, ca, added)})
	k.Follow(both)
	says("with another CA beside", "certificate_revoked")
	k.Follow(snapshot(t, both, map[string]fields{"a": asking(more, added)}))
	says("with its CA gone", "certificate_revoked")
}

// What a document says is whom to ask. What was learned by it to be revoked stays so,
// however the document is edited, and after a restart too: in soft mode whoever was
// refused would be let in. Nothing is vouched for by it.
func TestNoEditOfADocumentTakesARevocationBack(t *testing.T) {
	t.Parallel()
	ca, other := newCA(t, "CA"), newCA(t, "other")
	with := func(revocation fields, by ...*testca.Issued) func(fields) fields {
		return func(from fields) fields {
			whole := fields{"mode": "soft"}
			for _, source := range []fields{from, revocation} {
				for name, value := range source {
					whole[name] = value
				}
			}
			return asking(whole, by...)
		}
	}
	off := func(from fields) fields {
		document := with(nil, ca)(from)
		document["status"] = "off"
		return document
	}
	for sentence, edit := range map[string]func(fields) fields{
		"another location": with(fields{"locations": []string{"http://127.0.0.1:1/new.crl"}}, ca),
		"no location":      with(fields{"locations": []string{}}, ca),
		"no host":          with(fields{"hosts": []string{}}, ca),
		"another host":     with(fields{"hosts": []string{"127.0.0.2"}}, ca),
		"neither":          with(fields{"hosts": []string{}, "locations": []string{}}, ca),
		"another CA":       with(nil, other),
		"hard":             with(fields{"mode": "hard"}, ca),
		"off":              with(fields{"mode": "off", "hosts": []string{}, "locations": []string{}}, ca),
		"turned off":       off,
		"no document":      nil,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s, o := newService(t), newService(t)
			answered := issue(t, ca, testca.Template{CommonName: "answered", OCSP: []string{o.URL}})
			listed, good := issue(t, ca, testca.Template{CommonName: "listed"}), issue(t, ca, testca.Template{CommonName: "good"})
			s.lists(t, ca, time.Hour, listed)
			o.responds(t, ca, ocsp.Revoked)
			directory := filepath.Join(t.TempDir(), "crls")
			in := func(c *revocations.Config) { c.Directory = directory }
			k := keep(t, in, s, o)
			was := fields{"locations": []string{s.URL}, "hosts": []string{"127.0.0.1"}}
			first := snapshot(t, nil, map[string]fields{"a": with(nil, ca)(was)})
			k.Follow(first)
			k.until(t, pathOf(listed, ca), "certificate_revoked")
			// Of one that a list speaks for nobody is asked.
			k.Learn(t.Context(), first.Client("a"), pathOf(answered, ca))
			k.until(t, pathOf(answered, ca), "certificate_revoked")
			eventually(t, "both are kept", func() bool {
				files, err := filepath.Glob(filepath.Join(directory, "*.der"))
				return err == nil && len(files) == 2
			})
			s.Close()
			o.Close()
			documents := map[string]fields{}
			if edit != nil {
				documents["a"] = edit(was)
			}
			check := func(k *kept, when string) {
				t.Helper()
				for _, leaf := range []*testca.Issued{listed, answered} {
					if got := k.says(pathOf(leaf, ca)); got != "certificate_revoked" {
						t.Errorf("%s %s is %s", when, leaf.Certificate.Subject.CommonName, got)
					}
				}
			}
			edited := snapshot(t, first, documents)
			k.Follow(edited)
			check(k, "after it")
			k.Follow(first)
			check(k, "when it is taken back")
			if got := k.says(pathOf(good, ca)); got != "good" {
				t.Errorf("when it is taken back another is %s", got)
			}
			k.Follow(edited)
			check(k, "after it again")
			again := keep(t, in, s, o)
			if sentence == "another CA" || sentence == "no document" || strings.Contains(sentence, "off") {
				again.Follow(edited) // who asks nothing has nothing recalled
				edited = first
			}
			again.Follow(edited)
			again.until(t, pathOf(listed, ca), "certificate_revoked") // a location that stays is read in the background
			check(again, "after a restart")
		})
	}
}

func TestWhatNobodyKeepsFreshVouchesForNothing(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	listed, good := issue(t, ca, testca.Template{CommonName: "listed"}), issue(t, ca, testca.Template{CommonName: "good"})
	s.lists(t, ca, time.Hour, listed)
	k := keep(t, nil, s)
	first := snapshot(t, nil, map[string]fields{"a": asking(fields{"locations": []string{s.URL}}, ca)})
	k.Follow(first)
	k.until(t, pathOf(good, ca), "good")
	k.Follow(snapshot(t, first, map[string]fields{"a": asking(nil, ca)}))
	for leaf, want := range map[*testca.Issued]string{listed: "certificate_revoked", good: "revocation_unavailable"} {
		if got := k.says(pathOf(leaf, ca)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	// A newer list of a location that somebody has takes its place.
	next := newService(t)
	now := time.Now()
	der, err := ca.SignCRL(testca.CRL{ThisUpdate: now, NextUpdate: now.Add(time.Hour)})
	must(t, err)
	next.answers(func(w http.ResponseWriter, _ *http.Request) { w.Write(der) })
	second := keep(t, nil, s, next)
	second.Follow(first)
	second.until(t, pathOf(listed, ca), "certificate_revoked")
	second.Follow(snapshot(t, first, map[string]fields{"a": asking(fields{"locations": []string{next.URL}}, ca)}))
	second.until(t, pathOf(listed, ca), "good")
}

// Who waits has the place of a request: those of a client with many certificates, whose
// responder stalls, must leave places for others.
func TestFewWaitAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 8
		ca := newCA(t, "CA")
		k := keep(t, func(c *revocations.Config) { c.Backend, c.Wait, c.Waiting = stalled{}, time.Second, most })
		document := asking(fields{"hosts": []string{"ca.example"}}, ca)
		clients := snapshot(t, nil, map[string]fields{"a": document, "b": document, "c": document})
		k.Follow(clients)
		time.Sleep(time.Minute) // the patience with a new document is over
		var waits sync.WaitGroup
		defer waits.Wait()
		waiting := func(id string) int {
			var waited atomic.Int64
			began := time.Now()
			for range 50 {
				leaf := issue(t, ca, testca.Template{CommonName: "leaf", OCSP: []string{"http://ca.example/"}, Key: ca.Key})
				waited.Add(1)
				waits.Go(func() {
					k.Learn(t.Context(), clients.Client(id), pathOf(leaf, ca))
					if time.Since(began) == 0 {
						waited.Add(-1)
					}
				})
			}
			synctest.Wait()
			return int(waited.Load())
		}
		for id, want := range map[string]int{"a": most / 2, "b": most / 2} {
			if n := waiting(id); n != want {
				t.Errorf("%d of client %s wait", n, id)
			}
		}
		if n := waiting("c"); n != 0 {
			t.Errorf("%d wait beyond what may", n)
		}
		waits.Wait()
		if n := waiting("c"); n != most/2 {
			t.Errorf("once it is over %d wait", n)
		}
	})
}

// stalled is a Backend that does not answer in time.
type stalled struct{}

func (stalled) Fetch(ctx context.Context, _ revocation.Query) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// What a certificate costs that comes for the first time, where its client has as many
// asked about as it may.
func BenchmarkLearnWithoutRoom(b *testing.B) {
	ca := newCA(b, "CA")
	k := keep(b, func(c *revocations.Config) { c.Backend, c.Wait = &responder{ca: ca, revoked: ca, lasts: time.Hour}, 0 })
	clients := snapshot(b, nil, map[string]fields{"a": asking(fields{"hosts": []string{"ca.example"}}, ca)})
	k.Follow(clients)
	path := func() truststore.Path {
		return pathOf(issue(b, ca, testca.Template{CommonName: "leaf", OCSP: []string{"http://ca.example/"}, Key: ca.Key}), ca)
	}
	for range 900 {
		k.Learn(b.Context(), clients.Client("a"), path())
	}
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		next := path()
		b.StartTimer()
		k.Learn(b.Context(), clients.Client("a"), next)
	}
}

// Requests go on while very many clients come at once: who asks does not wait until
// the last of them is taken over.
func TestRequestsGoOnWhileManyClientsComeAndGo(t *testing.T) {
	t.Parallel()
	const many = 10_000
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf", OCSP: []string{"http://ca.example/"}})
	k := keep(t, func(c *revocations.Config) { c.Backend, c.Wait = new(changing), 0 })
	documents := map[string]fields{"a": asking(fields{"hosts": []string{"ca.example"}}, ca)}
	one := snapshot(t, nil, documents)
	for i := range many {
		documents[fmt.Sprint("c", i)] = asking(fields{"locations": []string{"http://ca.example/a.crl"}}, ca)
	}
	all := snapshot(t, one, documents)
	k.Follow(one)
	for _, step := range []struct {
		sentence string
		next     *policies.Snapshot
	}{{"they come", all}, {"they go", one}} {
		done := make(chan struct{})
		go func() { defer close(done); k.Follow(step.next) }()
		answered := 0
		for busy := true; busy; {
			select {
			case <-done:
				busy = false
			default:
				k.Learn(t.Context(), one.Client("a"), pathOf(leaf, ca))
				answered++
			}
		}
		if answered < 100 {
			t.Errorf("while %s %d requests were answered", step.sentence, answered)
		}
	}
}
