package peercert_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestEvidenceIsReadUpToItsSizeAndNoFurther(t *testing.T) {
	p := newPKI(t, testca.Template{})
	peer, honest := p.leaf.URLEncodedPEM(), about(p.leaf).String()
	pad := func(value string, spare int) string {
		return value + ";URI=" + strings.Repeat("x", peercert.MaxBytes-len(value)-len(";URI=")-spare)
	}
	white := func(n int) string { return peer + strings.Repeat(" ", n-len(peer)) }
	tooLarge := refusal{decision.EvidenceTooLarge, header}
	for name, test := range map[string]struct {
		from peercert.Source
		hops int
		in   func(over int) peercert.Presented
		over refusal
	}{
		"one header value": {peercert.XFCC, 0, func(over int) peercert.Presented {
			return presented("", pad(honest, -over))
		}, tooLarge},
		"two header values": {peercert.XFCC, 1, func(over int) peercert.Presented {
			return presented("", honest, pad(honest, len(honest)-over))
		}, tooLarge},
		"source.certificate": {peercert.Peer, 0, func(over int) peercert.Presented {
			return presented(white(peercert.MaxBytes + over))
		}, refusal{decision.EvidenceTooLarge, "source.certificate"}},
		"source.certificate and the header": {peercert.Peer, 0, func(over int) peercert.Presented {
			return presented(peer, pad(honest, len(peer)-over))
		}, tooLarge},
		"the header and a source.certificate that is not read": {peercert.XFCC, 0, func(over int) peercert.Presented {
			return presented(peer, pad(honest, len(peer)-over))
		}, tooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, test.from, test.hops)
			wantEvidence(t, r, test.in(0), p.leaf)
			wantRefusal(t, r, test.in(1), test.over)
		})
	}
}

func TestSizeIsCheckedBeforeAnythingIsRead(t *testing.T) {
	garbage := strings.Repeat("?", peercert.MaxBytes+1)
	wantRefusal(t, newReader(t, peercert.XFCC, 0), presented("", garbage), refusal{decision.EvidenceTooLarge, header})
	wantRefusal(t, newReader(t, peercert.Peer, 0), presented(garbage), refusal{decision.EvidenceTooLarge, "source.certificate"})
	wantRefusal(t, newReader(t, peercert.Peer, 0), presented("?", garbage), refusal{decision.EvidenceTooLarge, header})
}

func TestAChainHasAtMostTenCertificates(t *testing.T) {
	p := newPKI(t, testca.Template{})
	others := strangers(t, 10)
	same := strings.Repeat(p.near.URLEncodedPEM(), 10)
	for name, test := range map[string]struct {
		rest string
		ten  int
		want []*testca.Issued
	}{
		"all different":        {chain(others...), len(chain(others[:9]...)), others[:9]},
		"the same nine times":  {same, len(same) / 10 * 9, []*testca.Issued{p.near}},
		"the leaf nine times":  {strings.Repeat(p.leaf.URLEncodedPEM(), 10), 9 * len(p.leaf.URLEncodedPEM()), nil},
		"an eleventh of noise": {chain(others[:9]...) + "-----", len(chain(others[:9]...)), others[:9]},
	} {
		t.Run(name, func(t *testing.T) {
			value := func(rest string) string {
				return written{Cert: p.leaf.URLEncodedPEM(), Chain: chain(p.leaf) + rest}.String()
			}
			tooMany := refusal{decision.EvidenceTooManyCertificates, header + " element 1 pair 2"}
			for _, from := range []peercert.Source{peercert.XFCC, peercert.Peer} {
				r := newReader(t, from, 0)
				wantEvidence(t, r, presented(p.leaf.URLEncodedPEM(), value(test.rest[:test.ten])), p.leaf, test.want...)
				wantRefusal(t, r, presented(p.leaf.URLEncodedPEM(), value(test.rest)), tooMany)
			}
		})
	}
}

func TestNamesOfACertificateAreBounded(t *testing.T) {
	units := func(n int, text string) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("%s%d", text, i)
		}
		return all
	}
	malformed := refusal{decision.CertificateMalformed, "source.certificate"}
	r := newReader(t, peercert.Peer, 0)
	most := selfSigned(t, testca.Template{CommonName: "x", Units: units(peercert.MaxNameAttributes-1, "u")})
	wantEvidence(t, r, presented(most.URLEncodedPEM()), most)
	for sentence, units := range map[string][]string{
		"one attribute more":          units(peercert.MaxNameAttributes, "u"),
		"few attributes of much text": units(10, strings.Repeat("u", peercert.MaxNameBytes/10)),
	} {
		t.Run(sentence, func(t *testing.T) {
			over := selfSigned(t, testca.Template{CommonName: "x", Units: units})
			wantRefusal(t, r, presented(over.URLEncodedPEM()), malformed)
		})
	}
	t.Run("in a chain", func(t *testing.T) {
		over := selfSigned(t, testca.Template{CommonName: "x", Units: units(peercert.MaxNameAttributes, "u")})
		value := written{Cert: most.URLEncodedPEM(), Chain: chain(most) + chain(over)}.String()
		wantRefusal(t, r, presented(most.URLEncodedPEM(), value),
			refusal{decision.CertificateMalformed, header + " element 1 pair 2 certificate 2"})
	})
}

