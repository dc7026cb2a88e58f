package audit

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// MaxCRLSeries bounds the lists that have series of their own: those that end first.
const MaxCRLSeries = 64

// maxSourceBytes bounds the label of a list.
const maxSourceBytes = 256

// CRLs is what is known of the revocations of certificates.
type CRLs struct {
	// Lists are the CRLs that are known. Several of one Source are shown as the one
	// that ends first.
	Lists []CRL
	// Sources counts where revocations come from.
	Sources map[Source]int
	// Fetches counts attempts by their result, "ok" or a class of failures. The words
	// are a closed set of the owner's, who has all of them there from the start.
	Fetches map[string]uint64
}

// CRL is one list.
type CRL struct {
	// Source is a file's name or a location without what may be secret in it.
	Source                 string
	ThisUpdate, NextUpdate time.Time
}

// Source is a kind of where revocations come from, and how it fares.
type Source struct {
	Kind  string // one of SourceKinds
	State string // one of SourceStates
}

// SourceKinds are a file beside the client documents, a CRL's location, and the
// question to an OCSP responder about one certificate.
func SourceKinds() []string { return []string{"file", "crl", "ocsp"} }

// SourceStates are what is known and current, known and ended, and not known.
func SourceStates() []string { return []string{"current", "stale", "missing"} }

var (
	crlAge      = prometheus.NewDesc(nameCRLAge, "Time since thisUpdate of a CRL.", []string{"source"}, nil)
	crlNext     = prometheus.NewDesc(nameCRLNext, "Time to nextUpdate of a CRL, negative once it has ended.", []string{"source"}, nil)
	crlsLeftOut = prometheus.NewDesc(nameCRLsLeftOut, "CRLs without series of their own.", nil, nil)
	sources     = prometheus.NewDesc(nameSources, "Where revocations come from, by kind and by what is known of it.", []string{"kind", "state"}, nil)
	fetches     = prometheus.NewDesc(nameFetches, "Attempts to fetch revocations by their result.", []string{"result"}, nil)
)

// crlCollector asks at each scrape.
type crlCollector struct{ read func() CRLs }

// Describe implements prometheus.Collector.
func (c crlCollector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{crlAge, crlNext, crlsLeftOut, sources, fetches} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (c crlCollector) Collect(to chan<- prometheus.Metric) {
	var known CRLs
	if c.read != nil {
		known = c.read()
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	shown, leftOut := known.shown()
	now := time.Now()
	for _, list := range shown {
		gauge(crlAge, now.Sub(list.ThisUpdate).Seconds(), list.Source)
		gauge(crlNext, list.NextUpdate.Sub(now).Seconds(), list.Source)
	}
	gauge(crlsLeftOut, float64(leftOut))
	for _, kind := range SourceKinds() {
		for _, state := range SourceStates() {
			gauge(sources, float64(known.Sources[Source{kind, state}]), kind, state)
		}
	}
	for result, count := range known.Fetches {
		to <- prometheus.MustNewConstMetric(fetches, prometheus.CounterValue, float64(count), result)
	}
}

// shown returns the lists with series, each source once, and how many are left out.
func (c CRLs) shown() (lists []CRL, leftOut int) {
	first := make(map[string]CRL)
	for _, list := range c.Lists {
		list.Source = strings.ToValidUTF8(list.Source[:min(len(list.Source), maxSourceBytes)], "�")
		if other, twice := first[list.Source]; !twice || list.NextUpdate.Before(other.NextUpdate) {
			first[list.Source] = list
		}
	}
	lists = slices.SortedFunc(maps.Values(first), func(a, b CRL) int {
		if order := a.NextUpdate.Compare(b.NextUpdate); order != 0 {
			return order
		}
		return strings.Compare(a.Source, b.Source)
	})
	if most := MaxCRLSeries; len(lists) > most {
		return lists[:most], len(lists) - most
	}
	return lists, 0
}
