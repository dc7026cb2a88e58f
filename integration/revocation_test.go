package integration_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// byCN is a document of a client of the CA, bound to the subject, that asks about
// revocations.
func byCN(ca *testca.Issued, name string, asks map[string]any) document {
	return trusting(ca).with("tlsClientAuth", map[string]any{"subjectDn": "CN=" + name}).with("revocation", asks)
}

// revocable are the clients of the world in which revocations arrive.
type revocable struct {
	*gate
	clients map[string]*testca.Issued
	lists   *crlServer
	listed  *testca.Issued // the CA of by-list and with-list
	filed   *testca.Issued // the CA of by-file and with-file
	ocsp    *openssl
}

// openRevocable makes two clients of each of three CAs: one whose list is fetched, one
// whose list is a file, one with openssl's responder. All refuse what is not known.
func openRevocable(t *testing.T) *revocable {
	t.Helper()
	r := &revocable{
		clients: make(map[string]*testca.Issued), lists: serveCRLs(t),
		listed: authority(t, "Listed"), filed: authority(t, "Filed"), ocsp: newOpenSSL(t, authority(t, "Asked")),
	}
	documents := make(map[string]document)
	add := func(name string, ca *testca.Issued, asks map[string]any, responder ...string) {
		r.clients[name] = issue(t, ca, testca.Template{CommonName: name, OCSP: responder})
		documents[name] = byCN(ca, name, asks)
	}
	hard := func(name string, value ...string) map[string]any { return map[string]any{"mode": "hard", name: value} }
	for _, name := range []string{"by-list", "with-list"} {
		add(name, r.listed, hard("locations", r.lists.url("/ca.crl")))
	}
	for _, name := range []string{"by-file", "with-file"} {
		add(name, r.filed, map[string]any{"mode": "hard"})
	}
	for _, name := range []string{"by-ocsp", "with-ocsp", "hard-ocsp"} {
		add(name, r.ocsp.ca, hard("hosts", "127.0.0.1"), r.ocsp.url())
	}
	add("soft-ocsp", r.ocsp.ca, map[string]any{"mode": "soft", "hosts": []string{"127.0.0.1"}}, r.ocsp.url())
	r.ocsp.index(t, nil, r.clients["by-ocsp"], r.clients["with-ocsp"], r.clients["hard-ocsp"], r.clients["soft-ocsp"])
	r.ocsp.start(t)
	r.lists.put(t, "/ca.crl", r.listed, time.Hour)
	w := prepare(t, plan{clients: documents, settings: fmt.Sprintf(
		"revocation: {refresh: 1s, wait: 2s, allow: [{addresses: [127.0.0.1], ports: [%s, %s]}]}", r.lists.port(), r.ocsp.port())})
	putCRL(t, w, "filed.crl", r.filed)
	w.start()
	r.gate = w.envoy()
	return r
}

func (r *revocable) as(name string) ask { return ask{as: presents(r.clients[name])} }

// What a CA takes back stops within a second of the arrival of its list or answer,
// while requests flow, and nobody else notices.
func TestARevokedCertificateStopsWithinASecondOfTheNews(t *testing.T) {
	realEnvoy(t)
	r := openRevocable(t)
	names := []string{"by-list", "with-list", "by-file", "with-file", "by-ocsp", "with-ocsp"}
	tokens := make(map[string]string)
	for _, name := range names {
		r.expect(t, r.as(name), admitted(name))
		tokens[name] = r.site().tokenFor(t, name, presents(r.clients[name]))
		r.expect(t, ask{as: presents(r.clients[name]), header: carrying(tokens[name])}, admitted(name))
	}
	// One that comes to the token endpoint first is asked about there.
	r.site().tokenFor(t, "hard-ocsp", presents(r.clients["hard-ocsp"]))
	flow := r.flow(names...)
	eventually(t, "requests of all flow", func() bool { return flow.least() >= 3 })
	revoked := make(map[string]time.Time)

	served := r.lists.put(t, "/ca.crl", r.listed, time.Hour, r.clients["by-list"])
	revoked["by-list"] = waitFor(t, served, "the new list is fetched")
	putCRL(t, r.world, "filed.crl", r.filed, r.clients["by-file"])
	revoked["by-file"] = time.Now()
	r.ocsp.index(t, []*testca.Issued{r.clients["by-ocsp"]}, r.clients["by-ocsp"], r.clients["with-ocsp"])
	revoked["by-ocsp"] = waitFor(t, r.ocsp.revoked, "the responder says that it is revoked")

	for name := range revoked {
		r.until(t, name+" is refused", r.as(name), hasStatus(http.StatusUnauthorized))
	}
	if kept, judged := r.world.metric(t, `certbearer_verdicts_total{result="kept"}`), r.world.metric(t, `certbearer_verdicts_total{result="judged"}`); kept < judged {
		t.Errorf("%v verdicts were kept, and %v requests were judged: the news of one CA is that of all", kept, judged)
	}
	for name, exchanges := range flow.end() {
		r.holdFlow(t, name, exchanges, revoked[name])
	}
	for name := range revoked {
		r.expect(t, r.as(name), unauthenticated("certificate_revoked"))
		r.expect(t, ask{as: presents(r.clients[name]), header: carrying(tokens[name])}, unauthenticated("certificate_revoked"))
		r.site().refuses(t, posted{form: granting(name), as: presents(r.clients[name])}, http.StatusUnauthorized, "invalid_client")
	}
	for _, name := range []string{"with-list", "with-file", "with-ocsp"} {
		r.expect(t, ask{as: presents(r.clients[name]), header: carrying(tokens[name])}, admitted(name))
	}
}