// Each would be searched for a dozen extensions in every step of a path.
func TestExtensionsOfACertificateAreBounded(t *testing.T) {
	with := func(n int) *testca.Issued {
		template := testca.Template{CommonName: "x"}
		for i := range n {
			template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, i}, Value: []byte{5, 0}})
		}
		return selfSigned(t, template)
	}
	usual := len(with(0).Certificate.Extensions)
	r := newReader(t, peercert.Peer, 0)
	most, over := with(peercert.MaxExtensions-usual), with(peercert.MaxExtensions-usual+1)
	wantEvidence(t, r, presented(most.URLEncodedPEM()), most)
	wantRefusal(t, r, presented(over.URLEncodedPEM()), refusal{decision.CertificateMalformed, "source.certificate"})
}

func TestAllElementsTogetherHaveAtMostTenCertificates(t *testing.T) {
	p := newPKI(t, testca.Template{})
	others := strangers(t, 9)
	r := newReader(t, peercert.XFCC, 1)
	elements := func(chained []*testca.Issued, alone ...*testca.Issued) peercert.Presented {
		var values []string
		for _, c := range alone {
			values = append(values, about(c).String())
		}
		last := about(p.leaf)
		last.Chain = chain(p.leaf) + chain(chained...)
		return presented("", append(values, last.String())...)
	}
	wantEvidence(t, r, elements(nil, others...), p.leaf)
	wantEvidence(t, r, elements(others[:5], others[5:]...), p.leaf, others[:5]...)
	wantEvidence(t, r, elements(others, others[3], others[4]), p.leaf, others...)
	wantRefusal(t, r, elements([]*testca.Issued{p.near}, others...),
		refusal{decision.EvidenceTooManyCertificates, header + " element 10 pair 3 certificate 2"})
	wantRefusal(t, r, elements(others[:6], append(others[6:], p.near)...),
		refusal{decision.EvidenceTooManyCertificates, header + " element 5 pair 3 certificate 7"})
}

func TestAtMostTenElementsAreRead(t *testing.T) {
	p := newPKI(t, testca.Template{})
	r := newReader(t, peercert.XFCC, 1)
	honest := about(p.leaf).String()
	wantEvidence(t, r, presented("", strings.Repeat("By=,", 9)+honest), p.leaf)
	wantRefusal(t, r, presented("", strings.Repeat("By=,", 10)+honest), refusal{decision.XFCCElementCount, header})
	wantRefusal(t, r, presented("", append(slices.Repeat([]string{"By="}, 10), honest)...), refusal{decision.XFCCElementCount, header})
	wantRefusal(t, r, presented("", strings.Repeat("By=,", 10)+"?"), refusal{decision.XFCCElementCount, header})
}

func strangers(t testing.TB, n int) []*testca.Issued {
	t.Helper()
	var all []*testca.Issued
	for i := range n {
		all = append(all, selfSigned(t, testca.Template{CommonName: fmt.Sprintf("stranger %d", i)}))
	}
	return all
}

// What is presented costs what it holds, and each certificate is compared with all
// before: without the bounds on bytes and certificates this would take seconds.
func TestAChainWithoutEndIsRefusedAtOnce(t *testing.T) {
	c := selfSigned(t, testca.Template{CommonName: "x"}).Certificate
	reader := newReader(t, peercert.TLS, 0)
	var chain []*x509.Certificate
	for i := range 30_000 {
		raw := bytes.Clone(c.Raw)
		binary.BigEndian.PutUint32(raw[len(raw)-4:], uint32(i))
		chain = append(chain, &x509.Certificate{Raw: raw})
	}
	for sentence, c := range map[string]struct {
		chain []*x509.Certificate
		want  decision.Reason
	}{
		"of many":           {chain, decision.EvidenceTooManyCertificates},
		"of ten large ones": {slices.Repeat([]*x509.Certificate{{Raw: make([]byte, 64<<20)}}, 10), decision.EvidenceTooLarge},
	} {
		if _, err := reader.Read(peercert.Presented{TLSChain: c.chain}, nil); decision.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}
