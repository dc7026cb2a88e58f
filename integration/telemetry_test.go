package integration_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestTheOperatorLearnsWhyAndNobodyATokenOrASecret(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	g := open(t, plan{clients: clients}).envoy()
	w := g.world
	secret := http.Header{"Authorization": {"Bearer " + forgedToken}}
	asks := []struct {
		ask  ask
		want want
	}{
		{ask{as: known, path: "/hello?token=" + forgedToken}, admitted("partner")},
		{ask{as: known}, admitted("partner")},
		{ask{as: unknown}, unauthenticated("client_unknown")},
		{ask{as: known, header: secret}, want{status: 401, reason: "token_malformed", oauth: "invalid_token"}},
		{ask{}, unauthenticated("certificate_missing")},
	}
	counted, expected := map[string]float64{}, map[string]logged{}
	for _, c := range asks {
		got, _ := g.expect(t, c.ask, c.want)
		counted[c.want.reason]++
		expected[got.id] = logged{Reason: c.want.reason, Client: c.want.client, Path: "/hello", Status: c.want.status}
	}
	g.close() // so that Envoy writes what it still holds
	if diff := cmp.Diff(expected, accessLog[logged](t, w)); diff != "" {
		t.Errorf("Envoy's access log (-want +got):\n%s", diff)
	}
	_, metrics := w.operations(t, "/metrics")
	for reason, n := range counted {
		if got := sumOf(t, metrics, reason); got != n {
			t.Errorf("/metrics counts %v decisions for the reason %s, want %v", got, reason, n)
		}
	}
	w.noSecretIn("/metrics", metrics)
	_, healthz := w.operations(t, "/healthz")
	w.noSecretIn("/healthz", healthz)
	w.noSecrets()
}

// logged is a line of Envoy's access log. Its numbers are numbers.
type logged struct {
	Reason string `json:"reason"`
	Client string `json:"client"`
	Path   string `json:"path"`
	Status int    `json:"status"`
}

// accessLog returns what Envoy's access log says by request id, without the
// JWKS.
func accessLog[T any](t *testing.T, w *world) map[string]T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.folder, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]T{}
	for line := range bytes.Lines(text) {
		var of struct {
			RequestID string `json:"request_id"`
			Path      string `json:"path"`
		}
		var wanted T
		if err := errors.Join(json.Unmarshal(line, &of), json.Unmarshal(line, &wanted)); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if of.Path != "/.well-known/jwks.json" {
			all[of.RequestID] = wanted
		}
	}
	return all
}

var decisions = regexp.MustCompile(`(?m)^certbearer_decisions_total\{([^}]*)\} (\S+)$`)

// sumOf adds the decisions for a reason on all routes.
func sumOf(t *testing.T, metrics, reason string) float64 {
	t.Helper()
	var sum float64
	label := regexp.MustCompile(`reason="` + regexp.QuoteMeta(reason) + `"`)
	for _, match := range decisions.FindAllStringSubmatch(metrics, -1) {
		if !label.MatchString(match[1]) {
			continue
		}
		n, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// metric is the value of a series.
func (w *world) metric(t *testing.T, series string) float64 {
	t.Helper()
	_, metrics := w.operations(t, "/metrics")
	for line := range strings.Lines(metrics) {
		text, found := strings.CutPrefix(strings.TrimSpace(line), series+" ")
		if !found {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	t.Fatalf("/metrics has no %s", series)
	return 0
}

func TestTheMetricsFollowWhatIsInUse(t *testing.T) {
	clients, _, _ := partner(t)
	w := open(t, plan{clients: map[string]document{"partner": clients["partner"]}})
	if n := w.metric(t, `certbearer_reloads_total{result="ok",what="keys"}`); n != 1 {
		t.Errorf("keys were loaded %v times, want once", n)
	}
	const active, off = `certbearer_clients{status="active"}`, `certbearer_clients{status="off"}`
	const good, bad = `certbearer_reloads_total{result="ok",what="clients"}`, `certbearer_reloads_total{result="error",what="clients"}`
	before := map[string]float64{}
	for _, series := range []string{active, off, good, bad, "certbearer_generation", "certbearer_client_documents_faulty"} {
		before[series] = w.metric(t, series)
	}
	grows := func(series string, by float64) {
		t.Helper()
		within(t, live, series+" follows", func() bool { return w.metric(t, series) == before[series]+by })
	}
	w.writeClient(t, "partner", clients["partner"].with("status", "off"))
	grows(off, 1)
	grows(active, -1)
	grows(good, 1)
	grows("certbearer_generation", 1)
	w.writeClient(t, "partner", document{"certificateTrustStore": "garbage"})
	grows(bad, 1)
	grows("certbearer_client_documents_faulty", 1)
}

func TestTheLimitsOfTheCacheAreTheConfigurations(t *testing.T) {
	realEnvoy(t)
	clients, as := map[string]document{}, map[string]*tls.Certificate{}
	for _, id := range []string{"a", "b", "c"} {
		certificate := selfSigned(t, testca.Template{CommonName: id})
		clients[id], as[id] = trusting(certificate).with("audience", []string{"https://one.example", "https://two.example"}), presents(certificate)
	}
	w := open(t, plan{clients: clients, settings: `
limits: {tokenCacheEntries: 2, tokensPerClient: 1}
routes:
  - {name: one, match: {pathPrefix: /one}, audience: "https://one.example"}
  - {name: two, audience: "https://two.example"}
`})
	g := w.envoy()
	for _, c := range []struct {
		id, path string
		kept     float64
	}{{"a", "/one", 1}, {"a", "/two", 1}, {"b", "/one", 2}, {"c", "/one", 2}} {
		g.expect(t, ask{as: as[c.id], path: c.path}, admitted(c.id))
		if kept := w.metric(t, "certbearer_token_cache_entries"); kept != c.kept {
			t.Errorf("after %s at %s: %v tokens are kept, want %v", c.id, c.path, kept, c.kept)
		}
	}
}

func TestTheProbesSayThatItWorks(t *testing.T) {
	w := open(t, plan{})
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		if status, body := w.operations(t, path); status != http.StatusOK {
			t.Errorf("%s: status %d, %s", path, status, body)
		}
	}
	if _, h := w.healthz(t); !h.Healthy || h.CallersUnauthenticated || len(h.Faults) > 0 {
		t.Errorf("/healthz says %+v", h)
	}
}
