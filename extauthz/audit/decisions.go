package audit

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/certbearer/certbearer/policies/decision"
)

// byReason has a counter for each reason, found by its number.
type byReason []prometheus.Counter

// decisions is made whole at the start, so counting finds its counter without
// building a label. That is one series for each reason and route.
type decisions struct {
	routes  map[string]byReason
	unnamed byReason
}

func newDecisions(r *registration, name, help string, routes []string) decisions {
	vector := add(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"reason", "route"}))
	d := decisions{routes: make(map[string]byReason, len(routes)), unnamed: resolve(r, vector, "")}
	for _, route := range routes {
		d.routes[route] = resolve(r, vector, route)
	}
	return d
}

func resolve(r *registration, vector *prometheus.CounterVec, route string) byReason {
	var counters byReason
	for _, reason := range decision.Reasons() {
		counter, err := vector.GetMetricWithLabelValues(reason.String(), route)
		if err != nil && r.err == nil {
			r.err = fmt.Errorf("route %q: %w", route, err)
		}
		counters = append(counters, counter)
	}
	return counters
}

func (d decisions) count(route string, reason decision.Reason) {
	counters, ok := d.routes[route]
	if !ok {
		counters = d.unnamed
	}
	if int(reason) >= len(counters) {
		reason = decision.InternalError
	}
	counters[reason].Inc()
}
