package truststore_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

const workload = "spiffe://td.example/ns/lab/sa/gateway"

// ofLength is a SPIFFE ID of so many bytes.
func ofLength(n int) string {
	return "spiffe://td.example/" + strings.Repeat("a", n-len("spiffe://td.example/"))
}

// spiffeIDs has SPIFFE IDs of those who authenticate, true, and what is near to one.
var spiffeIDs = map[string]bool{
	workload:                        true,
	"spiffe://td/a":                 true,
	"spiffe://td.example/A.b-c_d/9": true,
	"spiffe://t_d-1.example/a":      true,
	"spiffe://192.0.2.7/a":          true,
	"spiffe://td/...":               true,
	ofLength(2048):                  true,
	ofLength(2049):                  false,
	"spiffe://" + strings.Repeat("t", 255) + "/a":  true,
	"spiffe://" + strings.Repeat("t", 256) + "/a":  false,
	"spiffe://TD.example/a":                        false,
	"SPIFFE://td.example/a":                        false,
	"Spiffe://td.example/a":                        false,
	"spiffe://td.example":                          false,
	"spiffe://td.example/":                         false,
	"spiffe://td.example/a/":                       false,
	"spiffe://td.example//a":                       false,
	"spiffe://td.example/a//b":                     false,
	"spiffe://td.example/./a":                      false,
	"spiffe://td.example/a/..":                     false,
	"spiffe://td.example/a/../b":                   false,
	"spiffe://td.example/%61":                      false,
	"spiffe://td.example/a%2fb":                    false,
	"spiffe://td%2eexample/a":                      false,
	"spiffe://td.example:443/a":                    false,
	"spiffe://td.example:/a":                       false,
	"spiffe://user@td.example/a":                   false,
	"spiffe://@td.example/a":                       false,
	"spiffe://td.example/a?":                       false,
	"spiffe://td.example/a?b=c":                    false,
	"spiffe://td.example/a#":                       false,
	"spiffe://td.example/a#b":                      false,
	"spiffe:///a":                                  false,
	"spiffe://":                                    false,
	"spiffe:/td.example/a":                         false,
	"spiffe:td.example/a":                          false,
	"https://td.example/a":                         false,
	"xspiffe://td.example/a":                       false,
	" spiffe://td.example/a":                       false,
	"spiffe://td.example/a ":                       false,
	"spiffe://td.example/a\x00":                    false,
	"spiffe://td.example/é":                        false,
	"spiffe://[::1]/a":                             false,
	"spiffe://td.example/a:b":                      false,
	"spiffe://td.example/a~b":                      false,
	"spiffe://td.example/a;b":                      false,
	"spiffe://*.example/a":                         false,
	"spiffe://td.example/*":                        false,
	"spiffe://td.example\\a/b":                     false,
	"urn:spiffe://td.example/a":                    false,
	"spiffe://td.example/a\tspiffe://other/b":      false,
	"spiffe://td.example/a,URI:spiffe://other/b":   false,
	"spiffe://td.example/ns/lab/sa/gateway/extra/": false,
}

func TestASPIFFEIDIsOneToTheLetter(t *testing.T) {
	ca := selfSigned(t, ca("CA"))
	for text, want := range spiffeIDs {
		bound, err := truststore.ParseBinding(truststore.SPIFFEID, text)
		if (err == nil) != want || err != nil && strings.Contains(err.Error(), "example") {
			t.Errorf("%q as a binding: %v, want %t", text, err, want)
		}
		issued, err := ca.Issue(testca.Template{CommonName: "leaf", URIs: []string{text}})
		if err != nil {
			continue
		}
		id, domain, err := truststore.SVID(issued.Certificate)
		if (err == nil) != want {
			t.Errorf("%q in a certificate: %v, want %t", text, err, want)
		}
		if want && (id != text || domain != strings.Split(text, "/")[2] || bound.Check(issued.Certificate) != nil) {
			t.Errorf("%q: read as %q of %q; %v", text, id, domain, bound.Check(issued.Certificate))
		}
	}
}

