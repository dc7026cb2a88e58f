package audit

import "github.com/prometheus/client_golang/prometheus"

// Clients says how many clients there are of each status, and how many
// documents are not in use because of an error.
type Clients struct {
	Active int
	Off    int
	Error  int
	Faulty int
}

const statusCount = 3

func newClients(r *registration) [statusCount]prometheus.Gauge {
	vector := add(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: nameClients, Help: "Clients by their status.",
	}, []string{"status"}))
	return [statusCount]prometheus.Gauge{
		vector.WithLabelValues("active"), vector.WithLabelValues("off"), vector.WithLabelValues("error"),
	}
}

// SetClients tells which clients are in use.
func (m *Metrics) SetClients(clients Clients) {
	for i, n := range [statusCount]int{clients.Active, clients.Off, clients.Error} {
		m.clients[i].Set(float64(n))
	}
	m.faulty.Set(float64(clients.Faulty))
}

// Shadow says what is in shadow.
type Shadow struct {
	Global  bool
	Routes  int // in shadow, by the global mode or their own
	Clients int // whose own documents say so
}

func newShadow(r *registration) [3]prometheus.Gauge {
	vector := add(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: nameShadow, Help: "What is in shadow: 1 for the global mode, and the numbers of routes and of clients.",
	}, []string{"what"}))
	return [3]prometheus.Gauge{
		vector.WithLabelValues("global"), vector.WithLabelValues("routes"), vector.WithLabelValues("clients"),
	}
}

// SetShadow tells what is in shadow.
func (m *Metrics) SetShadow(shadow Shadow) {
	global := 0
	if shadow.Global {
		global = 1
	}
	for i, n := range [3]int{global, shadow.Routes, shadow.Clients} {
		m.shadow[i].Set(float64(n))
	}
}

// Subject is what was loaded again while running.
type Subject uint8

// The closed set.
const (
	SubjectClients     Subject = iota // the client documents
	SubjectKeys                       // the signing keys
	SubjectTLS                        // certificate, key and CAs of a listener
	SubjectAudit                      // the audit file
	SubjectRevocations                // the revoked tokens
	SubjectCRLs                       // the CRLs beside the client documents
	subjectCount
)

// String returns the label's value, such as "clients".
func (s Subject) String() string {
	return [...]string{"clients", "keys", "tls", "audit", "revocations", "crls", "unknown"}[min(s, subjectCount)]
}

const (
	resultOK = iota
	resultError
)

func newReloads(r *registration) [subjectCount][2]prometheus.Counter {
	vector := add(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: nameReloads, Help: "Reloads by what was loaded and whether it could be used.",
	}, []string{"what", "result"}))
	var counters [subjectCount][2]prometheus.Counter
	for s := range subjectCount {
		counters[s][resultOK] = vector.WithLabelValues(s.String(), "ok")
		counters[s][resultError] = vector.WithLabelValues(s.String(), "error")
	}
	return counters
}

// Reloaded counts a reload. A subject outside the set counts nothing.
func (m *Metrics) Reloaded(what Subject, err error) {
	result := resultOK
	if err != nil {
		result = resultError
	}
	if what < subjectCount {
		m.reloads[what][result].Inc()
	}
}
