package peercert_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestWhatAnUpstreamIsToldIsReadBack(t *testing.T) {
	for _, c := range append(strangers(t, 8), withPlus(t)) {
		value, err := peercert.ClientCert(c.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		wantEvidence(t, readerOf(t, peercert.FormatRFC9440), headers{peercert.ClientCertHeader: {value}}.presented(), c)
	}
}

func TestWhatAnUpstreamIsToldIsTheExampleOfRFC9440(t *testing.T) {
	got, err := readerOf(t, peercert.FormatRFC9440).Read(headers{"client-cert": {":" + rfc9440Leaf + ":"}}.presented(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if value, err := peercert.ClientCert(got.Leaf); err != nil || value != ":"+rfc9440Leaf+":" {
		t.Errorf("wrote %q, %v", value, err)
	}
}

func TestWhatAnUpstreamIsToldIsBounded(t *testing.T) {
	for _, test := range []struct {
		names int
		fits  bool
	}{{1, true}, {400, true}, {800, false}} {
		c := selfSigned(t, testca.Template{CommonName: "c", DNSNames: strings.Fields(strings.Repeat("host.of.a.long.name.example ", test.names))})
		value, err := peercert.ClientCert(c.Certificate)
		size := base64.StdEncoding.EncodedLen(len(c.Certificate.Raw)) + 2
		if fits := size <= peercert.MaxClientCertBytes; fits != test.fits {
			t.Fatalf("%d bytes do not test this", size)
		}
		if test.fits != (err == nil && len(value) == size) || !test.fits && (decision.ReasonOf(err) != decision.EvidenceTooLarge || value != "") {
			t.Errorf("%d bytes: %d of them, %v", size, len(value), err)
		}
	}
}
