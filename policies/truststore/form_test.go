package truststore_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

func notCritical(extension pkix.Extension) pkix.Extension {
	extension.Critical = false
	return extension
}

// TestTheCompatibleProfileGivesUpNothingButForm has the faults of form of
// TestEveryRuleOfAPathBothWays where something else is decided by the same
// extension or name.
func TestTheCompatibleProfileGivesUpNothingButForm(t *testing.T) {
	lab, vague := permits(dns("lab.example")), permits(dns(".lab.example"))
	for sentence, c := range map[string]struct {
		path three
		want string
	}{
		"inside constraints that are not critical":               {three{inter: under("inter", notCritical(lab)), leaf: host("a.lab.example")}, "accepted"},
		"outside constraints that are not critical":              {three{inter: under("inter", notCritical(lab)), leaf: host("other.example")}, "path_invalid"},
		"excluded by constraints that are not critical":          {three{root: under("root", notCritical(excludes(dns("lab.example")))), leaf: host("a.lab.example")}, "path_invalid"},
		"malformed constraints that are not critical":            {three{inter: under("inter", notCritical(permits(dns(".lab-.example")))), leaf: with()}, "path_invalid"},
		"a policy is required, and that is not critical":         {three{inter: under("inter", notCritical(requires(0))), leaf: with()}, "path_invalid"},
		"a policy is required further down":                      {three{inter: under("inter", notCritical(requires(9))), leaf: with()}, "accepted"},
		"anyPolicy is inhibited, and that is not critical":       {three{root: under("root", requires(0)), inter: under("inter", policiesOf(t, gold), notCritical(forbidsAny(0))), leaf: with(policiesOf(t, anyRule))}, "path_invalid"},
		"a policy beside an inhibited anyPolicy":                 {three{root: under("root", requires(0)), inter: under("inter", policiesOf(t, gold), notCritical(forbidsAny(0))), leaf: with(policiesOf(t, gold))}, "accepted"},
		"no room below an anchor with plain basicConstraints":    {three{root: under("root", ce(19, false, tlv(0x30, 1, 1, 0xff, 2, 1, 0)...)), leaf: with()}, "path_invalid"},
		"an underscore inside":                                   {three{inter: under("inter", lab), leaf: host("a_b.lab.example")}, "accepted"},
		"an underscore outside":                                  {three{inter: under("inter", lab), leaf: host("a_b.example")}, "path_invalid"},
		"an underscore in what is excluded":                      {three{inter: under("inter", excludes(dns("a_b.example"))), leaf: host("x.a_b.example")}, "path_invalid"},
		"an underscore beside what is excluded":                  {three{inter: under("inter", excludes(dns("a_b.example"))), leaf: host("x.aab.example")}, "accepted"},
		"an underscore in a URI inside":                          {three{inter: under("inter", permits(uri(".example"))), leaf: at("spiffe://a_b.example/x")}, "accepted"},
		"a dot at the end, where hosts are permitted":            {three{inter: under("inter", lab), leaf: host("a.lab.example.")}, "path_invalid"},
		"a dot at the end, where hosts are excluded":             {three{inter: under("inter", excludes(dns("x.example"))), leaf: host("x.example.")}, "path_invalid"},
		"an address as host, where hosts are excluded":           {three{inter: under("inter", excludes(dns("x.example"))), leaf: host("192.0.2.7")}, "path_invalid"},
		"an address as host, where addresses are":                {three{inter: under("inter", excludes(network(t, "192.0.2.0/24"))), leaf: host("192.0.2.7")}, "accepted"},
		"a wildcard within a label, where hosts are excluded":    {three{inter: under("inter", excludes(dns("x.example"))), leaf: host("*x.example")}, "path_invalid"},
		"a mailbox without @, where mailboxes are permitted":     {three{inter: under("inter", permits(email("lab.example"))), leaf: mail("lab.example")}, "path_invalid"},
		"a relative URI, where URIs are excluded":                {three{inter: under("inter", excludes(uri("lab.example"))), leaf: at("/a")}, "path_invalid"},
		"a CA's odd name below a constraint":                     {three{root: under("root", lab), inter: testca.Template{DNSNames: []string{"a b.lab.example"}}, leaf: with()}, "path_invalid"},
		"below a permitted host with a dot before it":            {three{inter: under("inter", vague), leaf: host("a.lab.example")}, "accepted"},
		"a permitted host with a dot before it":                  {three{inter: under("inter", vague), leaf: host("lab.example")}, "path_invalid"},
		"beside a permitted host with a dot before it":           {three{inter: under("inter", vague), leaf: host("alab.example")}, "path_invalid"},
		"a wildcard of a permitted host with a dot before it":    {three{inter: under("inter", vague), leaf: host("*.lab.example")}, "path_invalid"},
		"below an excluded host with a dot before it":            {three{inter: under("inter", excludes(dns(".lab.example"))), leaf: host("a.lab.example")}, "path_invalid"},
		"an excluded host with a dot before it":                  {three{inter: under("inter", excludes(dns(".lab.example"))), leaf: host("lab.example")}, "path_invalid"},
		"a permitted host that is none, with a dot":              {three{inter: under("inter", permits(dns(".lab-.example"))), leaf: with()}, "path_invalid"},
		"beside an excluded host with a dot before it":           {three{inter: under("inter", excludes(dns(".lab.example"))), leaf: host("alab.example")}, "accepted"},
		"a leaf of no name":                                      {three{leaf: with0()}, "path_invalid"},
		"a CA without identifier that may not sign certificates": {three{inter: testca.Template{KeyUsage: pointer(x509.KeyUsageCRLSign), ExtraExtensions: []pkix.Extension{ce(14, false, 4, 0)}}, leaf: with(ce(35, false, 0x30, 0))}, "path_not_found"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := c.path.judge(t, truststore.Terms{Profile: truststore.Compatible}); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestACAWithoutASubjectIsRefusedByEveryProfile(t *testing.T) {
	root := selfSigned(t, testca.Template{CA: true})
	leaf := issue(t, root, testca.Template{CommonName: "leaf"})
	for _, profile := range truststore.Profiles() {
		terms := truststore.Terms{At: time.Now(), Profile: profile}
		if _, err := terms.Verify(chainOf(leaf), anchorsOf(t, root)); reasonText(err) != "path_invalid" || strings.Contains(err.Error(), "certificateProfile") {
			t.Errorf("%s: %v", profile, err)
		}
	}
}

func TestAConstraintWithADotBeforeItIsMalformedByTheStrictProfile(t *testing.T) {
	path := three{inter: under("inter", permits(dns(".lab.example"))), leaf: host("a.lab.example")}
	if got := path.judge(t, truststore.Terms{}); got != "path_invalid" {
		t.Error(got)
	}
}

func TestAnAnchorIsUsableOnTheTermsOfAProfile(t *testing.T) {
	anchor := anchorsOf(t, selfSigned(t, under("root", ce(19, false, 0x30, 3, 1, 1, 0xff), ce(15, true, 3, 2, 2, 4))))[0]
	strict := anchor.CheckUsable(time.Now())
	compatible := anchor.CheckUsableOn(truststore.Terms{At: time.Now(), Profile: truststore.Compatible})
	late := anchor.CheckUsableOn(truststore.Terms{At: anchor.Certificate.NotAfter.Add(time.Hour), Profile: truststore.Compatible})
	if got := []string{reasonText(strict), reasonText(compatible), reasonText(late)}; got[0] != "path_invalid" || got[1] != "accepted" || got[2] != "path_expired" {
		t.Error(got)
	}
}

func TestParseProfile(t *testing.T) {
	for word, want := range map[string]bool{"strict": true, "compatible": true, "": false, "Strict": false, "lax": false} {
		if profile, ok := truststore.ParseProfile(word); ok != want || ok && profile.String() != word {
			t.Errorf("%q: %v, %t", word, profile, ok)
		}
	}
}

// A name of sets without attributes is parsed, and names nobody either.
func TestANameWithoutAttributesIsNone(t *testing.T) {
	noAttributes := []byte{0x30, 2, 0x31, 0}
	caKey, leafKey := newKey(t, testca.P256), newKey(t, testca.P256)
	sign := func(template, issuer *x509.Certificate, subject crypto.Signer) *x509.Certificate {
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, issuer, subject.Public(), caKey)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	authority := func(subject []byte) *x509.Certificate {
		template := &x509.Certificate{RawSubject: subject, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign}
		return sign(template, template, caKey)
	}
	name := marshal(t, pkix.Name{CommonName: "CA"}.ToRDNSequence())
	for sentence, c := range map[string]struct {
		ca, leaf []byte
		want     string
	}{
		"names":                           {name, name, "accepted"},
		"a CA's name without attributes":  {noAttributes, name, "path_invalid"},
		"a leaf's name without attribute": {name, noAttributes, "path_invalid"},
	} {
		ca := authority(c.ca)
		leaf := sign(&x509.Certificate{RawSubject: c.leaf}, ca, leafKey)
		terms := truststore.Terms{At: time.Now(), Profile: truststore.Compatible}
		_, err := terms.Verify(truststore.NewChain(leaf, nil), []*truststore.Anchor{truststore.NewAnchor(truststore.Entry{Certificate: ca})})
		if got := reasonText(err); got != c.want {
			t.Errorf("%s: got %s, want %s", sentence, got, c.want)
		}
	}
}