// holdFlow holds what came of a client's requests to the moment from which it is
// revoked; that of a client that is not is zero.
func (r *revocable) holdFlow(t *testing.T, name string, exchanges []exchange, revoked time.Time) {
	t.Helper()
	var last time.Time // when the last one began that was admitted
	counts := make(map[int]int)
	for _, e := range exchanges {
		counts[e.status]++
		if e.status == http.StatusOK {
			last = e.began
		}
		if revoked.IsZero() && e.status != http.StatusOK || e.status != http.StatusOK && e.status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, e.status)
		}
	}
	if counts[http.StatusOK] == 0 {
		t.Errorf("%s: no request flowed", name)
	}
	if revoked.IsZero() {
		t.Logf("%s: %d requests, all admitted", name, len(exchanges))
		return
	}
	if late := last.Sub(revoked); late > time.Second {
		t.Errorf("%s: a request that began %v after the news is admitted", name, late)
	} else {
		t.Logf("%s: %d admitted, %d refused; the last admitted one began %v after the news", name, counts[200], counts[401], late)
	}
}

// The answers of openssl's responder end after a minute, which is the shortest that
// it knows.
func TestAResponderThatStopsIsMissedInHardModeAlone(t *testing.T) {
	realEnvoy(t)
	r := openRevocable(t)
	for _, name := range []string{"hard-ocsp", "soft-ocsp"} {
		r.expect(t, r.as(name), admitted(name))
	}
	r.ocsp.stop(t)
	stopped := time.Now()
	// What is known counts until its end, in both modes.
	r.expect(t, r.as("hard-ocsp"), admitted("hard-ocsp"))
	took := within(t, 90*time.Second, "hard mode refuses", func() bool {
		soft, err := r.try(r.as("soft-ocsp"))
		if err != nil || soft.status != http.StatusOK {
			t.Fatalf("soft mode: status %d, %v", soft.status, err)
		}
		hard, err := r.try(r.as("hard-ocsp"))
		return err == nil && hard.status == http.StatusUnauthorized
	})
	t.Logf("%v after the responder stopped", took)
	if took := time.Since(stopped); took < 50*time.Second {
		t.Errorf("hard mode refuses after %v, and the last answer counts for a minute", took)
	}
	r.expect(t, r.as("hard-ocsp"), unauthenticated("revocation_stale"))
	eventually(t, "the record of soft mode says so", func() bool { // its answer may be a little younger
		_, soft := r.expect(t, r.as("soft-ocsp"), admitted("soft-ocsp"))
		return soft.Revocation == "revocation_stale" && soft.Detail != ""
	})
	if n := r.world.metric(t, `certbearer_revocation_fetches_total{result="unreachable"}`); n == 0 {
		t.Error("no failure is counted")
	}
	if n := r.world.metric(t, `certbearer_revocation_sources{kind="ocsp",state="stale"}`); n == 0 {
		t.Error("no answer is counted as stale")
	}
	if _, h := r.world.healthz(t); h.Healthy || !slices.ContainsFunc(h.Faults, func(f string) bool { return strings.Contains(f, r.ocsp.url()) }) {
		t.Errorf("/healthz says %+v", h)
	}
	if n := r.world.serve.count(t, "revocations could not be fetched"); n == 0 || n > 3 {
		t.Errorf("the log tells %d times of one responder", n)
	}
}

