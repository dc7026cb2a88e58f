package peercert_test

import (
	"crypto/x509"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// BenchmarkRead stands beside what crypto/x509 alone takes for the same
// certificates.
func BenchmarkRead(b *testing.B) {
	p := newPKI(b, testca.Template{})
	peer, full := p.leaf.URLEncodedPEM(), p.full(`Subject="CN=client"`, "URI=").String()
	for _, bench := range []struct {
		name string
		from peercert.Source
		in   peercert.Presented
	}{
		{"peer alone", peercert.Peer, presented(peer)},
		{"peer with a chain of three", peercert.Peer, presented(peer, full)},
		{"xfcc with a chain of three", peercert.XFCC, presented("", full)},
		{"xfcc as JSON with a chain of three", peercert.XFCC, presented("", array(inJSON(p.leaf, p.near, p.far)))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := newReader(b, bench.from, 0)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Read(bench.in, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, f := range peercert.Formats() {
		name, certificates := string(f)+" alone", []*testca.Issued{p.leaf}
		if carriesChain(f) {
			name, certificates = string(f)+" with a chain of three", []*testca.Issued{p.leaf, p.near, p.far}
		}
		b.Run(name, func(b *testing.B) {
			r, in := readerOf(b, f), sentBy(f, certificates...).presented()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Read(in, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, bench := range []struct {
		name string
		of   []*testca.Issued
	}{
		{"crypto/x509, one certificate", []*testca.Issued{p.leaf}},
		{"crypto/x509, three certificates", []*testca.Issued{p.leaf, p.near, p.far}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, c := range bench.of {
					if _, err := x509.ParseCertificate(c.Certificate.Raw); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
