package policies

import (
	"cmp"
	"crypto/x509"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
)

// endOf is a certificate's notAfter in four bytes: seconds since 1970, up to 2106.
// RFC 5280 4.1.2.5 has 9999-12-31 for certificates without an end, and whatever
// ends after 2106 counts as late as that.
func endOf(c *x509.Certificate) uint32 {
	return uint32(min(max(c.NotAfter.Unix(), 0), math.MaxUint32))
}

func (c *Client) pinsAndEnds() iter.Seq2[Thumbprint, uint32] {
	return func(yield func(Thumbprint, uint32) bool) {
		if !c.pinned || !yield(c.pin, c.pinEnd) {
			return
		}
		for i, thumbprint := range c.extra().pins {
			if !yield(thumbprint, c.extra().pinEnds[i]) {
				return
			}
		}
	}
}

// CertificateKind is what a certificate is to a client.
type CertificateKind uint8

// The kinds. A certificate may be both.
const (
	Pin CertificateKind = iota
	Anchor
	kindCount
)

// Kinds lists them.
func Kinds() []CertificateKind { return []CertificateKind{Pin, Anchor} }

// String returns pin or anchor.
func (k CertificateKind) String() string {
	if k == Anchor {
		return "anchor"
	}
	return "pin"
}

// Window is the time until a certificate ends.
type Window uint8

// The windows, one after the other: each certificate is in one.
const (
	Ended Window = iota
	Within7Days
	Within30Days
	Within90Days
	Later
	windowCount
)

// Windows lists them.
func Windows() []Window { return []Window{Ended, Within7Days, Within30Days, Within90Days, Later} }

// String returns the label's value, such as 7d.
func (w Window) String() string {
	return [...]string{"ended", "7d", "30d", "90d", "later"}[min(w, Later)]
}

func windowOf(end, now int64) Window {
	const day = 24 * 60 * 60
	switch left := end - now; {
	case left < 0:
		return Ended
	case left < 7*day:
		return Within7Days
	case left < 30*day:
		return Within30Days
	case left < 90*day:
		return Within90Days
	}
	return Later
}

const (
	// MaxExpiring bounds the certificates that Expiries names because they end next.
	MaxExpiring = 48
	// MaxEnded bounds those that it names because they have ended.
	MaxEnded = 16
)

// Expiry says when a client can no longer be let in by its certificates of one kind:
// by the one that ends next or, if all of them have ended, by the last.
type Expiry struct {
	Client string
	Kind   CertificateKind
	End    time.Time
}

// Expiries is when the certificates of active clients end.
type Expiries struct {
	// Counts has each pin of each client, and each CA certificate once, however many
	// clients trust it.
	Counts [kindCount][windowCount]int
	// Next are those that end next, the soonest first; of the clients that trust one
	// CA certificate only the first by id is named.
	Next []Expiry
	// Ended are clients' kinds of which nothing is valid any more, the latest first.
	Ended []Expiry
}

// Expiries looks at every active client. It takes some 10 ms for 100,000 of them.
func (s *Snapshot) Expiries(at time.Time) Expiries {
	now := at.Unix()
	var out Expiries
	next, ended := few{most: MaxExpiring}, few{most: MaxEnded, latest: true}
	cas := make(map[*truststore.Anchor]ending)
	for c := range s.All() {
		if c.status != StatusActive {
			continue
		}
		var pins deciding
		for _, end := range c.pinsAndEnds() {
			out.Counts[Pin][windowOf(int64(end), now)]++
			pins.take(int64(end), now, nil)
		}
		pins.report(c, Pin, now, &next, &ended)
		var anchors deciding
		for _, anchor := range c.extra().anchors {
			anchors.take(anchor.Certificate.NotAfter.Unix(), now, anchor)
			if _, known := cas[anchor]; !known {
				cas[anchor] = ending{}
				out.Counts[Anchor][windowOf(anchor.Certificate.NotAfter.Unix(), now)]++
			}
		}
		if by := anchors.by; by != nil {
			if first := cas[by]; first.client == "" || c.id < first.client {
				cas[by] = ending{client: c.id, kind: Anchor, end: anchors.end}
			}
		}
	}
	for _, e := range cas {
		if e.client != "" {
			e.report(now, &next, &ended)
		}
	}
	out.Next, out.Ended = next.expiries(), ended.expiries()
	return out
}

// ending is an Expiry before it is one of the few.
type ending struct {
	client string
	kind   CertificateKind
	end    int64
}

func (e ending) report(now int64, next, ended *few) {
	if e.end < now {
		ended.add(e)
	} else {
		next.add(e)
	}
}

// deciding is the certificate that ends next, or the last of those that have ended.
type deciding struct {
	end int64
	any bool
	by  *truststore.Anchor
}

func (d *deciding) take(end, now int64, by *truststore.Anchor) {
	decides := !d.any
	switch valid := end >= now; {
	case d.any && d.end < now:
		decides = end > d.end
	case d.any && valid:
		decides = end < d.end
	}
	if decides {
		*d = deciding{end, true, by}
	}
}

func (d *deciding) report(c *Client, kind CertificateKind, now int64, next, ended *few) {
	if d.any {
		ending{c.id, kind, d.end}.report(now, next, ended)
	}
}

// few keeps the soonest, or the latest, in their order.
type few struct {
	most   int
	latest bool
	kept   []ending
}

func (f *few) compare(a, b ending) int {
	if f.latest {
		a.end, b.end = b.end, a.end
	}
	return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.client, b.client), cmp.Compare(a.kind, b.kind))
}

func (f *few) add(e ending) {
	if len(f.kept) == f.most && f.compare(e, f.kept[f.most-1]) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(f.kept, e, f.compare)
	f.kept = slices.Insert(f.kept, at, e)
	f.kept = f.kept[:min(len(f.kept), f.most)]
}

func (f *few) expiries() []Expiry {
	var out []Expiry
	for _, e := range f.kept {
		out = append(out, Expiry{Client: e.client, Kind: e.kind, End: time.Unix(e.end, 0).UTC()})
	}
	return out
}
