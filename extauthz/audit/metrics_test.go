package audit_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/policies/decision"
)

func newMetrics(t testing.TB, config audit.MetricsConfig) (*audit.Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	m, err := audit.NewMetrics(registry, config)
	if err != nil {
		t.Fatal(err)
	}
	return m, registry
}

func TestEveryMetricIsThereFromTheStart(t *testing.T) {
	_, registry := newMetrics(t, audit.MetricsConfig{Routes: []string{"api"}, CRLs: oneCRL})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, family := range families {
		got = append(got, family.GetName())
		if !strings.HasPrefix(family.GetName(), "certbearer_") || family.GetHelp() == "" {
			t.Errorf("%s: %q", family.GetName(), family.GetHelp())
		}
	}
	// Which certificates there are is not known before there are clients.
	want := slices.DeleteFunc(audit.Names(), func(name string) bool { return strings.HasPrefix(name, "certbearer_client_certificate") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-listed +gathered)\n%s", diff)
	}
	reasons := 2 * len(decision.Reasons())
	if got, err := testutil.GatherAndCount(registry, "certbearer_decisions_total"); got != reasons || err != nil {
		t.Errorf("%d series of decisions, %v; want %d", got, err, reasons)
	}
}

func TestMetricsAsText(t *testing.T) {
	recorder := audit.New(io.Discard, audit.Limits{})
	recorder.Write(record("one"))
	if err := recorder.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	recorder.Write(record("late"))
	m, registry := newMetrics(t, audit.MetricsConfig{
		Recorder: recorder, Cached: func() int { return 7 }, Version: "v1", Revision: "abc",
	})
	m.SetClients(audit.Clients{Active: 3, Off: 2, Error: 1, Faulty: 4})
	m.Reloaded(audit.SubjectClients, nil)
	m.Reloaded(audit.SubjectTLS, errors.New("bad"))
	m.Reloaded(audit.Subject(99), nil)
	m.SetGeneration(12)
	m.Minted()
	m.Reused()
	m.Reused()
	m.Accepted(true)
	m.Accepted(false)
	m.Accepted(false)
	m.RevocationUnknown(decision.RevocationStale)
	m.RevocationUnknown(decision.RevocationUnavailable)
	m.RevocationUnknown(decision.RevocationUnavailable)
	m.Panicked()
	m.SetUnauthenticated(true)
	m.SetShadow(audit.Shadow{Global: true, Routes: 3, Clients: 12})
	m.SetExpiries(audit.Expiries{Counts: []audit.Certificates{{Kind: "pin", Window: "7d", Count: 8}}, Soonest: []audit.Expiry{{Client: "gone", Kind: "anchor"}}})
	m.SetExpiries(audit.Expiries{
		Counts:  []audit.Certificates{{Kind: "pin", Window: "ended", Count: 2}, {Kind: "anchor", Window: "7d", Count: 1}},
		Soonest: []audit.Expiry{{Client: "a", Kind: "pin", End: time.Unix(1900000000, 0)}, {Client: "a", Kind: "anchor", End: time.Unix(1950000000, 0)}},
	})
	want := `
certbearer_audit_dropped_total 1
certbearer_audit_records_total 1
certbearer_audit_write_errors_total 0
certbearer_build_info{goversion="` + runtime.Version() + `",revision="abc",version="v1"} 1
certbearer_callers_unauthenticated 1
certbearer_client_certificate_expiry_timestamp_seconds{client="a",kind="anchor"} 1.95e+09
certbearer_client_certificate_expiry_timestamp_seconds{client="a",kind="pin"} 1.9e+09
certbearer_client_certificates{kind="anchor",window="7d"} 1
certbearer_client_certificates{kind="pin",window="ended"} 2
certbearer_client_documents_faulty 4
certbearer_clients{status="active"} 3
certbearer_clients{status="error"} 1
certbearer_clients{status="off"} 2
certbearer_generation 12
certbearer_panics_total 1
certbearer_proxy_connections_refused_total 0
certbearer_reloads_total{result="error",what="audit"} 0
certbearer_reloads_total{result="error",what="clients"} 0
certbearer_reloads_total{result="error",what="crls"} 0
certbearer_reloads_total{result="error",what="keys"} 0
certbearer_reloads_total{result="error",what="revocations"} 0
certbearer_reloads_total{result="error",what="tls"} 1
certbearer_reloads_total{result="ok",what="audit"} 0
certbearer_reloads_total{result="ok",what="clients"} 1
certbearer_reloads_total{result="ok",what="crls"} 0
certbearer_reloads_total{result="ok",what="keys"} 0
certbearer_reloads_total{result="ok",what="revocations"} 0
certbearer_reloads_total{result="ok",what="tls"} 0
certbearer_revocation_unknown_total{reason="revocation_stale"} 1
certbearer_revocation_unknown_total{reason="revocation_unavailable"} 2
certbearer_shadow{what="clients"} 12
certbearer_shadow{what="global"} 1
certbearer_shadow{what="routes"} 3
certbearer_token_cache_entries 7
certbearer_tokens_minted_total 1
certbearer_tokens_reused_total 2
certbearer_verdicts_total{result="judged"} 2
certbearer_verdicts_total{result="kept"} 1
`
	if diff := cmp.Diff(strings.TrimSpace(want), series(t, registry, "decisions", "shadow_decisions", "check", "crl", "revocation_fetches", "revocation_sources")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	m.SetUnauthenticated(false)
	if got := series(t, registry); !strings.Contains(got, "certbearer_callers_unauthenticated 0") {
		t.Error("the warning stays when the listener is gone")
	}
}

func TestDecisionsAreCountedByReasonAndRoute(t *testing.T) {
	m, registry := newMetrics(t, audit.MetricsConfig{Routes: []string{"api"}})
	m.Decided("api", decision.Allowed, time.Millisecond)
	m.Decided("api", decision.Allowed, 20*time.Microsecond)
	m.Decided("", decision.RouteUnmatched, time.Second)
	m.Decided("made up by a caller", decision.Allowed, time.Second)
	m.Decided("api", decision.Reason(255), time.Second)
	m.Shadowed("api", decision.ClientUnknown, time.Second)
	got := series(t, registry, "audit", "build", "callers", "client", "reloads", "generation", "token", "panics")
	var counted []string
	for line := range strings.Lines(got) {
		if !strings.HasSuffix(strings.TrimSpace(line), " 0") {
			counted = append(counted, strings.TrimSpace(line))
		}
	}
	want := []string{
		`certbearer_check_duration_seconds count 6`,
		`certbearer_decisions_total{reason="allowed",route=""} 1`,
		`certbearer_decisions_total{reason="allowed",route="api"} 2`,
		`certbearer_decisions_total{reason="internal_error",route="api"} 1`,
		`certbearer_decisions_total{reason="route_unmatched",route=""} 1`,
		`certbearer_shadow_decisions_total{reason="client_unknown",route="api"} 1`,
	}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMetricsThatCannotBeMade(t *testing.T) {
	_, registry := newMetrics(t, audit.MetricsConfig{})
	if _, err := audit.NewMetrics(registry, audit.MetricsConfig{}); err == nil {
		t.Error("the same metrics twice in one registry gave no error")
	}
	if _, err := audit.NewMetrics(prometheus.NewRegistry(), audit.MetricsConfig{Routes: []string{"\xff"}}); err == nil {
		t.Error("a route that is no UTF-8 gave no error")
	}
}

func TestCountingNeedsNoMemory(t *testing.T) {
	m, _ := newMetrics(t, audit.MetricsConfig{Routes: []string{"api"}})
	got := testing.AllocsPerRun(1000, func() {
		m.Decided("api", decision.Allowed, time.Millisecond)
		m.Decided("unknown", decision.ClientUnknown, time.Millisecond)
		m.Minted()
		m.Reused()
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkDecided(b *testing.B) {
	m, _ := newMetrics(b, audit.MetricsConfig{Routes: []string{"api"}})
	b.ReportAllocs()
	for b.Loop() {
		m.Decided("api", decision.Allowed, time.Millisecond)
	}
}
