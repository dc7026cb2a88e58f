package audit

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/certbearer/certbearer/policies/decision"
)

// verdicts makes the counters of accepted certificates, all series of them.
func (m *Metrics) verdicts(r *registration) {
	vector := func(name, help, label string) *prometheus.CounterVec {
		return add(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label}))
	}
	accepted := vector(nameVerdicts, "Accepted certificates: judged for the request, or by a verdict that was kept.", "result")
	m.judged, m.kept = accepted.WithLabelValues("judged"), accepted.WithLabelValues("kept")
	unknown := vector(nameUnknown, "Requests let in though nothing current was known of revocations, by why.", "reason")
	m.unavailable = unknown.WithLabelValues(decision.RevocationUnavailable.String())
	m.stale = unknown.WithLabelValues(decision.RevocationStale.String())
}

// Accepted counts an accepted certificate: judged for the request, or by a verdict
// that was kept.
func (m *Metrics) Accepted(kept bool) {
	if kept {
		m.kept.Inc()
		return
	}
	m.judged.Inc()
}

// RevocationUnknown counts a request that was let in though nothing current was known
// of revocations. reason is RevocationStale where something has ended.
func (m *Metrics) RevocationUnknown(reason decision.Reason) {
	if reason == decision.RevocationStale {
		m.stale.Inc()
		return
	}
	m.unavailable.Inc()
}
