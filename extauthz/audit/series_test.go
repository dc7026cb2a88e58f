package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// series lists every series and its value, sorted, but not those whose name
// begins with certbearer_ and one of the words.
func series(t *testing.T, registry *prometheus.Registry, without ...string) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, family := range families {
		name := strings.TrimPrefix(family.GetName(), "certbearer_")
		if slices.ContainsFunc(without, func(word string) bool { return strings.HasPrefix(name, word) }) {
			continue
		}
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
			}
			line := family.GetName()
			if len(labels) > 0 {
				line += "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case metric.Counter != nil:
				line += fmt.Sprintf(" %v", metric.GetCounter().GetValue())
			case metric.Gauge != nil:
				line += fmt.Sprintf(" %v", metric.GetGauge().GetValue())
			default:
				line += fmt.Sprintf(" count %d", metric.GetHistogram().GetSampleCount())
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