// What comes from a location may be anything. In soft mode it lets nobody in who is
// revoked and keeps nobody out, in hard mode it is refused with its reason, and
// nobody waits for long.
func TestALocationMayLie(t *testing.T) {
	realEnvoy(t)
	lies := serveCRLs(t)
	now := time.Now()
	documents, clients := make(map[string]document), make(map[string]*testca.Issued)
	cases := map[string]struct {
		url    string
		ocsp   bool
		answer func(*testing.T, *testca.Issued) http.HandlerFunc
		reason string
		class  string
	}{
		"wrong-signature": {url: lies.url("/wrong-signature"), reason: "revocation_unavailable", class: "unsigned",
			answer: func(t *testing.T, _ *testca.Issued) http.HandlerFunc {
				return says(signedCRL(t, authority(t, "wrong-signature"), testca.CRL{}))
			}},
		"stale": {url: lies.url("/stale"), reason: "revocation_stale", class: "stale",
			answer: func(t *testing.T, ca *testca.Issued) http.HandlerFunc {
				return says(signedCRL(t, ca, testca.CRL{ThisUpdate: now.Add(-2 * time.Hour), NextUpdate: now.Add(-time.Hour)}))
			}},
		"garbage": {url: lies.url("/garbage"), reason: "revocation_unavailable", class: "malformed",
			answer: func(*testing.T, *testca.Issued) http.HandlerFunc { return says([]byte("<html>sign in</html>")) }},
		"oversized": {url: lies.url("/oversized"), ocsp: true, reason: "revocation_unavailable", class: "too_large",
			answer: func(*testing.T, *testca.Issued) http.HandlerFunc { return says(make([]byte, 1<<20)) }},
		"stalls": {url: lies.url("/stalls"), ocsp: true, reason: "revocation_unavailable",
			answer: func(t *testing.T, _ *testca.Issued) http.HandlerFunc {
				end := make(chan struct{})
				t.Cleanup(func() { close(end) })
				return func(http.ResponseWriter, *http.Request) { <-end }
			}},
		"forged": {url: lies.url("/forged"), ocsp: true, reason: "revocation_unavailable", class: "unsigned",
			answer: func(t *testing.T, _ *testca.Issued) http.HandlerFunc {
				other := authority(t, "forged") // a namesake
				return func(w http.ResponseWriter, r *http.Request) { answerOCSP(w, r, other, ocsp.Good) }
			}},
		// Another address of loopback is not among those that are allowed.
		"forbidden": {url: "http://127.0.0.2:" + lies.port() + "/forbidden", reason: "revocation_unavailable", class: "forbidden"},
	}
	for name, c := range cases {
		ca := authority(t, name)
		if c.answer != nil {
			lies.handle("/"+name, c.answer(t, ca))
		}
		for _, mode := range []string{"soft", "hard"} {
			id, asks, template := name+"-"+mode, map[string]any{"mode": mode, "hosts": []string{"127.0.0.1"}}, testca.Template{CommonName: name + "-" + mode}
			if c.ocsp {
				template.OCSP = []string{c.url}
			} else {
				asks["locations"] = []string{c.url}
			}
			clients[id], documents[id] = issue(t, ca, template), byCN(ca, id, asks)
		}
	}
	g := open(t, plan{clients: documents, settings: fmt.Sprintf(
		"envoy: {timeout: 5s}\nrevocation: {wait: 200ms, allow: [{addresses: [127.0.0.1], ports: [%s]}]}", lies.port())}).envoy()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			g.expect(t, ask{as: presents(clients[name+"-hard"])}, unauthenticated(c.reason))
			took := time.Since(began)
			_, soft := g.expect(t, ask{as: presents(clients[name+"-soft"])}, admitted(name+"-soft"))
			if soft.Revocation != c.reason || soft.Detail == "" {
				t.Errorf("the record of soft mode says %q, %q", soft.Revocation, soft.Detail)
			}
			t.Logf("the first check took %v", took)
			if took > 4*time.Second {
				t.Errorf("the first check took %v, with a wait of 200 ms", took)
			}
			if c.class != "" {
				series := `certbearer_revocation_fetches_total{result="` + c.class + `"}`
				eventually(t, series+" counts", func() bool { return g.world.metric(t, series) > 0 })
			}
		})
	}
	for _, reason := range []string{"revocation_unavailable", "revocation_stale"} {
		if n := g.world.metric(t, `certbearer_revocation_unknown_total{reason="`+reason+`"}`); n == 0 {
			t.Errorf("no request is counted that soft mode let in for %s", reason)
		}
	}
	if n := lies.count("/forbidden"); n != 0 {
		t.Errorf("an address that is not allowed is asked %d times", n)
	}
}

