package audit

import (
	"fmt"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/certbearer/certbearer/policies/decision"
)

// MetricsConfig describes what Metrics counts.
type MetricsConfig struct {
	// Routes are the names that the label route may have. Any other name is
	// counted under the empty one, so that callers cannot make series.
	Routes   []string
	Recorder *Recorder   // whose records are counted; nil: none
	Cached   func() int  // tokens in the cache, asked at each scrape; nil: 0
	CRLs     func() CRLs // what is known of revocations, asked at each scrape; nil: nothing
	Version  string
	Revision string
}

// Metrics are the numbers of one server, made for a registry of its owner's.
// They are safe for concurrent use.
type Metrics struct {
	decisions       decisions
	shadowDecisions decisions
	shadow          [3]prometheus.Gauge
	duration        prometheus.Histogram
	clients         [statusCount]prometheus.Gauge
	faulty          prometheus.Gauge
	reloads         [subjectCount][2]prometheus.Counter
	generation      prometheus.Gauge
	minted          prometheus.Counter
	reused          prometheus.Counter
	judged          prometheus.Counter
	kept            prometheus.Counter
	unavailable     prometheus.Counter
	stale           prometheus.Counter
	unauthenticated prometheus.Gauge
	panics          prometheus.Counter
	proxyRefused    prometheus.Counter
	expiries        *expiries
}

// NewMetrics makes the metrics and registers them. Every series is there from
// the start, with 0, so that the first of a kind is an increase.
func NewMetrics(registry prometheus.Registerer, config MetricsConfig) (*Metrics, error) {
	r := &registration{registry: registry}
	m := &Metrics{
		decisions:       newDecisions(r, nameDecisions, "Decisions by their reason and the name of the route.", config.Routes),
		shadowDecisions: newDecisions(r, nameShadowDecisions, "Decisions that were not carried out, by their reason and the name of the route.", config.Routes),
		shadow:          newShadow(r),
		duration: add(r, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: nameDuration, Help: "Time from the receipt of a check to its decision.", Buckets: buckets(),
		})),
		clients:         newClients(r),
		faulty:          r.gauge(nameFaulty, "Client documents that are not in use because of an error."),
		reloads:         newReloads(r),
		generation:      r.gauge(nameGeneration, "Number of the state that decides; each change raises it."),
		minted:          r.counter(nameMinted, "Tokens that were signed."),
		reused:          r.counter(nameReused, "Tokens that were handed out again."),
		unauthenticated: r.gauge(nameUnauthenticated, "1 if a listener for evidence believes everyone who can connect."),
		panics:          r.counter(namePanics, "Requests that ended in a panic."),
		proxyRefused:    r.counter(nameProxyRefused, "Connections that are of none of the proxies, or of two."),
		expiries:        newExpiries(r),
	}
	m.verdicts(r)
	r.recorder(config.Recorder)
	r.cache(config.Cached)
	add(r, crlCollector{config.CRLs})
	r.build(config.Version, config.Revision)
	if r.err != nil {
		return nil, fmt.Errorf("metrics: %w", r.err)
	}
	return m, nil
}

// buckets are the upper bounds of check durations in seconds: a cache hit takes
// about 10 µs, and Envoy gives up long before 1 s.
func buckets() []float64 {
	return []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1}
}

// Decided counts a decision and the time that it took. An unknown route is the
// empty one.
func (m *Metrics) Decided(route string, reason decision.Reason, took time.Duration) {
	m.decisions.count(route, reason)
	m.duration.Observe(took.Seconds())
}

// Shadowed is Decided for a decision that is not carried out.
func (m *Metrics) Shadowed(route string, reason decision.Reason, took time.Duration) {
	m.shadowDecisions.count(route, reason)
	m.duration.Observe(took.Seconds())
}

// Answered counts what an endpoint of ours decided, under its own name. Its time
// is not that of a check.
func (m *Metrics) Answered(endpoint string, reason decision.Reason) {
	m.decisions.count(endpoint, reason)
}

// Minted counts a token that was signed.
func (m *Metrics) Minted() { m.minted.Inc() }

// Reused counts a token that was handed out again.
func (m *Metrics) Reused() { m.reused.Inc() }

// Panicked counts a request that ended in a panic.
func (m *Metrics) Panicked() { m.panics.Inc() }

// ProxyRefused counts a connection that is no proxy's.
func (m *Metrics) ProxyRefused() { m.proxyRefused.Inc() }

// SetGeneration tells which state decides.
func (m *Metrics) SetGeneration(generation uint64) { m.generation.Set(float64(generation)) }

// SetUnauthenticated tells whether a listener for evidence believes everyone.
func (m *Metrics) SetUnauthenticated(everyone bool) {
	m.unauthenticated.Set(0)
	if everyone {
		m.unauthenticated.Set(1)
	}
}

// registration adds to a registry and keeps the first error.
type registration struct {
	registry prometheus.Registerer
	err      error
}

func add[C prometheus.Collector](r *registration, collector C) C {
	if r.err == nil {
		r.err = r.registry.Register(collector)
	}
	return collector
}

func (r *registration) counter(name, help string) prometheus.Counter {
	return add(r, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
}

func (r *registration) gauge(name, help string) prometheus.Gauge {
	return add(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

func (r *registration) recorder(recorder *Recorder) {
	read := func(name, help string, of func(Counts) uint64) {
		add(r, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 {
			if recorder == nil {
				return 0
			}
			return float64(of(recorder.Counts()))
		}))
	}
	read(nameRecords, "Audit records that the output took.", func(c Counts) uint64 { return c.Written })
	read(nameDropped, "Audit records that were lost.", func(c Counts) uint64 { return c.Dropped })
	read(nameWriteErrors, "Failed writes of audit records.", func(c Counts) uint64 { return c.WriteErrors })
}

func (r *registration) cache(cached func() int) {
	add(r, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: nameCacheEntries, Help: "Tokens in the cache."}, func() float64 {
		if cached == nil {
			return 0
		}
		return float64(cached())
	}))
}

func (r *registration) build(version, revision string) {
	add(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: nameBuild, Help: "1, labelled with what is running."},
		[]string{"version", "revision", "goversion"})).WithLabelValues(version, revision, runtime.Version()).Set(1)
}
