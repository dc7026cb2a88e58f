package revocations_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/revocations"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
)

func TestTheLocationsOfADocumentAreAskedAheadOfRequests(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	leaf, other := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "other"})
	s.lists(t, ca, time.Hour, leaf)
	k := keep(t, nil, s)
	k.Follow(snapshot(t, nil, map[string]fields{"a": asking(fields{"locations": []string{s.URL}}, ca)}))
	k.until(t, pathOf(leaf, ca), "certificate_revoked")
	k.until(t, pathOf(other, ca), "good")
}

func TestTheLocationsOfStoredCAsAreAskedAheadOfRequests(t *testing.T) {
	t.Parallel()
	root, s := newCA(t, "root"), newService(t)
	middle := issue(t, root, testca.Template{CommonName: "middle", CA: true, CRLs: []string{s.URL}})
	leaf := issue(t, middle, testca.Template{CommonName: "leaf"})
	s.lists(t, root, time.Hour, middle)
	k := keep(t, nil, s)
	k.Follow(snapshot(t, nil, map[string]fields{"a": asking(nil, middle, root)}))
	k.until(t, pathOf(leaf, middle, root), "certificate_revoked")
}

func TestAClientThatAsksNothingHasNobodyAsked(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	s.lists(t, ca, time.Hour)
	k := keep(t, nil, s)
	off := asking(fields{"locations": []string{s.URL}}, ca)
	off["status"] = "off"
	k.Follow(snapshot(t, nil, map[string]fields{
		"off":      asking(fields{"mode": "off", "locations": []string{s.URL}}, ca),
		"inactive": off,
		"asks":     asking(fields{"locations": []string{s.URL + "/asks"}}, ca),
	}))
	must(t, k.AwaitHard(t.Context()))
	if n := s.asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestAClientThatGoesTakesItsLocationsWithIt(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	s.lists(t, ca, time.Hour)
	documents := map[string]fields{"a": asking(fields{"locations": []string{s.URL}}, ca), "b": asking(fields{"locations": []string{s.URL}}, ca)}
	k := keep(t, nil, s)
	both := snapshot(t, nil, documents)
	k.Follow(both)
	k.until(t, pathOf(leaf, ca), "good")
	delete(documents, "a")
	one := snapshot(t, both, documents)
	k.Follow(one)
	if got := k.says(pathOf(leaf, ca)); got != "good" {
		t.Errorf("with one of two clients gone it is %s", got)
	}
	documents["b"] = asking(fields{"mode": "off"}, ca)
	k.Follow(snapshot(t, one, documents))
	if got := k.says(pathOf(leaf, ca)); got != "revocation_unavailable" {
		t.Errorf("with nobody who asks it is %s", got)
	}
}

func TestThousandsOfClientsOfOneCAAskOnce(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	s.lists(t, ca, time.Hour)
	documents := make(map[string]fields)
	for i := range 2000 {
		documents[fmt.Sprint("c", i)] = asking(fields{"locations": []string{s.URL}}, ca)
	}
	k := keep(t, nil, s)
	k.Follow(snapshot(t, nil, documents))
	must(t, k.AwaitHard(t.Context()))
	if n := s.asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestListsOfFilesAreBesideThoseOfLocations(t *testing.T) {
	t.Parallel()
	fetched, filed, s := newCA(t, "fetched"), newCA(t, "filed"), newService(t)
	leaf, other := issue(t, fetched, testca.Template{CommonName: "leaf"}), issue(t, filed, testca.Template{CommonName: "other"})
	s.lists(t, fetched, time.Hour)
	k := keep(t, nil, s)
	k.Lists([]policies.CRLFile{{Name: "a.crl", Lists: []*revocation.CRL{listOf(t, filed)}}})
	k.Follow(snapshot(t, nil, map[string]fields{"a": asking(fields{"locations": []string{s.URL}}, fetched)}))
	k.until(t, pathOf(leaf, fetched), "good")
	if got := k.says(pathOf(other, filed)); got != "good" {
		t.Errorf("by the file it is %s", got)
	}
	k.Lists([]policies.CRLFile{{Name: "a.crl", Lists: []*revocation.CRL{listOf(t, filed, other)}}})
	if got := k.says(pathOf(other, filed)); got != "certificate_revoked" {
		t.Errorf("by the new file it is %s", got)
	}
	k.Lists(nil)
	if got := k.says(pathOf(other, filed)); got != "revocation_unavailable" {
		t.Errorf("without the file it is %s", got)
	}
}

func TestLoopbackIsNotAskedUnlessItIsAllowed(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	s.lists(t, ca, time.Hour)
	k := keep(t, nil) // which may fetch from no service
	k.Follow(snapshot(t, nil, map[string]fields{"a": asking(fields{"locations": []string{s.URL}}, ca)}))
	must(t, k.AwaitHard(t.Context()))
	good, failed := k.Fetches()
	if s.asked.Load() != 0 || good != 0 || failed[revocation.Forbidden] != 1 {
		t.Errorf("asked %d times, %d well, failed %v", s.asked.Load(), good, failed)
	}
	if n := k.log.count("class=forbidden"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
}

func TestWhatAPresentedCertificateSaysIsBelievedByItsHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"127.0.0.1": "certificate_revoked", "crl.example": "revocation_unavailable"} {
		ca, s := newCA(t, "CA"), newService(t)
		s.responds(t, ca, ocsp.Revoked)
		leaf := issue(t, ca, testca.Template{CommonName: "leaf", OCSP: []string{s.URL}})
		k := keep(t, nil, s)
		clients := snapshot(t, nil, map[string]fields{"a": asking(fields{"hosts": []string{host}}, ca)})
		k.Follow(clients)
		if got := says(k.Learn(t.Context(), clients.Client("a"), pathOf(leaf, ca)), pathOf(leaf, ca)); got != want {
			t.Errorf("host %s: %s, want %s", host, got, want)
		}
	}
}

func TestAPinnedCertificateIsBelieved(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	s.responds(t, ca, ocsp.Revoked)
	pin := issue(t, ca, testca.Template{CommonName: "pin", OCSP: []string{s.URL}})
	k := keep(t, nil, s)
	clients := snapshot(t, nil, map[string]fields{"a": asking(nil, ca, pin)})
	k.Follow(clients)
	if got := says(k.Learn(t.Context(), clients.Client("a"), pathOf(pin, ca)), pathOf(pin, ca)); got != "certificate_revoked" {
		t.Error(got)
	}
}

// A responder that accepts and never answers costs those who come within the wait
// that much, and nobody else anything.
func TestALocationThatStallsIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	const wait = 300 * time.Millisecond
	ca, s := newCA(t, "CA"), newService(t)
	s.stalls(t)
	leaf := issue(t, ca, testca.Template{CommonName: "leaf", OCSP: []string{s.URL}})
	k := keep(t, func(c *revocations.Config) { c.Wait = wait }, s)
	clients := snapshot(t, nil, map[string]fields{"a": asking(fields{"hosts": []string{"127.0.0.1"}}, ca)})
	k.Follow(clients)
	learn := func() time.Duration {
		began := time.Now()
		k.Learn(t.Context(), clients.Client("a"), pathOf(leaf, ca))
		return time.Since(began)
	}
	var first sync.WaitGroup
	for range 10 {
		first.Go(func() {
			if took := learn(); took > patience/2 {
				t.Errorf("one of the first took %v", took)
			}
		})
	}
	began := time.Now()
	first.Wait()
	if took := time.Since(began); took < wait/2 {
		t.Errorf("nobody waited: %v", took)
	}
	began = time.Now()
	for range 100 {
		learn()
	}
	if took := time.Since(began); took > 50*wait {
		t.Errorf("a hundred after them took %v: each waited again", took)
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestWhoeverGivesUpIsNotKept(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	s.stalls(t)
	leaf := issue(t, ca, testca.Template{CommonName: "leaf", OCSP: []string{s.URL}})
	k := keep(t, func(c *revocations.Config) { c.Wait = time.Hour }, s)
	clients := snapshot(t, nil, map[string]fields{"a": asking(fields{"hosts": []string{"127.0.0.1"}}, ca)})
	k.Follow(clients)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	k.Learn(ctx, clients.Client("a"), pathOf(leaf, ca))
}

func TestTheNewestDocumentSaysWhomToAsk(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	s.responds(t, ca, ocsp.Good)
	leaf := issue(t, ca, testca.Template{CommonName: "leaf", OCSP: []string{s.URL}})
	k := keep(t, nil, s)
	before := snapshot(t, nil, map[string]fields{"a": asking(fields{"hosts": []string{"127.0.0.1"}}, ca)})
	k.Follow(before)
	k.Follow(snapshot(t, before, map[string]fields{"a": asking(nil, ca)}))
	k.Learn(t.Context(), before.Client("a"), pathOf(leaf, ca))
	if n := s.asked.Load(); n != 0 {
		t.Errorf("a host that was taken out is asked %d times", n)
	}
}

func TestAnAnswerOutlivesAChangeOfTheDocumentThatIsNotAboutIt(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	s.responds(t, ca, ocsp.Good)
	leaf := issue(t, ca, testca.Template{CommonName: "leaf", OCSP: []string{s.URL}})
	path := pathOf(leaf, ca)
	k := keep(t, nil, s)
	document := asking(fields{"hosts": []string{"127.0.0.1"}}, ca)
	before := snapshot(t, nil, map[string]fields{"a": document})
	k.Follow(before)
	k.Learn(t.Context(), before.Client("a"), path)
	s.answers(http.NotFound)
	document["name"] = "another"
	document["scope"] = []string{"read"}
	renamed := snapshot(t, before, map[string]fields{"a": document})
	if renamed.Client("a") == before.Client("a") {
		t.Fatal("the record is the same")
	}
	k.Follow(renamed)
	if got := k.says(path); got != "good" {
		t.Errorf("with another name it is %s", got)
	}
	k.Follow(snapshot(t, renamed, map[string]fields{"a": asking(fields{"hosts": []string{"127.0.0.2"}}, ca)}))
	if got := k.says(path); got != "revocation_unavailable" {
		t.Errorf("with another host it is %s", got)
	}
}

func TestWhatAClientMayHaveIsBounded(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	s.lists(t, ca, time.Hour)
	locations := []string{s.URL + "/last?token=SECRET"}
	for i := range 15 {
		locations = append(locations, fmt.Sprint(s.URL, "/", i))
	}
	middle := issue(t, ca, testca.Template{CommonName: "middle", CA: true, CRLs: []string{s.URL + "/over?token=SECRET"}})
	k := keep(t, nil, s)
	k.Follow(snapshot(t, nil, map[string]fields{"a": asking(fields{"locations": locations}, ca, middle)}))
	must(t, k.AwaitHard(t.Context()))
	if n := s.asked.Load(); n != 16 {
		t.Errorf("%d locations are asked", n)
	}
	faults := strings.Join(k.Faults(), "\n")
	if !strings.Contains(faults, "client a: it has more than 16 locations, so "+s.URL+"/over is not asked") || strings.Contains(faults, "SECRET") {
		t.Errorf("the fault is %q", faults)
	}
}

func TestWhatCertificatesHaveAskedDoesNotKeepADocumentFromBeingFollowed(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	var urls []string
	for i := range revocation.MaxLocations {
		urls = append(urls, fmt.Sprint(s.URL, "/of/", i))
	}
	greedy, revoked := issue(t, ca, testca.Template{CommonName: "greedy", CRLs: urls}), issue(t, ca, testca.Template{CommonName: "revoked"})
	k := keep(t, nil, s)
	hosts := fields{"hosts": []string{"127.0.0.1"}}
	before := snapshot(t, nil, map[string]fields{"a": asking(hosts, ca)})
	k.Follow(before)
	k.Learn(t.Context(), before.Client("a"), pathOf(greedy, ca))
	if n := len(k.States()); n != len(urls) {
		t.Fatalf("%d locations are asked", n)
	}
	s.lists(t, ca, time.Hour, revoked)
	hosts["locations"] = []string{s.URL}
	k.Follow(snapshot(t, before, map[string]fields{"a": asking(hosts, ca)}))
	k.until(t, pathOf(revoked, ca), "certificate_revoked")
	if n, faults := len(k.States()), k.Faults(); n != len(urls) || len(faults) > 0 {
		t.Errorf("%d locations are asked, faults %q", n, faults)
	}
}

func TestAClientForWhichThereWasNoRoomHasItLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		documents := make(map[string]fields)
		for i := range 626 {
			var urls []string
			for j := range revocation.MaxLocations {
				urls = append(urls, fmt.Sprintf("http://ca.example/%d/%d", i, j))
			}
			documents[fmt.Sprint("c", i)] = asking(fields{"locations": urls}, ca)
		}
		k := keep(t, func(c *revocations.Config) { c.Backend = new(changing) })
		all := snapshot(t, nil, documents)
		k.Follow(all)
		if faults := k.Faults(); len(k.States()) != 10_000 || len(faults) != 1 {
			t.Fatalf("%d locations, faults %q", len(k.States()), faults)
		}
		id := strings.TrimPrefix(strings.SplitN(k.Faults()[0], ":", 2)[0], "client ")
		for other := range documents {
			if other != id {
				delete(documents, other)
				break
			}
		}
		k.Follow(snapshot(t, all, documents))
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if faults := k.Faults(); len(k.States()) != 10_000 || len(faults) > 0 {
			t.Errorf("with room there are %d locations, faults %q", len(k.States()), faults)
		}
	})
}

