package testca_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestTemplateIsWhatTheCertificateHolds(t *testing.T) {
	zero, two := 0, 2
	none, agreement := x509.KeyUsage(0), x509.KeyUsageKeyAgreement
	extra := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{0x05, 0x00}}

	type cert = *x509.Certificate
	for name, tc := range map[string]struct {
		template testca.Template
		got      func(cert) any
		want     any
	}{
		"the subject is the common name and the organization": {
			testca.Template{CommonName: "lab", Organization: "Clinic"},
			func(c cert) any { return c.Subject.String() }, "CN=lab,O=Clinic",
		},
		"nothing named is an empty subject": {
			testca.Template{}, func(c cert) any { return c.Subject.String() }, "",
		},
		"DNS names are alternative names": {
			testca.Template{DNSNames: []string{"a.example", "b.example"}},
			func(c cert) any { return c.DNSNames }, []string{"a.example", "b.example"},
		},
		"e-mail addresses are alternative names": {
			testca.Template{Emails: []string{"ops@a.example"}},
			func(c cert) any { return c.EmailAddresses }, []string{"ops@a.example"},
		},
		"IPv4 takes four octets and IPv6 sixteen": {
			testca.Template{IPs: []net.IP{net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1")}},
			func(c cert) any { return []int{len(c.IPAddresses[0]), len(c.IPAddresses[1])} }, []int{4, 16},
		},
		"IP addresses are alternative names": {
			testca.Template{IPs: []net.IP{net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1")}},
			func(c cert) any { return []string{c.IPAddresses[0].String(), c.IPAddresses[1].String()} },
			[]string{"192.0.2.1", "2001:db8::1"},
		},
		"alternative names are critical where there is no subject": {
			testca.Template{DNSNames: []string{"a.example"}},
			func(c cert) any { return extension(c, 17).Critical }, true,
		},
		"alternative names are not critical beside a subject": {
			testca.Template{Organization: "Clinic", DNSNames: []string{"a.example"}},
			func(c cert) any { return extension(c, 17).Critical }, false,
		},
		"a leaf is written as CA:FALSE": {
			testca.Template{}, func(c cert) any { return []bool{c.BasicConstraintsValid, c.IsCA} }, []bool{true, false},
		},
		"a CA is written as CA:TRUE": {
			testca.Template{CA: true}, func(c cert) any { return []bool{c.BasicConstraintsValid, c.IsCA} }, []bool{true, true},
		},
		"a CA has no path length limit by default": {
			testca.Template{CA: true}, func(c cert) any { return c.MaxPathLen }, -1,
		},
		"a path length limit of zero is a limit": {
			testca.Template{CA: true, MaxPathLen: &zero},
			func(c cert) any { return c.MaxPathLen == 0 && c.MaxPathLenZero }, true,
		},
		"a path length limit holds": {
			testca.Template{CA: true, MaxPathLen: &two}, func(c cert) any { return c.MaxPathLen }, 2,
		},
		"a leaf signs": {
			testca.Template{}, func(c cert) any { return c.KeyUsage }, x509.KeyUsageDigitalSignature,
		},
		"a CA signs certificates and CRLs": {
			testca.Template{CA: true}, func(c cert) any { return c.KeyUsage }, x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		},
		"a key usage given holds": {
			testca.Template{KeyUsage: &agreement}, func(c cert) any { return c.KeyUsage }, x509.KeyUsageKeyAgreement,
		},
		"a key usage of zero is no extension": {
			testca.Template{KeyUsage: &none}, func(c cert) any { return extension(c, 15).Id == nil }, true,
		},
		"a leaf is for client authentication": {
			testca.Template{}, func(c cert) any { return c.ExtKeyUsage }, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		},
		"a CA has no extended key usage": {
			testca.Template{CA: true}, func(c cert) any { return extension(c, 37).Id == nil }, true,
		},
		"a CA has the extended key usage given": {
			testca.Template{CA: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}},
			func(c cert) any { return c.ExtKeyUsage }, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		},
		"a leaf has the extended key usage given": {
			testca.Template{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}},
			func(c cert) any { return c.ExtKeyUsage }, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		},
		"no extended key usage is no extension": {
			testca.Template{NoExtKeyUsage: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}},
			func(c cert) any { return extension(c, 37).Id == nil }, true,
		},
		"a further extension is written as given": {
			testca.Template{DNSNames: []string{"a.example"}, ExtraExtensions: []pkix.Extension{extra}},
			func(c cert) any { return c.Extensions[len(c.Extensions)-1] }, extra,
		},
		"a serial number given holds": {
			testca.Template{SerialNumber: big.NewInt(4711)}, func(c cert) any { return c.SerialNumber.String() }, "4711",
		},
		"permitted DNS domains are critical": {
			testca.Template{CA: true, PermittedDNSDomains: []string{"clinic.example"}},
			func(c cert) any { return []any{c.PermittedDNSDomains, extension(c, 30).Critical} },
			[]any{[]string{"clinic.example"}, true},
		},
		"without permitted DNS domains there are no name constraints": {
			testca.Template{CA: true}, func(c cert) any { return extension(c, 30).Id == nil }, true,
		},
		"the signature algorithm given is used": {
			testca.Template{SignatureAlgorithm: x509.ECDSAWithSHA512},
			func(c cert) any { return c.SignatureAlgorithm }, x509.ECDSAWithSHA512,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.got(selfSigned(t, tc.template).Certificate)
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTemplateValidity(t *testing.T) {
	const day = 24 * time.Hour
	tenYears := func(from time.Time) time.Duration { return from.AddDate(10, 0, 0).Sub(from) }

	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for name, tc := range map[string]struct {
			template          testca.Template
			notBefore, expiry time.Duration // from now
		}{
			"a leaf lasts a year":                           {testca.Template{}, -time.Hour, 365 * day},
			"a CA lasts ten years":                          {testca.Template{CA: true}, -time.Hour, tenYears(now)},
			"given times hold":                              {testca.Template{NotBefore: now.Add(-2 * day), NotAfter: now.Add(3 * day)}, -2 * day, 3 * day},
			"given times hold also where they make no span": {testca.Template{NotBefore: now, NotAfter: now.Add(-day)}, 0, -day},
			"an early start leaves the end":                 {testca.Template{NotBefore: now.Add(-9 * day)}, -9 * day, 365 * day},
			"an expired one was valid for an hour":          {testca.Template{NotAfter: now.Add(-day)}, -day - time.Hour, -day},
			"one not yet valid has its year before it":      {testca.Template{NotBefore: now.Add(day)}, day, 366 * day},
		} {
			got := selfSigned(t, tc.template).Certificate
			want := []time.Time{now.Add(tc.notBefore).UTC(), now.Add(tc.expiry).UTC()}
			if diff := cmp.Diff(want, []time.Time{got.NotBefore, got.NotAfter}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestTemplateThatCannotBeWritten(t *testing.T) {
	two := 2
	for name, template := range map[string]testca.Template{
		"an IP address of three octets":            {IPs: []net.IP{{1, 2, 3}}},
		"a leaf with a path length limit":          {MaxPathLen: &two},
		"a negative serial number":                 {SerialNumber: big.NewInt(-1)},
		"an algorithm of another key":              {SignatureAlgorithm: x509.SHA256WithRSA},
		"alternative names given twice":            {URIs: []string{"%zz"}, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: []byte{0x30, 0x00}}}},
		"an extension that cannot be parsed":       {ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{0xff}}}},
		"the same beside a name that cannot be":    {URIs: []string{"%zz"}, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{0xff}}}},
		"an algorithm that crypto/x509 gave up":    {SignatureAlgorithm: x509.DSAWithSHA256},
		"an algorithm that is broken beyond trial": {SignatureAlgorithm: x509.MD5WithRSA},
	} {
		t.Run(name, func(t *testing.T) {
			if issued, err := testca.SelfSigned(template); err == nil {
				t.Errorf("made %v, want an error", issued)
			}
		})
	}
}

func TestSerialNumbersDiffer(t *testing.T) {
	a, b := ca(t), ca(t)
	if a.Certificate.SerialNumber.Cmp(b.Certificate.SerialNumber) == 0 {
		t.Errorf("two certificates with serial number %v", a.Certificate.SerialNumber)
	}
}

// extension finds an extension of arc id-ce (2.5.29); its Id is nil where
// there is none.
func extension(cert *x509.Certificate, ce int) pkix.Extension {
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, ce}) {
			return ext
		}
	}
	return pkix.Extension{}
}