func TestATrustDomainIsItsNameAlone(t *testing.T) {
	for text, want := range map[string]bool{
		"td.example": true, "td": true, "t_d-1": true, strings.Repeat("t", 255): true, strings.Repeat("t", 256): false,
		"TD.example": false, "td.example/": false, "td.example/a": false, "spiffe://td.example": false, "spiffe://td.example/a": false,
		"td.example:443": false, "a@td": false, "*.example": false, "td%2e": false, "": false, " td": false, "td#": false,
	} {
		if _, err := truststore.ParseBinding(truststore.SPIFFETrustDomain, text); (err == nil) != want {
			t.Errorf("%q: %v, want %t", text, err, want)
		}
	}
}

func TestWhatAnSVIDIs(t *testing.T) {
	ca := selfSigned(t, ca("CA"))
	usage := func(usage x509.KeyUsage) testca.Template {
		return testca.Template{CommonName: "leaf", URIs: []string{workload}, KeyUsage: pointer(usage)}
	}
	names := host("a.example")
	names.URIs, names.Emails = []string{workload}, []string{"a@lab.example"}
	signer := at(workload)
	signer.CA = true
	for sentence, c := range map[string]struct {
		leaf testca.Template
		want string // of why it is none
	}{
		"a SPIFFE ID":                           {at(workload), ""},
		"beside names of other kinds":           {names, ""},
		"two SPIFFE IDs":                        {at(workload, "spiffe://td.example/b"), "it has 2 URIs"},
		"the same SPIFFE ID twice":              {at(workload, workload), "it has 2 URIs"},
		"a SPIFFE ID and another URI":           {at("https://td.example/", workload), "it has 2 URIs"},
		"no URI":                                {host("td.example"), "it has 0 URIs"},
		"no alternative name":                   {with(), "it has 0 URIs"},
		"a SPIFFE ID as a DNS name":             {host(workload), "it has 0 URIs"},
		"another URI":                           {at("https://td.example/a"), "is no SPIFFE ID"},
		"a trust domain's own ID":               {at("spiffe://td.example"), "is a trust domain's own SPIFFE ID"},
		"a CA":                                  {signer, "it is a CA"},
		"may sign certificates":                 {usage(x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign), "it is a CA, or may sign certificates"},
		"may sign CRLs":                         {usage(x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign), "it may sign CRLs"},
		"may not make a signature":              {usage(x509.KeyUsageKeyEncipherment), "lacks digitalSignature"},
		"digitalSignature and keyEncipherment":  {usage(x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement), ""},
		"no keyUsage, which nobody is to check": {usage(0), ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			leaf := issue(t, ca, c.leaf).Certificate
			_, _, err := truststore.SVID(leaf)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			meant := strings.Contains(strings.Join(c.leaf.URIs, " "), "spiffe:")
			if why := truststore.WhyNoSVID(leaf); meant && err != nil && why != err.Error() || !meant && why != "" {
				t.Errorf("meant as an SVID %t, and none for %q", meant, why)
			}
			want := "accepted"
			if c.want != "" {
				want = "subject_mismatch"
			}
			for kind, text := range map[truststore.BindingKind]string{truststore.SPIFFEID: workload, truststore.SPIFFETrustDomain: "td.example"} {
				if got := reasonText(binding(t, kind, text).Check(leaf)); got != want {
					t.Errorf("%s: got %s, want %s", kind, got, want)
				}
			}
		})
	}
}

