package audit

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Certificates counts certificates of clients by what they are and by when they end.
type Certificates struct {
	Kind   string // pin or anchor
	Window string // ended, 7d, 30d, 90d or later: each is in one
	Count  int
}

// Expiry says when a client can no longer be let in by its certificates of a kind.
type Expiry struct {
	Client string
	Kind   string
	End    time.Time
}

// Expiries are those of all clients. Whoever makes them bounds Soonest: each is a
// series.
type Expiries struct {
	Counts  []Certificates
	Soonest []Expiry
}

// expiries collects the Expiries that were set last, as a whole: a scrape sees no
// half of them.
type expiries struct {
	current atomic.Pointer[Expiries]
	counts  *prometheus.Desc
	ends    *prometheus.Desc
}

func newExpiries(r *registration) *expiries {
	return add(r, &expiries{
		counts: prometheus.NewDesc(nameCertificates, "Certificates of active clients by when they end.", []string{"kind", "window"}, nil),
		ends:   prometheus.NewDesc(nameExpiry, "When a client's certificates end, of those that end first: seconds since 1970.", []string{"client", "kind"}, nil),
	})
}

// Describe implements prometheus.Collector.
func (e *expiries) Describe(to chan<- *prometheus.Desc) {
	to <- e.counts
	to <- e.ends
}

// Collect implements prometheus.Collector.
func (e *expiries) Collect(to chan<- prometheus.Metric) {
	current := e.current.Load()
	if current == nil {
		return
	}
	for _, c := range current.Counts {
		to <- prometheus.MustNewConstMetric(e.counts, prometheus.GaugeValue, float64(c.Count), c.Kind, c.Window)
	}
	for _, one := range current.Soonest {
		to <- prometheus.MustNewConstMetric(e.ends, prometheus.GaugeValue, float64(one.End.Unix()), one.Client, one.Kind)
	}
}

// SetExpiries tells when certificates of clients end. A client and a kind stand in
// Soonest once.
func (m *Metrics) SetExpiries(all Expiries) { m.expiries.current.Store(&all) }
