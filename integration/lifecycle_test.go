package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestWithoutCertbearerNothingPasses(t *testing.T) {
	realEnvoy(t)
	clients, known, _ := partner(t)
	w := open(t, plan{clients: clients, settings: "envoy: {timeout: 500ms}"})
	g := w.envoy()
	request := ask{as: known}
	g.expect(t, request, admitted("partner"))
	var failed []string // request ids
	for _, c := range []struct {
		sentence string
		end      func(*testing.T)
	}{
		{"stopped by SIGTERM", func(t *testing.T) {
			if code := w.serve.stop(t); code != 0 {
				t.Errorf("exit code %d:\n%s", code, w.serve.printed(t))
			}
		}},
		{"killed, with its socket left behind", func(*testing.T) { w.serve.kill() }},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			c.end(t)
			w.noRace()
			failed = append(failed, g.unavailable(t, request))
			g.unavailable(t, ask{path: "/.well-known/jwks.json"})
			w.start()
			took := g.until(t, "requests are admitted again, by the same Envoy", request, hasStatus(http.StatusOK))
			t.Logf("after the restart it took %v", took)
			g.expect(t, request, admitted("partner"))
		})
	}
	t.Run("standing still", func(t *testing.T) {
		w.serve.freeze(t)
		t.Cleanup(func() { w.serve.thaw(t) })
		began := time.Now()
		late := g.unavailable(t, request)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the answer took %v, with a timeout of 500 ms", took)
		}
		w.serve.thaw(t)
		g.until(t, "requests are admitted again", request, hasStatus(http.StatusOK))
		failed = append(failed, late)
	})
	g.close() // so that Envoy writes what it still holds
	log := accessLog[failure](t, w)
	for _, id := range failed {
		if want := (failure{Details: "ext_authz_error", Flags: "UAEX"}); log[id] != want {
			t.Errorf("Envoy's access log says %+v of %s, want %+v", log[id], id, want)
		}
	}
	for _, id := range failed[:2] { // the third check was there when certbearer went on
		if records := w.recordsOf(t, id); len(records) > 0 {
			t.Errorf("the records of a check that nobody answered: %+v", records)
		}
	}
}

// failure is what Envoy's access log says of an answer of Envoy's own.
type failure struct {
	Details string `json:"details"`
	Flags   string `json:"flags"`
}

// unavailable expects a 503 that is not ours, and returns the request's id.
func (g *gate) unavailable(t *testing.T, a ask) string {
	t.Helper()
	got := g.ask(t, a)
	if got.status != http.StatusServiceUnavailable || got.oauth != "" || len(got.received) > 0 {
		t.Errorf("status %d with error %q, and %d requests at the upstream; want 503, none and none", got.status, got.oauth, len(got.received))
	}
	return got.id
}

// The checks are under way for certain: certbearer stands still while they
// reach its socket, and SIGTERM waits for it too.
func TestChecksUnderWayAreAnsweredBeforeTheEnd(t *testing.T) {
	realEnvoy(t)
	clients, known, _ := partner(t)
	w := open(t, plan{clients: clients})
	g := w.envoy()
	g.expect(t, ask{as: known}, admitted("partner")) // so that Envoy is connected
	w.serve.freeze(t)
	const requests = 5
	answers := make(chan answer, requests)
	var group sync.WaitGroup
	for range requests {
		group.Go(func() {
			got, err := g.try(ask{as: known})
			if err != nil {
				t.Errorf("a request under way: %v", err)
			}
			answers <- got
		})
	}
	g.asking(t, requests)
	w.serve.signal(t, syscall.SIGTERM)
	w.serve.thaw(t)
	group.Wait()
	close(answers)
	for got := range answers {
		if got.status != http.StatusOK {
			t.Errorf("a check under way was answered with %d", got.status)
		}
	}
	if code := w.serve.ended(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, w.serve.printed(t))
	}
	if all := w.records(t); len(all) != 1+requests {
		t.Errorf("%d audit records after the end, want %d", len(all), 1+requests)
	}
}

func TestADocumentIsLiveAMomentLater(t *testing.T) {
	realEnvoy(t)
	clients, known, _ := partner(t)
	w := open(t, plan{})
	g := w.envoy()
	request := ask{as: known}
	g.expect(t, request, unauthenticated("client_unknown"))
	for _, c := range []struct {
		sentence string
		change   func(*testing.T)
		want     want
	}{
		{"a new one admits", func(t *testing.T) { w.writeClient(t, "partner", clients["partner"]) }, admitted("partner")},
		{"one that says off refuses", func(t *testing.T) {
			w.writeClient(t, "partner", clients["partner"].with("status", "off"))
		}, unauthenticated("client_inactive")},
		{"one that says active admits again", func(t *testing.T) { w.writeClient(t, "partner", clients["partner"]) }, admitted("partner")},
		{"one that is removed refuses", func(t *testing.T) {
			if err := os.Remove(w.clientFile("partner")); err != nil {
				t.Fatal(err)
			}
		}, unauthenticated("client_unknown")},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			c.change(t)
			t.Logf("after %v", g.soon(t, c.sentence, request, hasStatus(c.want.status)))
			g.expect(t, request, c.want)
		})
	}
}

func TestABadDocumentKeepsTheLastGoodOne(t *testing.T) {
	realEnvoy(t)
	clients, known, _ := partner(t)
	w := open(t, plan{clients: clients})
	g := w.envoy()
	w.writeClient(t, "partner", document{"certificateTrustStore": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"})
	eventually(t, "/healthz shows the fault", func() bool {
		status, h := w.healthz(t)
		return status == http.StatusInternalServerError && !h.Healthy && len(h.Faults) == 1
	})
	g.expect(t, ask{as: known}, admitted("partner"))
	w.writeClient(t, "partner", document{"certificateTrustStore": "garbage", "status": "off"})
	g.soon(t, "a bad document that says off turns the client off", ask{as: known}, hasStatus(http.StatusUnauthorized))
	g.expect(t, ask{as: known}, unauthenticated("client_inactive"))
}

// The operator reads what is wrong with a store, and callers learn nothing of it:
// not the client whose certificate it is, and no other.
func TestMedplumFault10_NoCallerReadsWhatIsWrongWithAStore(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	never := selfSigned(t, testca.Template{CommonName: "never"})
	const noASN1 = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
	w := open(t, plan{clients: clients})
	g := w.envoy()
	w.writeClient(t, "partner", document{"certificateTrustStore": noASN1})
	w.writeClient(t, "never", document{"certificateTrustStore": storeOf(never) + noASN1})
	for _, fault := range []string{
		"(client partner): certificateTrustStore: block 1 (line 1): not a certificate: x509: ",
		"(client never): certificateTrustStore: block 2 ",
	} {
		w.hasFault(t, fault)
	}
	g.expect(t, ask{as: known}, admitted("partner"))
	first, _ := g.expect(t, ask{as: presents(never)}, unauthenticated("client_inactive"))
	second, _ := g.expect(t, ask{as: unknown}, unauthenticated("client_unknown"))
	if first.body != second.body {
		t.Errorf("%q to the client whose store is bad, %q to a stranger", first.body, second.body)
	}
	for _, got := range []answer{first, second} {
		text := strings.ToLower(fmt.Sprint(got.header, got.body))
		for _, telling := range []string{"x509", "asn1", "pem", "block", "truststore"} {
			if strings.Contains(text, telling) {
				t.Errorf("the caller reads of %s: %s", telling, text)
			}
		}
	}
}
