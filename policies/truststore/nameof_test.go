package truststore_test

import (
	"crypto/x509"
	"math/big"
	"net"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

func TestACertificateIsNamedByWhatItHas(t *testing.T) {
	const workload = "spiffe://td.example/lab"
	for sentence, c := range map[string]struct {
		template testca.Template
		name     string
		standsIn string // for the subject
	}{
		"a subject is its name, whatever else it has": {testca.Template{CommonName: "lab", URIs: []string{workload}}, "CN=lab", ""},
		"an SVID is its URI":                          {testca.Template{URIs: []string{workload}}, "URI:" + workload, "URI:" + workload},
		"the URI says more than all others": {testca.Template{IPs: []net.IP{net.IPv4(192, 0, 2, 7)}, Emails: []string{"a@lab.example"}, DNSNames: []string{"lab.example"}, URIs: []string{workload}},
			"URI:" + workload, "URI:" + workload},
		"a host says more than a mailbox":     {testca.Template{Emails: []string{"a@lab.example"}, DNSNames: []string{"lab.example"}}, "DNS:lab.example", "DNS:lab.example"},
		"a mailbox says more than an address": {testca.Template{IPs: []net.IP{net.IPv4(192, 0, 2, 7)}, Emails: []string{"a@lab.example"}}, "email:a@lab.example", "email:a@lab.example"},
		"an address is better than nothing":   {testca.Template{IPs: []net.IP{net.ParseIP("2001:db8::7")}}, "IP:2001:db8::7", "IP:2001:db8::7"},
		"of two URIs it is the first":         {testca.Template{URIs: []string{"urn:b", "urn:a"}}, "URI:urn:b", "URI:urn:b"},
		"a URI is named to the letter":        {testca.Template{URIs: []string{"HTTPS://Lab.example/%7e"}}, "URI:HTTPS://Lab.example/%7e", "URI:HTTPS://Lab.example/%7e"},
		"what a name says is not obeyed here": {testca.Template{DNSNames: []string{"a\x1b[2J"}}, "DNS:a\x1b[2J", "DNS:a\x1b[2J"},
		"without any name it is a number":     {testca.Template{SerialNumber: big.NewInt(0xbeef)}, "serial:beef", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			certificate := selfSigned(t, c.template).Certificate
			if got := truststore.NameOf(certificate); got != c.name {
				t.Errorf("named %q, want %q", got, c.name)
			}
			if got := truststore.AltNameOf(certificate); got != c.standsIn {
				t.Errorf("%q stands in for the subject, want %q", got, c.standsIn)
			}
		})
	}
}

// Each path that falls names its certificate: what that costs is bounded, whatever
// stands in the certificate.
func TestANameCostsLittleToMake(t *testing.T) {
	var many []string
	for range 3000 {
		many = append(many, "a.example")
	}
	serial := new(big.Int).Lsh(big.NewInt(0xbeef), 8*50000)
	for sentence, c := range map[string]struct {
		certificate *x509.Certificate
		want        string
	}{
		"a serial number of 50 KB":  {&x509.Certificate{SerialNumber: serial}, "serial:beef" + strings.Repeat("0", 36) + "…"},
		"a URI behind 3000 others":  {selfSigned(t, testca.Template{DNSNames: many, URIs: []string{"urn:a"}}).Certificate, "DNS:a.example"},
		"a host name of many bytes": {selfSigned(t, testca.Template{DNSNames: []string{strings.Repeat("a", 50000)}}).Certificate, "DNS:" + strings.Repeat("a", 196) + "…"},
	} {
		if got := truststore.NameOf(c.certificate); got != c.want {
			t.Errorf("%s: %q", sentence, got)
		}
		const times = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			truststore.NameOf(c.certificate)
		}
		runtime.ReadMemStats(&after)
		if per := (after.TotalAlloc - before.TotalAlloc) / times; per > 2048 {
			t.Errorf("%s: %d bytes for each", sentence, per)
		}
	}
}

// Of a long name there is as much as fits a denial, and no half character.
func TestANameIsBounded(t *testing.T) {
	for sentence, template := range map[string]testca.Template{
		"a subject": {CommonName: strings.Repeat("ä", 1000)},
		"a URI":     {URIs: []string{"urn:" + strings.Repeat("a", 10000)}},
	} {
		got := truststore.NameOf(selfSigned(t, template).Certificate)
		if len(got) > 210 || !strings.HasSuffix(got, "…") || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes: %q", sentence, len(got), got)
		}
	}
}

// A denial says which certificate it is about, though that has no subject.
func TestADenialNamesACertificateWithoutASubject(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true})
	leaf := issue(t, root, testca.Template{URIs: []string{"spiffe://td.example/lab"}})
	err := binding(t, truststore.SANDNS, "lab.example").Check(leaf.Certificate)
	if want := `subject_mismatch: certificate "URI:spiffe://td.example/lab": it does not have sanDns "lab.example"`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