func TestTheLogTellsOfTheFirstFailureAndOfTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		var backend changing
		k := keep(t, func(c *revocations.Config) { c.Backend = &backend })
		k.Follow(snapshot(t, nil, map[string]fields{"a": asking(fields{"locations": []string{"http://ca.example/a.crl?token=SECRET"}}, ca)}))
		time.Sleep(time.Hour)
		synctest.Wait()
		if tried := backend.count(); tried < 10 || k.log.count("could not be fetched") != 1 || k.log.count("fetched again") != 0 {
			t.Errorf("after %d failures the log says:\n%s", tried, k.log.text.String())
		}
		der, err := ca.SignCRL(testca.CRL{})
		must(t, err)
		backend.says(der)
		time.Sleep(time.Hour)
		synctest.Wait()
		if k.log.count("fetched again") != 1 || k.log.count("SECRET") != 0 {
			t.Errorf("the log says:\n%s", k.log.text.String())
		}
	})
}

func TestWhatIsNotNeededForADayIsLetGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		template := testca.Template{CommonName: "leaf", CRLs: []string{"http://ca.example/a.crl"}}
		leaf := issue(t, ca, template)
		var backend changing
		der, err := ca.SignCRL(testca.CRL{NextUpdate: time.Now().Add(1000 * time.Hour)})
		must(t, err)
		backend.says(der)
		k := keep(t, func(c *revocations.Config) { c.Backend, c.Wait = &backend, time.Second })
		clients := snapshot(t, nil, map[string]fields{"a": asking(fields{"hosts": []string{"ca.example"}}, ca)})
		k.Follow(clients)
		k.Learn(t.Context(), clients.Client("a"), pathOf(leaf, ca))
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if got := k.says(pathOf(leaf, ca)); got != "good" {
			t.Errorf("after 23 hours it is %s", got)
		}
		k.Learn(t.Context(), clients.Client("a"), pathOf(leaf, ca)) // it is needed
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if got := k.says(pathOf(leaf, ca)); got != "good" {
			t.Errorf("after 23 hours more it is %s", got)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := k.says(pathOf(leaf, ca)); got != "revocation_unavailable" {
			t.Errorf("after a day without it is %s", got)
		}
	})
}

func TestTheLeastNeededQuestionMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, "CA")
		var backend changing
		k := keep(t, func(c *revocations.Config) { c.Backend, c.Wait = &backend, 0 })
		clients := snapshot(t, nil, map[string]fields{"a": asking(fields{"hosts": []string{"ca.example"}}, ca)})
		k.Follow(clients)
		for i := range 1100 {
			leaf := issue(t, ca, testca.Template{CommonName: fmt.Sprint("leaf", i), OCSP: []string{"http://ca.example/"}})
			k.Learn(t.Context(), clients.Client("a"), pathOf(leaf, ca))
			time.Sleep(time.Millisecond)
		}
		if n := len(k.States()); n != 900 {
			t.Errorf("%d questions are asked", n)
		}
		if faults := k.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	})
}

func TestAQuestionThatMadeRoomForOthersIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most, each = 8_000, 900
		ca := newCA(t, "CA")
		var backend changing
		k := keep(t, func(c *revocations.Config) { c.Backend, c.Wait = &backend, 0 })
		documents := make(map[string]fields)
		for i := range most/each + 1 {
			documents[fmt.Sprint("c", i)] = asking(fields{"hosts": []string{"ca.example"}}, ca)
		}
		clients := snapshot(t, nil, documents)
		k.Follow(clients)
		learn := func(i int) *testca.Issued {
			leaf := issue(t, ca, testca.Template{CommonName: fmt.Sprint("leaf", i), OCSP: []string{"http://ca.example/"}, Key: ca.Key})
			k.Learn(t.Context(), clients.Client(fmt.Sprint("c", i/each)), pathOf(leaf, ca))
			return leaf
		}
		var firsts []*testca.Issued // of each client but the last
		for i := range most + 1 {
			leaf := learn(i)
			if i%each == 0 && i/each < most/each {
				firsts = append(firsts, leaf)
				time.Sleep(time.Millisecond)
			}
			if i == most/each*each {
				last := fmt.Sprint("c", most/each)
				documents[last]["name"] = "another" // which changes nothing
				k.Follow(snapshot(t, clients, documents))
			}
		}
		if n := len(k.States()); n != most {
			t.Fatalf("%d questions are asked", n)
		}
		synctest.Wait()
		before := backend.count()
		for i, first := range firsts { // that of one of them made room
			k.Learn(t.Context(), clients.Client(fmt.Sprint("c", i)), pathOf(first, ca))
		}
		synctest.Wait()
		if n := backend.count() - before; n < 1 || n > len(firsts) {
			t.Errorf("one that made room is asked %d times when it comes again", n)
		}
	})
}

