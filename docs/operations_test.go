package docs_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestEveryFieldOfAnAuditRecordIsDescribedInItsOrder(t *testing.T) {
	full := audit.Record{
		Time: time.Now(), RequestID: "a", Shadow: true, Reason: decision.Allowed, Field: "a", Detail: "a", Client: "a", ClientID: "a",
		Candidates: []audit.Candidate{{Client: "a", Why: "a"}}, Route: "a", Method: "a",
		Host: "a", Path: "a", Source: "a", Authorization: true, Proxy: "a", Evidence: "a", ChainLength: 2, Chain: [][]byte{{1}, {2}}, Thumbprint: [32]byte{1}, Subject: "a", SAN: "a", Issuer: "a", Serial: "a", NotAfter: time.Now(), Revocation: "a",
		TokenID: "a", TokenCached: true, Generation: 1, Duration: time.Second,
	}
	want := members(t, full.AppendJSON(nil))
	if diff := cmp.Diff(want, firstCells(section(t, read(t, "docs/operations.md"), "## Audit records"))); diff != "" {
		t.Errorf("(-record +docs/operations.md)\n%s", diff)
	}
	for i, value := 0, reflect.ValueOf(full); i < value.NumField(); i++ {
		if value.Field(i).IsZero() {
			t.Errorf("the record of this test leaves %s empty", value.Type().Field(i).Name)
		}
	}
}

// members returns the names in an object, in their order.
func members(t *testing.T, object []byte) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
	}
	return names
}

// firstCells returns what the first column of a table names in backquotes.
func firstCells(text string) []string {
	var names []string
	for _, cells := range rows(text) {
		names = append(names, strings.Trim(cells[0], "`"))
	}
	return names
}

func TestEveryMetricIsDescribedWithItsLabels(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics, err := audit.NewMetrics(registry, audit.MetricsConfig{CRLs: func() audit.CRLs {
		return audit.CRLs{Lists: []audit.CRL{{Source: "a"}}, Fetches: map[string]uint64{"ok": 1}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	metrics.SetExpiries(audit.Expiries{Counts: []audit.Certificates{{Kind: "pin"}}, Soonest: []audit.Expiry{{Client: "a"}}})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string][]string)
	for _, family := range families {
		labels := []string{}
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		want[family.GetName()] = slices.Sorted(slices.Values(labels))
	}
	got := make(map[string][]string)
	for _, cells := range rows(section(t, read(t, "docs/operations.md"), "## Metrics")) {
		labels := append([]string{}, spans(cells[1])...)
		got[strings.Trim(cells[0], "`")] = slices.Sorted(slices.Values(labels))
	}
	for _, name := range audit.Names() {
		if _, gathered := want[name]; !gathered {
			t.Errorf("%s is a name without a metric", name)
		}
	}
	ignoreOrder := cmp.Transformer("set", func(labels []string) string { return strings.Join(labels, ",") })
	if diff := cmp.Diff(want, got, ignoreOrder); diff != "" {
		t.Errorf("(-code +docs/operations.md)\n%s", diff)
	}
}

// The rules for alerts ask for metrics that there are.
func TestTheRulesForAlertsNameMetrics(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(onlyBlock(t, section(t, read(t, "docs/operations.md"), "## Metrics"))), &rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.Groups) != 1 || len(rules.Groups[0].Rules) < 2 {
		t.Fatalf("%+v", rules)
	}
	for _, rule := range rules.Groups[0].Rules {
		name := regexp.MustCompile(`certbearer_[a-z_]+`).FindString(rule.Expr)
		if rule.Alert == "" || !slices.Contains(audit.Names(), name) {
			t.Errorf("%s asks for %q", rule.Alert, name)
		}
	}
}