func TestABindingToSPIFFEHoldsForItsWorkloadsAndForNoOther(t *testing.T) {
	ca := selfSigned(t, ca("CA"))
	for sentence, c := range map[string]struct {
		kind truststore.BindingKind
		text string
		leaf testca.Template
		want string
	}{
		"the ID":                                    {truststore.SPIFFEID, workload, at(workload), "accepted"},
		"an ID below it":                            {truststore.SPIFFEID, "spiffe://td.example/ns", at(workload), "subject_mismatch"},
		"an ID above it":                            {truststore.SPIFFEID, workload + "/x", at(workload), "subject_mismatch"},
		"the path in other letters":                 {truststore.SPIFFEID, "spiffe://td.example/a", at("spiffe://td.example/A"), "subject_mismatch"},
		"the path in another trust domain":          {truststore.SPIFFEID, "spiffe://td.example/a", at("spiffe://other.example/a"), "subject_mismatch"},
		"a member of the trust domain":              {truststore.SPIFFETrustDomain, "td.example", at(workload), "accepted"},
		"a member of one below":                     {truststore.SPIFFETrustDomain, "td.example", at("spiffe://a.td.example/a"), "subject_mismatch"},
		"a member of one above":                     {truststore.SPIFFETrustDomain, "a.td.example", at("spiffe://td.example/a"), "subject_mismatch"},
		"a trust domain that begins alike":          {truststore.SPIFFETrustDomain, "td.example", at("spiffe://td.example.evil/a"), "subject_mismatch"},
		"a trust domain in the path":                {truststore.SPIFFETrustDomain, "td.example", at("spiffe://evil/td.example"), "subject_mismatch"},
		"a trust domain as DNS name":                {truststore.SPIFFETrustDomain, "td.example", host("td.example"), "subject_mismatch"},
		"sanUri takes the ID, whatever else is one": {truststore.SANURI, workload, at(workload, "https://td.example/"), "accepted"},
	} {
		t.Run(sentence, func(t *testing.T) {
			leaf := issue(t, ca, c.leaf).Certificate
			bound := binding(t, c.kind, c.text)
			if got := reasonText(bound.Check(leaf)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			// The index finds by keys what the binding accepts, and nothing else.
			keys, err := truststore.BindingKeys(leaf)
			found := false
			for _, key := range keys {
				found = found || key == bound.Key()
			}
			if err != nil || found != (c.want == "accepted") {
				t.Errorf("found by its keys %t, %v", found, err)
			}
		})
	}
}

// FuzzSVID compares which certificates are X509-SVIDs of a trust domain with go-spiffe.
func FuzzSVID(f *testing.F) {
	for text := range spiffeIDs {
		f.Add(text, "", uint8(1))
	}
	f.Add(workload, workload, uint8(1))
	f.Add(workload, "", uint8(0))
	f.Add(workload, "", uint8(1|1<<5))
	f.Add(workload, "", uint8(1|1<<6))
	root, key := selfSigned(f, ca("root")), newKey(f, testca.P256)
	anchors := anchorsOf(f, root)
	f.Fuzz(func(t *testing.T, first, second string, usage uint8) {
		template := testca.Template{CommonName: "leaf", Key: key, URIs: []string{first}, KeyUsage: pointer(x509.KeyUsage(usage))}
		if second != "" {
			template.URIs = append(template.URIs, second)
		}
		issued, err := root.Issue(template)
		if err != nil {
			return
		}
		leaf, err := x509.ParseCertificate(issued.Certificate.Raw)
		if err != nil {
			return
		}
		terms := truststore.Terms{At: time.Now(), Profile: truststore.Compatible, AnyPurpose: true}
		_, pathErr := terms.Verify(truststore.NewChain(leaf, nil), anchors)
		id, domain, svidErr := truststore.SVID(leaf)
		ours := pathErr == nil && svidErr == nil

		theirID, theirs := bySPIFFE(leaf, root.Certificate)
		switch {
		case ours && (!theirs || theirID.String() != id || theirID.TrustDomain().Name() != domain || id != first):
			t.Errorf("%q is an SVID here, as %q of %q, and not to go-spiffe: %q", first, id, domain, theirID)
		case !ours && theirs && theirID.String() == first && theirID.Path() != "" && len(first) <= 2048 &&
			len(theirID.TrustDomain().Name()) <= 255 && (usage == 0 || usage&uint8(x509.KeyUsageDigitalSignature) != 0):
			t.Errorf("%q is an SVID to go-spiffe, and not here: %v, %v", first, pathErr, svidErr)
		}
		if bound, err := truststore.ParseBinding(truststore.SPIFFEID, first); err == nil {
			if parsed, err := spiffeid.FromString(first); err != nil || parsed.Path() == "" {
				t.Errorf("%q is a SPIFFE ID here, and not to go-spiffe: %v", first, err)
			}
			if (svidErr == nil) != (bound.Check(leaf) == nil) {
				t.Errorf("%q: %v, and bound to it %v", first, svidErr, bound.Check(leaf))
			}
		}
	})
}

// bySPIFFE is the judgement of go-spiffe, whose bundle is that of the ID's own trust domain.
func bySPIFFE(leaf, root *x509.Certificate) (spiffeid.ID, bool) {
	id, err := x509svid.IDFromCert(leaf)
	if err != nil {
		return id, false
	}
	bundle := x509bundle.FromX509Authorities(id.TrustDomain(), []*x509.Certificate{root})
	verified, _, err := x509svid.Verify([]*x509.Certificate{leaf}, bundle)
	return verified, err == nil
}
