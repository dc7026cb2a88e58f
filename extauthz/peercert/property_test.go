package peercert_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// escapeName escapes as RFC 2253 does.
func escapeName(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `,`, `\,`, `+`, `\+`, `<`, `\<`, `>`, `\>`, `;`, `\;`).Replace(value)
}

func TestWhatEnvoyWritesIsReadBack(t *testing.T) {
	all := strangers(t, 12)
	name := rapid.StringMatching(`[ -~é]{0,40}`)
	plain := rapid.StringMatching(`[ !#-+\-.-:<-~]{0,40}`)
	rapid.Check(t, func(t *rapid.T) {
		leaf := rapid.SampledFrom(all).Draw(t, "leaf")
		others := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, 9, (*testca.Issued).Thumbprint).Draw(t, "others")
		others = slices.DeleteFunc(others, func(c *testca.Issued) bool { return c == leaf })
		w := written{By: plain.Draw(t, "By"), Cert: leaf.URLEncodedPEM()}
		if rapid.Bool().Draw(t, "Hash") {
			w.Hash = hash(leaf)
		}
		var want []*testca.Issued
		if rapid.Bool().Draw(t, "Chain") {
			w.Chain, want = chain(leaf)+chain(others...), others
		}
		if rapid.Bool().Draw(t, "Subject") {
			w.Names = append(w.Names, `Subject="CN=`+escapeName(name.Draw(t, "CN"))+",O="+escapeName(name.Draw(t, "O"))+`"`)
		}
		for _, uri := range rapid.SliceOfN(plain, 0, 3).Draw(t, "URI") {
			w.Names = append(w.Names, "URI="+uri)
		}
		for _, dns := range rapid.SliceOfN(plain, 0, 3).Draw(t, "DNS") {
			w.Names = append(w.Names, "DNS="+dns)
		}
		before := rapid.SliceOfN(rapid.SampledFrom(all[:1]), 0, 3).Draw(t, "elements before")
		hops := 0
		var elements []string
		for _, c := range before {
			hops, elements = 1, append(elements, about(c).String())
		}
		elements = append(elements, w.String())
		// The limit on all certificates together has its own test.
		if hops == 1 && len(others) > 8 {
			t.Skip("eleven certificates")
		}
		for _, from := range []peercert.Source{peercert.XFCC, peercert.Peer} {
			wantRead(t, from, hops, presented(leaf.URLEncodedPEM(), strings.Join(elements, ",")), leaf, want)
		}
	})
}

func TestWhatEachProxyWritesIsReadBack(t *testing.T) {
	all := strangers(t, 12)
	name := rapid.StringMatching(`[ -~é]{0,40}`)
	rapid.Check(t, func(t *rapid.T) {
		chain := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, 10, (*testca.Issued).Thumbprint).Draw(t, "chain")
		leaf, others := chain[0], chain[1:]
		for _, f := range peercert.Formats() {
			r, err := peercert.NewReader(peercert.Config{From: peercert.Header, Header: headerOf(f), Format: f})
			if err != nil {
				t.Fatal(err)
			}
			want := others
			if !carriesChain(f) {
				want = nil
			}
			wantReadBy(t, r, string(f), sentBy(f, chain...).presented(), leaf, want)
			if f == peercert.FormatTraefik {
				wantReadBy(t, r, string(f), oldTraefik(chain...).presented(), leaf, want)
			}
		}
		w := inJSON(leaf, others...)
		w.Subject = "CN=" + escapeName(name.Draw(t, "CN"))
		w.By, w.URI, w.DNS = []string{name.Draw(t, "By")}, rapid.SliceOfN(name, 0, 3).Draw(t, "URI"), rapid.SliceOfN(name, 0, 3).Draw(t, "DNS")
		wantRead(t, peercert.XFCC, 0, presented("", array(w)), leaf, others)
		if len(others) < 9 { // the limit on all certificates together has its own test
			wantRead(t, peercert.Peer, 1, presented(leaf.URLEncodedPEM(), array(inJSON(all[0]), w)), leaf, others)
		}
	})
}

func wantRead(t *rapid.T, from peercert.Source, hops int, p peercert.Presented, leaf *testca.Issued, want []*testca.Issued) {
	r, err := peercert.NewReader(peercert.Config{From: from, XFCCHops: hops})
	if err != nil {
		t.Fatal(err)
	}
	wantReadBy(t, r, string(from), p, leaf, want)
}

func wantReadBy(t *rapid.T, r *peercert.Reader, from string, p peercert.Presented, leaf *testca.Issued, want []*testca.Issued) {
	got, err := r.Read(p, nil)
	if err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	if !got.Leaf.Equal(leaf.Certificate) || got.Thumbprint != leaf.Thumbprint() {
		t.Errorf("%s: leaf is %s, want %s", from, got.Leaf.Subject, leaf.Certificate.Subject)
	}
	same := slices.EqualFunc(raw(got.Intermediates), want, func(der []byte, c *testca.Issued) bool {
		return slices.Equal(der, c.Certificate.Raw)
	})
	if !same {
		t.Errorf("%s: %d intermediates, want these %d", from, len(got.Intermediates), len(want))
	}
}