// A list that is dropped into the folder beside the documents, and one that is no
// list: the last good one stays.
func TestAFileOfListsThatIsSpoiledTakesNothingBack(t *testing.T) {
	realEnvoy(t)
	ca := authority(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	w := open(t, plan{clients: map[string]document{"leaf": byCN(ca, "leaf", map[string]any{"mode": "hard"})}})
	g := w.envoy()
	a := ask{as: presents(leaf)}
	g.expect(t, a, unauthenticated("revocation_unavailable"))
	putCRL(t, w, "ca.crl", ca)
	g.soon(t, "the list is read", a, hasStatus(http.StatusOK))
	putCRL(t, w, "ca.crl", ca, leaf)
	g.soon(t, "the leaf is revoked", a, hasStatus(http.StatusUnauthorized))
	if err := os.WriteFile(filepath.Join(w.clients(), "ca.crl"), []byte("no list"), 0o600); err != nil {
		t.Fatal(err)
	}
	within(t, live, "healthz says so", func() bool {
		_, h := w.healthz(t)
		return slices.ContainsFunc(h.Faults, func(f string) bool {
			return strings.HasPrefix(f, "clients: ca.crl: its last good revocation lists stay")
		})
	})
	g.expect(t, a, unauthenticated("certificate_revoked"))
}

// exchange is one request of a flow.
type exchange struct {
	began  time.Time
	status int
}

// flowing are clients that ask again and again, each on its own.
type flowing struct {
	names []string
	stop  chan struct{}
	done  sync.WaitGroup
	mu    sync.Mutex
	all   map[string][]exchange
}

func (r *revocable) flow(names ...string) *flowing {
	f := &flowing{names: names, stop: make(chan struct{}), all: make(map[string][]exchange)}
	for _, name := range names {
		f.done.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-f.stop:
					return
				case <-tick.C:
				}
				began := time.Now()
				got, err := r.try(r.as(name))
				if err != nil {
					got.status = 0
				}
				f.mu.Lock()
				f.all[name] = append(f.all[name], exchange{began, got.status})
				f.mu.Unlock()
			}
		})
	}
	return f
}

// least is how many exchanges the client had that had the fewest.
func (f *flowing) least() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	least := math.MaxInt
	for _, name := range f.names {
		least = min(least, len(f.all[name]))
	}
	return least
}

func (f *flowing) end() map[string][]exchange {
	close(f.stop)
	f.done.Wait()
	return f.all
}

func waitFor(t *testing.T, news <-chan time.Time, what string) time.Time {
	t.Helper()
	select {
	case at := <-news:
		return at
	case <-time.After(patience):
		t.Fatalf("after %v still not so: %s", patience, what)
		return time.Time{}
	}
}

// While the locations of clients in hard mode have not been asked once, no requests
// are led here; and after a restart, with the CA down, what was fetched is known.
func TestAStartWaitsForHardModeAndKnowsWhatWasFetched(t *testing.T) {
	realEnvoy(t)
	ca, lists := authority(t, "CA"), serveCRLs(t)
	leaf, gone := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "gone"})
	asks := map[string]any{"mode": "hard", "locations": []string{lists.url("/ca.crl")}}
	release := make(chan struct{})
	der := signedCRL(t, ca, testca.CRL{Revoked: []*testca.Issued{gone}})
	lists.handle("/ca.crl", func(w http.ResponseWriter, r *http.Request) {
		<-release
		says(der)(w, r)
	})
	w := prepare(t, plan{
		clients:  map[string]document{"leaf": byCN(ca, "leaf", asks), "gone": byCN(ca, "gone", asks)},
		settings: fmt.Sprintf("revocation: {directory: fetched, allow: [{addresses: [127.0.0.1], ports: [%s]}]}", lists.port()),
	})
	w.serve = launch(t, w.config)
	eventually(t, "the clients are loaded", func() bool { return w.serve.count(t, "clients loaded") > 0 })
	addresses := w.serve.addresses(t)
	w.grpc, w.ops = addresses[0], addresses[len(addresses)-1]
	if status, body := w.operations(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"waiting_for":["crls"]`) {
		t.Errorf("/readyz says %d, %s", status, body)
	}
	close(release)
	eventually(t, "certbearer is ready", func() bool {
		status, _ := w.operations(t, "/readyz")
		return status == http.StatusOK
	})
	g := w.envoy()
	g.expect(t, ask{as: presents(leaf)}, admitted("leaf"))
	g.expect(t, ask{as: presents(gone)}, unauthenticated("certificate_revoked"))
	eventually(t, "the list is kept", func() bool {
		kept, err := filepath.Glob(filepath.Join(w.folder, "fetched", "*.der"))
		return err == nil && len(kept) == 1
	})
	code, printed := certbearer(t, "explain", "--config", w.config, "--cert", writeCertificate(t, gone))
	if code != 1 || !strings.Contains(printed, "certificate_revoked") {
		t.Errorf("explain ends with %d and says\n%s", code, printed)
	}

	w.serve.stop(t)
	lists.Close()
	w.start()
	g.until(t, "requests are admitted again", ask{as: presents(leaf)}, hasStatus(http.StatusOK))
	g.expect(t, ask{as: presents(gone)}, unauthenticated("certificate_revoked"))
}

func writeCertificate(t *testing.T, c *testca.Issued) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "leaf.pem")
	if err := os.WriteFile(path, c.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