func TestTheNextStartKnowsWhatWasFetched(t *testing.T) {
	t.Parallel()
	ca, s := newCA(t, "CA"), newService(t)
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	s.lists(t, ca, time.Hour, leaf)
	directory := filepath.Join(t.TempDir(), "not", "there", "yet")
	in := func(c *revocations.Config) { c.Directory = directory }
	clients := snapshot(t, nil, map[string]fields{"a": asking(fields{"locations": []string{s.URL}}, ca)})
	first := keep(t, in, s)
	first.Follow(clients)
	first.until(t, pathOf(leaf, ca), "certificate_revoked")
	eventually(t, "the list is kept", func() bool {
		files, err := filepath.Glob(filepath.Join(directory, "*.der"))
		return err == nil && len(files) == 1
	})
	s.Close()
	second := keep(t, in, s)
	second.Follow(clients)
	second.until(t, pathOf(leaf, ca), "certificate_revoked")
}

// changing is a Backend in the place of the network, for tests of time.
type changing struct {
	mu    sync.Mutex
	asked int
	der   []byte
}

func (c *changing) Fetch(context.Context, revocation.Query) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.der == nil {
		return nil, fmt.Errorf("nobody answers")
	}
	return c.der, nil
}

func (c *changing) says(der []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.der = der
}

func (c *changing) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

func BenchmarkFollow(b *testing.B) {
	ca := newCA(b, "CA")
	documents := make(map[string]fields)
	for i := range 10_000 {
		documents[fmt.Sprint("c", i)] = asking(fields{"locations": []string{"http://ca.example/a.crl"}}, ca)
	}
	clients := snapshot(b, nil, documents)
	b.Run("10000 new clients of one CA", func(b *testing.B) {
		for b.Loop() {
			k, err := revocations.New(revocations.Config{Publish: func(*revocation.View) {}, Backend: new(changing)})
			must(b, err)
			k.Follow(clients)
		}
	})
	b.Run("the same again", func(b *testing.B) {
		k, err := revocations.New(revocations.Config{Publish: func(*revocation.View) {}, Backend: new(changing)})
		must(b, err)
		k.Follow(clients)
		b.ReportAllocs()
		for b.Loop() {
			k.Follow(clients)
		}
	})
}
