package peercert_test

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

const header = "x-forwarded-client-cert"

func newReader(t testing.TB, from peercert.Source, hops int) *peercert.Reader {
	t.Helper()
	r, err := peercert.NewReader(peercert.Config{From: from, XFCCHops: hops})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// presented has values under x-forwarded-client-cert and nothing under any
// other name.
func presented(peer string, values ...string) peercert.Presented {
	return peercert.Presented{
		PeerCertificate: []byte(peer),
		Header: func(name string) []string {
			if name != header {
				return nil
			}
			return values
		},
	}
}

func wantEvidence(t testing.TB, r *peercert.Reader, p peercert.Presented, leaf *testca.Issued, intermediates ...*testca.Issued) {
	t.Helper()
	got, err := r.Read(p, nil)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if !got.Leaf.Equal(leaf.Certificate) {
		t.Errorf("leaf is %s, want %s", got.Leaf.Subject, leaf.Certificate.Subject)
	}
	if got.Thumbprint != leaf.Thumbprint() {
		t.Errorf("thumbprint is %x, want %x", got.Thumbprint, leaf.Thumbprint())
	}
	var want [][]byte
	for _, c := range intermediates {
		want = append(want, c.Certificate.Raw)
	}
	if diff := cmp.Diff(want, raw(got.Intermediates)); diff != "" {
		t.Errorf("intermediates (-want +got):\n%s", diff)
	}
}

func raw(certificates []*x509.Certificate) [][]byte {
	var ders [][]byte
	for _, c := range certificates {
		ders = append(ders, c.Raw)
	}
	return ders
}

// refusal is how Read must refuse.
type refusal struct {
	reason decision.Reason
	field  string
}

func wantRefusal(t testing.TB, r *peercert.Reader, p peercert.Presented, want refusal) {
	t.Helper()
	got, err := r.Read(p, nil)
	var denial *decision.Denial
	if !errors.As(err, &denial) {
		t.Fatalf("Read: %v, want a denial for %s", err, want.reason)
	}
	if diff := cmp.Diff(want, refusal{denial.Reason, denial.Field}, cmp.AllowUnexported(refusal{})); diff != "" {
		t.Errorf("refusal (-want +got):\n%s\n%.300s", diff, denial)
	}
	if diff := cmp.Diff(peercert.Evidence{}, got); diff != "" {
		t.Errorf("evidence beside an error (-want +got):\n%s", diff)
	}
}

func TestNewReaderRefusesSettingsThatMakeNoSense(t *testing.T) {
	for name, config := range map[string]peercert.Config{
		"no source":                        {},
		"a source that does not exist":     {From: "header"},
		"a source in capitals":             {From: "XFCC"},
		"a negative number of hops":        {From: peercert.XFCC, XFCCHops: -1},
		"more hops than elements are read": {From: peercert.Peer, XFCCHops: peercert.MaxElements + 1},
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := peercert.NewReader(config); err == nil || r != nil {
				t.Errorf("NewReader(%+v) = %v, %v, want an error", config, r, err)
			}
		})
	}
}

func TestNewReaderTakesEachSourceWithEachNumberOfHops(t *testing.T) {
	for _, from := range []peercert.Source{peercert.Peer, peercert.XFCC} {
		for hops := range peercert.MaxElements + 1 {
			if _, err := peercert.NewReader(peercert.Config{From: from, XFCCHops: hops}); err != nil {
				t.Errorf("%s with %d hops: %v", from, hops, err)
			}
		}
	}
}

func TestTheZeroReaderRefuses(t *testing.T) {
	p := newPKI(t, testca.Template{})
	wantRefusal(t, new(peercert.Reader), presented(p.leaf.URLEncodedPEM(), p.full().String()),
		refusal{decision.InternalError, ""})
}

func TestTheTraceTellsWhatWasRead(t *testing.T) {
	p := newPKI(t, testca.Template{})
	peer := p.leaf.URLEncodedPEM()
	for name, test := range map[string]struct {
		from peercert.Source
		hops int
		in   peercert.Presented
		want []decision.Entry
	}{
		"a certificate without a header": {
			from: peercert.Peer, in: presented(peer),
			want: []decision.Entry{
				{Step: decision.StepEvidence, Outcome: decision.Noted, Detail: "no x-forwarded-client-cert: no intermediates"},
				{Step: decision.StepEvidence, Outcome: decision.Passed, Detail: "certificate with SHA-256 " + hash(p.leaf) + " and 0 intermediates, from peer"},
			},
		},
		"an element chosen by hops": {
			from: peercert.XFCC, hops: 1, in: presented("", about(p.stranger).String(), p.full().String()),
			want: []decision.Entry{
				{Step: decision.StepEvidence, Outcome: decision.Noted, Detail: "x-forwarded-client-cert with 2 elements: number 1 from the right counts"},
				{Step: decision.StepEvidence, Outcome: decision.Passed, Detail: "certificate with SHA-256 " + hash(p.leaf) + " and 2 intermediates, from xfcc"},
			},
		},
		"a refusal": {
			from: peercert.Peer, in: presented(""),
			want: []decision.Entry{
				{Step: decision.StepEvidence, Outcome: decision.Failed, Detail: "certificate_missing: source.certificate: absent"},
			},
		},
		"an Envoy that does not send the certificate": {
			from: peercert.Peer, in: presented("", p.full().String()),
			want: []decision.Entry{
				{Step: decision.StepEvidence, Outcome: decision.Failed, Detail: "certificate_missing: source.certificate: absent beside x-forwarded-client-cert: is include_peer_certificate set?"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var trace decision.Trace
			_, _ = newReader(t, test.from, test.hops).Read(test.in, &trace)
			if diff := cmp.Diff(test.want, trace.Entries()); diff != "" {
				t.Errorf("trace (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARefusalDoesNotRepeatWhatItWasSent(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	uri := selfSigned(t, testca.Template{CommonName: "c", URIs: []string{"http://a b/" + long}})
	name := selfSigned(t, testca.Template{CommonName: "c", DNSNames: []string{"a," + long}})
	for what, value := range map[string]string{
		"a name the parser refuses":  about(uri).String(),
		"a name that could forge":    about(name).String(),
		"an unknown key":             long + "=1",
		"a certificate that is none": `Cert="` + long + `"`,
		"a hash that is none":        about(selfSigned(t, testca.Template{})).String()[len("Hash="):] + ";Hash=" + long,
	} {
		t.Run(what, func(t *testing.T) {
			_, err := newReader(t, peercert.XFCC, 1).Read(presented("", value), nil)
			if err == nil || len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes, want one of at most 500: %.100v", len(err.Error()), err)
			}
		})
	}
}
