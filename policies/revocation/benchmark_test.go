package revocation_test

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// entriesWritten is the content of a list of n entries as many CAs write them: a
// number of 16 bytes that looks random, a time and a reason.
func entriesWritten(n int) []byte {
	one := tlv(0x30, tlv(2, make([]byte, 16)), tlv(0x17, []byte("250101000000Z")), tlv(0x30, tlv(0x30, tlv(6, []byte{0x55, 0x1d, 0x15}), tlv(4, []byte{10, 1, 1}))))
	all := make([]byte, 0, n*len(one))
	for i := range n {
		binary.BigEndian.PutUint64(one[4:], uint64(i+1)*0x9e3779b97f4a7c15>>1|1<<62)
		all = append(all, one...)
	}
	return all
}

func BenchmarkParseCRL(b *testing.B) {
	ca := newCA(b, "CA")
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(n, " entries"), func(b *testing.B) {
			der := list{by: ca, written: entriesWritten(n)}.der(b)
			var before, after runtime.MemStats
			var parsed *revocation.CRL
			b.ReportAllocs()
			for b.Loop() {
				parsed = nil
				runtime.GC()
				runtime.ReadMemStats(&before)
				var err error
				if parsed, err = revocation.ParseCRL(der); err != nil {
					b.Fatal(err)
				}
				if err := parsed.SignedBy(ca.Certificate); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(n), "kept-B/entry")
			b.ReportMetric(float64(len(der))/float64(n), "DER-B/entry")
			runtime.KeepAlive(parsed)
			runtime.KeepAlive(der)
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	root := newCA(b, "Root")
	ca := issue(b, root, testca.Template{CommonName: "CA", CA: true})
	leaf := issue(b, ca, crldp(pointAt(uriName("http://a/7"))))
	parts := func(n int) []*revocation.CRL {
		all := []*revocation.CRL{list{by: root}.parsed(b)}
		for i := range n {
			all = append(all, list{by: ca, extensions: []extension{distributionPoint(fullName(uriName(fmt.Sprint("http://a/", i))))}}.parsed(b))
		}
		return all
	}
	for sentence, lists := range map[string][]*revocation.CRL{
		"two lists":               {list{by: root}.parsed(b), list{by: ca}.parsed(b)},
		"a list of 100000":        {list{by: root}.parsed(b), list{by: ca, written: entriesWritten(100_000)}.parsed(b)},
		"a CA with 1000 parts":    parts(1000),
		"lists of 1000 other CAs": append(othersLists(b, 1000), list{by: root}.parsed(b), list{by: ca}.parsed(b)),
	} {
		b.Run(sentence, func(b *testing.B) {
			view := revocation.NewView(nil, lists, nil)
			certificates := path(leaf, ca, root)
			// They are proven when they are read, and in no decision.
			for _, one := range lists {
				_, _ = one.SignedBy(ca.Certificate), one.SignedBy(root.Certificate)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := view.Judge(certificates, revocation.Policy{Mode: revocation.Hard}, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJudgeWorst is a CA that wants us to compare names: each of its 200 lists
// has 64 points, its client's certificate 150, and all are long names that differ at
// their ends, in letters that are dear to fold.
func BenchmarkJudgeWorst(b *testing.B) {
	ca := newCA(b, "CA")
	long := func(kind string, i, n int) []byte {
		return tlv(0xa4, respelled(b, strings.Repeat("Ǆ", n)+kind+fmt.Sprint(i)))
	}
	var points [][]byte
	for i := range 150 {
		points = append(points, long("a", i, 15))
	}
	leaf := issue(b, ca, crldp(pointAt(points[:64]...), pointAt(points[64:128]...), pointAt(points[128:]...)))
	var lists []*revocation.CRL
	for i := range 200 {
		var names [][]byte
		for j := range 64 {
			names = append(names, long("b", 64*i+j, 20))
		}
		lists = append(lists, list{by: ca, extensions: []extension{distributionPoint(fullName(names...))}}.parsed(b))
	}
	view := revocation.NewView(nil, lists, nil)
	_, _ = view.Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, noon) // proves the lists
	b.ReportAllocs()
	for b.Loop() {
		if _, err := view.Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, noon); err == nil {
			b.Fatal("vouched for")
		}
	}
}

func othersLists(t testing.TB, n int) []*revocation.CRL {
	other := newCA(t, "Other")
	var all []*revocation.CRL
	for i := range n {
		all = append(all, list{by: other, name: respelled(t, fmt.Sprint("CA ", i))}.parsed(t))
	}
	return all
}

func BenchmarkHolds(b *testing.B) {
	ca := newCA(b, "CA")
	leaf := issue(b, ca, testca.Template{CommonName: "leaf"})
	view := revocation.NewView(nil, append(othersLists(b, 1000), list{by: ca}.parsed(b)), nil)
	verdict, err := view.Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, noon)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !view.Holds(verdict.Stamp) {
			b.Fatal("does not hold")
		}
	}
}

func BenchmarkNewView(b *testing.B) {
	ca := newCA(b, "CA")
	lists := append(othersLists(b, 1000), list{by: ca}.parsed(b))
	var answers []*revocation.Answer
	for i := range 1000 {
		leaf := issue(b, ca, testca.Template{CommonName: "leaf", Key: ca.Key, SerialNumber: big.NewInt(int64(i + 1))})
		answers = append(answers, answer{about: leaf, issuer: ca}.parsed(b))
	}
	view := revocation.NewView(nil, lists, answers)
	b.ReportAllocs()
	for b.Loop() {
		view = revocation.NewView(view, lists, answers)
	}
}

// BenchmarkOneMoreAnswer asks about one certificate more, where so much is known, and
// waits until its answer is in force.
func BenchmarkOneMoreAnswer(b *testing.B) {
	ca := newCA(b, "CA")
	for _, known := range []int{0, 800, 7000} {
		b.Run(fmt.Sprint("with ", known, " known"), func(b *testing.B) {
			answers := backend(func(_ context.Context, q revocation.Query) ([]byte, error) {
				request, err := ocsp.ParseRequest(q.Body)
				if err != nil {
					return nil, err
				}
				now := time.Now()
				return ocsp.CreateResponse(ca.Certificate, ca.Certificate, ocsp.Response{SerialNumber: request.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(24 * time.Hour)}, ca.Key)
			})
			f := newFetcher(b, revocation.Options{Backend: answers, Publish: func(*revocation.View) {}})
			defer run(b, f)()
			serial := int64(0)
			ask := func() {
				serial++
				one := x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), RawIssuer: ca.Certificate.RawSubject}
				owner, l := fmt.Sprint(serial/900), revocation.Location{URL: "http://ca.example/", Issuers: path(ca), Certificate: &one}
				if err := f.Ask(owner, l); err != nil {
					b.Fatal(err)
				}
				if err := f.Await(b.Context(), owner, l); err != nil {
					b.Fatal(err)
				}
			}
			for range known {
				ask()
			}
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}
