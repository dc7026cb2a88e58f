package audit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/certbearer/certbearer/extauthz/audit"
)

func oneCRL() audit.CRLs {
	return audit.CRLs{Lists: []audit.CRL{{Source: "ca.crl", NextUpdate: time.Now().Add(time.Hour)}}, Fetches: map[string]uint64{"ok": 1}}
}

func TestCRLsAsText(t *testing.T) {
	now := time.Now()
	known := audit.CRLs{
		Lists: []audit.CRL{
			{Source: "ca.crl", ThisUpdate: now.Add(-3 * time.Hour), NextUpdate: now.Add(time.Hour)},
			{Source: "ca.crl", ThisUpdate: now.Add(-2 * time.Hour), NextUpdate: now.Add(-time.Hour)},
			{Source: "http://ca.example/\xff", ThisUpdate: now, NextUpdate: now.Add(time.Hour)},
		},
		Sources: map[audit.Source]int{{Kind: "file", State: "stale"}: 1, {Kind: "crl", State: "current"}: 1, {Kind: "by a caller", State: "x"}: 7},
		Fetches: map[string]uint64{"ok": 5, "timed_out": 2},
	}
	_, registry := newMetrics(t, audit.MetricsConfig{CRLs: func() audit.CRLs { return known }})
	var got []string
	for line := range strings.Lines(series(t, registry, "audit", "build", "callers", "client", "decisions", "shadow", "check", "reloads", "generation", "token", "panics", "proxy")) {
		line = strings.TrimSpace(line)
		if value, isSeconds := strings.CutPrefix(line, "certbearer_crl_"); isSeconds {
			name, seconds, _ := strings.Cut(value, "} ")
			var n float64
			if _, err := fmt.Sscan(seconds, &n); err != nil {
				t.Fatal(err)
			}
			line = fmt.Sprintf("%s} about %.1f h", name, n/3600)
		}
		if !strings.HasSuffix(line, " 0") {
			got = append(got, line)
		}
	}
	want := []string{
		`age_seconds{source="ca.crl"} about 2.0 h`,
		`age_seconds{source="http://ca.example/�"} about 0.0 h`,
		`next_update_seconds{source="ca.crl"} about -1.0 h`,
		`next_update_seconds{source="http://ca.example/�"} about 1.0 h`,
		`certbearer_revocation_fetches_total{result="ok"} 5`,
		`certbearer_revocation_fetches_total{result="timed_out"} 2`,
		`certbearer_revocation_sources{kind="crl",state="current"} 1`,
		`certbearer_revocation_sources{kind="file",state="stale"} 1`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheSeriesOfCRLsAreBounded(t *testing.T) {
	now := time.Now()
	var known audit.CRLs
	for i := range 1000 {
		known.Lists = append(known.Lists, audit.CRL{Source: fmt.Sprint(i, " ", strings.Repeat("x", 1000)), ThisUpdate: now, NextUpdate: now.Add(time.Duration(1000-i) * time.Hour)})
	}
	_, registry := newMetrics(t, audit.MetricsConfig{CRLs: func() audit.CRLs { return known }})
	if n, err := testutil.GatherAndCount(registry, "certbearer_crl_age_seconds"); n != audit.MaxCRLSeries || err != nil {
		t.Errorf("%d series: %v", n, err)
	}
	text := series(t, registry)
	if !strings.Contains(text, "certbearer_crls_left_out 936") {
		t.Error("those without series are not counted")
	}
	if !strings.Contains(text, `source="999 `) || strings.Contains(text, `source="0 `) {
		t.Error("the lists that end first have no series")
	}
	if strings.Contains(text, strings.Repeat("x", 300)) {
		t.Error("a label has no bound")
	}
}
