package revocation_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// responders is an authorityInfoAccess with OCSP responders.
func responders(t testing.TB, urls ...string) extension {
	var all [][]byte
	for _, u := range urls {
		all = append(all, tlv(0x30, marshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}), uriName(u)))
	}
	return extension{id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}, value: tlv(0x30, all...)}
}

func TestWhereACertificateSaysThatItsRevocationsAre(t *testing.T) {
	long := "http://ca.example/" + strings.Repeat("x", 200)
	root := newCA(t, "Root")
	says := func(points ...[]byte) []pkix.Extension {
		return certificateExtensions(extension{id: ce(31), value: tlv(0x30, points...)}, responders(t, "http://ocsp.example/", "ldap://ocsp.example/"))
	}
	middle := issue(t, root, testca.Template{CommonName: "Middle", CA: true, ExtraExtensions: says(pointAt(uriName("http://root.example/crl"), uriName("ldap://root.example/crl")))})
	leaf := issue(t, middle, testca.Template{CommonName: "leaf", ExtraExtensions: says(
		pointAt(uriName("http://ca.example/1"), uriName("http://169.254.169.254/crl")),
		pointAt(uriName(long)), pointAt(tlv(0xa4, root.Certificate.RawSubject)),
		tlv(0x30, fullName(uriName("http://ca.example/other")), tlv(0xa2, tlv(0xa4, root.Certificate.RawSubject))),
	)})
	bare := issue(t, middle, testca.Template{CommonName: "bare"})
	all := path(leaf, middle, root)
	for sentence, c := range map[string]struct {
		path   []*x509.Certificate
		stored []*testca.Issued
		hosts  []string
		want   []string
	}{
		"nothing stored, no hosts":        {all, nil, nil, nil},
		"the CA stored":                   {all, []*testca.Issued{middle, root}, nil, []string{"crl http://root.example/crl by Root", "ocsp http://ocsp.example/ about Middle by Root"}},
		"the leaf's own host":             {all, nil, []string{"CA.example"}, []string{"crl http://ca.example/1 by Middle", "crl " + long + " by Middle"}},
		"a host that only ends the same":  {all, nil, []string{"a.example", "example", "ca.example.org"}, nil},
		"the responders' host":            {all, nil, []string{"ocsp.example"}, []string{"ocsp http://ocsp.example/ about leaf by Middle", "ocsp http://ocsp.example/ about Middle by Root"}},
		"a certificate that says nothing": {path(bare, middle), nil, []string{"ca.example"}, nil},
		"an anchor alone":                 {path(middle), []*testca.Issued{middle}, nil, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			stored := func(one *x509.Certificate) bool {
				return slices.ContainsFunc(c.stored, func(s *testca.Issued) bool { return s.Certificate.Equal(one) })
			}
			var got []string
			for _, l := range revocation.LocationsOf(c.path, stored, c.hosts) {
				text := "crl " + l.URL
				if l.Certificate != nil {
					text = "ocsp " + l.URL + " about " + l.Certificate.Subject.CommonName
				}
				got = append(got, text+" by "+l.Issuers[0].Subject.CommonName)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
