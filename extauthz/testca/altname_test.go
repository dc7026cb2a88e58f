package testca_test

import (
	"crypto/x509"
	"encoding/asn1"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestURIsAreWrittenByteForByte(t *testing.T) {
	root := ca(t)
	for name, tc := range map[string]struct {
		uri    string
		parses bool // by crypto/x509
	}{
		"a SPIFFE ID": {"spiffe://clinic.example/lab", true},
		"an escape that net/url would write anew": {"https://a.example/%7Euser", true},
		"a forged XFCC element":                   {`spiffe://x;DNS=z,Hash=00;Cert="FAKE"`, true},
		"a broken percent escape":                 {"https://a.example/%zz", false},
		"a line break":                            {"spiffe://x\r\nHash=00", false},
		"octets that are not ASCII":               {"spiffe://x/\xff\xfe", false},
		"a NUL":                                   {"spiffe://x\x00.example", false},
		"nothing at all":                          {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := issue(t, root, testca.Template{CommonName: "lab", URIs: []string{tc.uri, "spiffe://second"}, DNSNames: []string{"a.example"}})

			if _, err := x509.ParseCertificate(leaf.Certificate.Raw); (err == nil) != tc.parses {
				t.Errorf("crypto/x509 says %v; want it to parse: %v", err, tc.parses)
			}
			if diff := cmp.Diff([]string{tc.uri, "spiffe://second"}, urisOnTheWire(t, leaf.Certificate.RawTBSCertificate)); diff != "" {
				t.Errorf("URIs (-want +got):\n%s", diff)
			}
			if err := leaf.Certificate.CheckSignatureFrom(root.Certificate); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCertificateWithNamesThatCryptoX509Refuses(t *testing.T) {
	template := testca.Template{
		DNSNames: []string{"a.example"},
		URIs:     []string{"%zz"},
		Emails:   []string{"\xff@a.example"},
		IPs:      []net.IP{net.IPv4(192, 0, 2, 1).To4()},
	}
	leaf := issue(t, ca(t), template).Certificate

	type names struct {
		DNS, Emails []string
		IPs         []net.IP
		URIs        int
	}
	want := names{DNS: template.DNSNames, Emails: template.Emails, IPs: template.IPs}
	got := names{DNS: leaf.DNSNames, Emails: leaf.EmailAddresses, IPs: leaf.IPAddresses, URIs: len(leaf.URIs)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(extensionsOnTheWire(t, leaf.RawTBSCertificate), wireExtensions(leaf)); diff != "" {
		t.Errorf("extensions (-signed +shown):\n%s", diff)
	}
	if len(leaf.UnhandledCriticalExtensions) > 0 {
		t.Errorf("unhandled %v", leaf.UnhandledCriticalExtensions)
	}
}

type wireExtension struct {
	ID       asn1.ObjectIdentifier
	Critical bool `asn1:"optional"`
	Value    []byte
}

func wireExtensions(cert *x509.Certificate) []wireExtension {
	var list []wireExtension
	for _, ext := range cert.Extensions {
		list = append(list, wireExtension{ext.Id, ext.Critical, ext.Value})
	}
	return list
}

// extensionsOnTheWire reads what was signed without crypto/x509, which
// refuses some of these certificates.
func extensionsOnTheWire(t *testing.T, tbs []byte) []wireExtension {
	t.Helper()
	var fields struct {
		Version                                       int `asn1:"explicit,tag:0"`
		Serial, Algorithm, Issuer, Validity, Sub, Key asn1.RawValue
		Extensions                                    []wireExtension `asn1:"explicit,tag:3"`
	}
	unmarshal(t, tbs, &fields)
	return fields.Extensions
}

func urisOnTheWire(t *testing.T, tbs []byte) []string {
	t.Helper()
	var uris []string
	for _, ext := range extensionsOnTheWire(t, tbs) {
		if !ext.ID.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		var names []asn1.RawValue
		unmarshal(t, ext.Value, &names)
		for _, name := range names {
			if name.Class == asn1.ClassContextSpecific && name.Tag == 6 {
				uris = append(uris, string(name.Bytes))
			}
		}
	}
	return uris
}

func unmarshal(t *testing.T, der []byte, into any) {
	t.Helper()
	if rest, err := asn1.Unmarshal(der, into); err != nil || len(rest) > 0 {
		t.Fatalf("DER: %v, %d octets left", err, len(rest))
	}
}
