package peercert_test

import (
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestHopsCountFromTheRight(t *testing.T) {
	p := newPKI(t, testca.Template{})
	first, second, third := about(p.stranger).String(), about(p.near).String(), p.full("URI=", "DNS=a").String()
	for name, values := range map[string][]string{
		"in one header value":    {first + "," + second + "," + third},
		"in three header values": {first, second, third},
		"in two header values":   {first, second + "," + third},
	} {
		t.Run(name, func(t *testing.T) {
			in := presented("", values...)
			wantEvidence(t, newReader(t, peercert.XFCC, 1), in, p.leaf, p.near, p.far)
			wantEvidence(t, newReader(t, peercert.XFCC, 2), in, p.near)
			wantEvidence(t, newReader(t, peercert.XFCC, 3), in, p.stranger)
			wantRefusal(t, newReader(t, peercert.XFCC, 4), in, refusal{decision.XFCCElementCount, header})
			wantRefusal(t, newReader(t, peercert.XFCC, 0), in, refusal{decision.XFCCElementCount, header})
		})
	}
}

func TestHopsWantAHeaderAndATrueElement(t *testing.T) {
	p := newPKI(t, testca.Template{})
	r := newReader(t, peercert.XFCC, 1)
	honest := about(p.leaf).String()
	wantRefusal(t, r, presented(""), refusal{decision.CertificateMissing, header})
	wantRefusal(t, r, presented("", ""), refusal{decision.XFCCMalformed, header + " element 1 pair 1"})
	wantRefusal(t, r, presented("", honest, ""), refusal{decision.XFCCMalformed, header + " element 2 pair 1"})
	wantRefusal(t, r, presented("", honest+", "+honest), refusal{decision.XFCCMalformed, header + " element 2 pair 1"})
	wantRefusal(t, r, presented("", honest+",Hash="+hash(p.leaf)), refusal{decision.XFCCCertificateMissing, header + " element 2"})
}

func TestHopsCheckTheElementsThatDoNotCountToo(t *testing.T) {
	p := newPKI(t, testca.Template{})
	cert := p.stranger.URLEncodedPEM()
	for name, test := range map[string]struct {
		other string
		want  refusal
	}{
		"Hash of another":                {written{Hash: hash(p.leaf), Cert: cert}.String(), refusal{decision.XFCCHashMismatch, header + " element 1 pair 1"}},
		"a Cert that is none":            {written{Cert: "x"}.String(), refusal{decision.CertificateMalformed, header + " element 1 pair 1"}},
		"a Cert cut short":               {written{Cert: escapePEM("CERTIFICATE", p.near.Certificate.Raw[:99], nil)}.String(), refusal{decision.CertificateMalformed, header + " element 1 pair 1"}},
		"a URI without Cert":             {written{Hash: hash(p.stranger), Names: []string{"URI=x"}}.String(), refusal{decision.XFCCCertificateMissing, header + " element 1"}},
		"an empty DNS without Cert":      {"DNS=", refusal{decision.XFCCCertificateMissing, header + " element 1"}},
		"a URI with Chain, without Cert": {written{Chain: cert, Names: []string{"URI=x"}}.String(), refusal{decision.XFCCCertificateMissing, header + " element 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, newReader(t, peercert.XFCC, 1), presented("", test.other+","+about(p.leaf).String()), test.want)
		})
	}
	for name, other := range map[string]string{
		"By alone":              "By=spiffe://mesh/ingress",
		"Hash alone":            written{Hash: hash(p.stranger)}.String(),
		"Hash and Subject":      written{Hash: hash(p.stranger), Names: []string{`Subject="CN=x"`}}.String(),
		"an unread Chain":       written{Chain: "x"}.String(),
		"the same certificate":  about(p.leaf).String(),
		"names beside its Cert": about(p.stranger).String() + ";URI=x;DNS=y",
	} {
		t.Run("passes: "+name, func(t *testing.T) {
			wantEvidence(t, newReader(t, peercert.XFCC, 1), presented("", other+","+about(p.leaf).String()), p.leaf)
		})
	}
}

// An attacker proves a certificate of its own, whose alternative name spells
// the end of the proxy's element and a second element about the victim.
func TestAnAlternativeNameCannotForgeAnElement(t *testing.T) {
	victim := selfSigned(t, testca.Template{CommonName: "victim"})
	element := about(victim).String()
	for name, test := range map[string]struct {
		template testca.Template
		want     decision.Reason
	}{
		"in the host of a URI, which crypto/x509 refuses": {
			testca.Template{URIs: []string{"spiffe://x;DNS=z," + element}}, decision.CertificateMalformed},
		"in the host of a URI without escapes, which crypto/x509 takes": {
			testca.Template{URIs: []string{`spiffe://x;DNS=z,Hash=00;Cert="FAKE"`}}, decision.XFCCAmbiguousSAN},
		"in the path of a URI":             {testca.Template{URIs: []string{"spiffe://x/;DNS=z," + element}}, decision.XFCCAmbiguousSAN},
		"in the query of a URI":            {testca.Template{URIs: []string{"https://x/?," + element}}, decision.XFCCAmbiguousSAN},
		"in a URI with an opaque part":     {testca.Template{URIs: []string{"urn:x," + element}}, decision.XFCCAmbiguousSAN},
		"in a second URI":                  {testca.Template{URIs: []string{"spiffe://x/y", "spiffe://x/," + element}}, decision.XFCCAmbiguousSAN},
		"in a DNS name":                    {testca.Template{DNSNames: []string{"z," + element}}, decision.XFCCAmbiguousSAN},
		"in a second DNS name":             {testca.Template{DNSNames: []string{"z", "z," + element}}, decision.XFCCAmbiguousSAN},
		"in a DNS name behind a URI":       {testca.Template{URIs: []string{"spiffe://x/y"}, DNSNames: []string{"," + element}}, decision.XFCCAmbiguousSAN},
		"in a URI, a name before it too":   {testca.Template{DNSNames: []string{"z"}, URIs: []string{"spiffe://x/," + element}}, decision.XFCCAmbiguousSAN},
		"two elements at once":             {testca.Template{DNSNames: []string{"z," + element + "," + element}}, decision.XFCCAmbiguousSAN},
		"an element that reopens the name": {testca.Template{DNSNames: []string{"z," + element + ";DNS=z"}}, decision.XFCCAmbiguousSAN},
	} {
		t.Run(name, func(t *testing.T) {
			attacker := selfSigned(t, test.template)
			line := asEnvoy(attacker, test.template)
			if !strings.Contains(line, ",") {
				t.Fatal("nothing is forged here")
			}
			for hops := 1; hops <= 2; hops++ {
				_, err := newReader(t, peercert.XFCC, hops).Read(presented("", line), nil)
				if got := decision.ReasonOf(err); got != test.want {
					t.Errorf("with %d hops: %v, want %s", hops, err, test.want)
				}
				behind := presented("", about(victim).String()+","+line)
				if _, err := newReader(t, peercert.XFCC, hops).Read(behind, nil); decision.ReasonOf(err) != test.want {
					t.Errorf("with %d hops behind a client's element: %v, want %s", hops, err, test.want)
				}
			}
			wantRefusal(t, newReader(t, peercert.XFCC, 0), presented("", line), refusal{decision.XFCCElementCount, header})
			wantRefusal(t, newReader(t, peercert.Peer, 0), presented(victim.URLEncodedPEM(), line), refusal{decision.XFCCElementCount, header})
		})
	}
}

// asEnvoy is what Envoy writes of a certificate when asked for cert, uri and
// dns: the names as they are.
func asEnvoy(c *testca.Issued, names testca.Template) string {
	w := about(c)
	for _, uri := range names.URIs {
		w.Names = append(w.Names, "URI="+uri)
	}
	for _, dns := range names.DNSNames {
		w.Names = append(w.Names, "DNS="+dns)
	}
	return w.String()
}

func TestAnAlternativeNameCannotForgeAPair(t *testing.T) {
	victim := selfSigned(t, testca.Template{CommonName: "victim"})
	attacker := selfSigned(t, testca.Template{CommonName: "attacker"})
	fake := `Cert="` + victim.URLEncodedPEM() + `"`
	for name, test := range map[string]struct {
		value string
		hops  int
		want  refusal
	}{
		"a second Cert": {
			about(attacker).String() + ";URI=spiffe://x;" + fake, 0,
			refusal{decision.XFCCDuplicateField, header + " element 1 pair 4"}},
		"the only Cert, where the proxy writes none": {
			written{Hash: hash(attacker), Names: []string{"URI=spiffe://x;" + fake}}.String(), 0,
			refusal{decision.XFCCAmbiguousSAN, header + " element 1 pair 3"}},
		"the only Cert, where the proxy writes no Hash either": {
			"URI=spiffe://x;" + fake, 0,
			refusal{decision.XFCCAmbiguousSAN, header + " element 1 pair 2"}},
		"an innocent Cert, to hide the names of the true one": {
			"URI=spiffe://x;" + written{Cert: attacker.URLEncodedPEM()}.String() + "," + about(victim).String(), 1,
			refusal{decision.XFCCAmbiguousSAN, header + " element 1 pair 2"}},
		"an element, where the proxy writes no Cert": {
			written{Hash: hash(attacker), Names: []string{"URI=x," + about(victim).String()}}.String(), 1,
			refusal{decision.XFCCCertificateMissing, header + " element 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, newReader(t, peercert.XFCC, test.hops), presented("", test.value), test.want)
		})
	}
}

// Where a proxy appends, a client can open a quote in the header it sends and
// close it in a name of its certificate: what the proxy wrote disappears in it.
func TestAClientCannotSwallowTheProxysElementInQuotes(t *testing.T) {
	p := newPKI(t, testca.Template{})
	victim := about(p.stranger).String()
	for name, test := range map[string]struct {
		sent, written string
	}{
		"up to a name":                       {`By="`, written{Hash: hash(p.leaf), Names: []string{`URI=";` + victim}}.String()},
		"up to a name, as a new element":     {`By="`, written{Hash: hash(p.leaf), Names: []string{`URI=",` + victim}}.String()},
		"up to a name, behind an escape":     {`Subject="\,`, written{Hash: hash(p.leaf), Names: []string{`URI=",` + victim}}.String()},
		"up to Cert":                         {`By="`, about(p.leaf).String()},
		"up to Subject":                      {`By="`, `Hash=00;Subject="CN=x";URI=",` + victim},
		"up to an empty Subject":             {`By="`, `Hash=00;Subject=""`},
		"up to the end":                      {`By="`, "Hash=00"},
		"with the semicolon escaped by hand": {`By="\`, written{Hash: hash(p.leaf), Names: []string{`URI=";` + victim}}.String()},
	} {
		t.Run(name, func(t *testing.T) {
			for hops := range 2 {
				wantRefusal(t, newReader(t, peercert.XFCC, hops), presented("", test.sent+","+test.written),
					refusal{decision.XFCCMalformed, header + " element 1 pair 1"})
			}
			wantRefusal(t, newReader(t, peercert.XFCC, 1), presented("", test.sent, test.written),
				refusal{decision.XFCCMalformed, header + " element 1 pair 1"})
		})
	}
}

func TestNamesThatDivideNothingAreNoObstacle(t *testing.T) {
	for name, template := range map[string]testca.Template{
		"two URI and two DNS names":   {URIs: []string{"spiffe://x/a", "https://x/b"}, DNSNames: []string{"a.example", "b.example"}},
		"an equals sign in a URI":     {URIs: []string{"https://x/?a=b"}},
		"a backslash in a DNS name":   {DNSNames: []string{`a\b`}},
		"commas in an email address":  {Emails: []string{`"a,b;c"@example.com`}},
		"percent signs in a URI":      {URIs: []string{"https://x/%2C%3B%22"}},
		"a key in a DNS name":         {DNSNames: []string{"Cert=x"}},
		"no names":                    {CommonName: "client"},
		"a comma in the organization": {Organization: "Acme, Inc."},
	} {
		t.Run(name, func(t *testing.T) {
			c := selfSigned(t, template)
			line := asEnvoy(c, template)
			for hops := range 2 {
				wantEvidence(t, newReader(t, peercert.XFCC, hops), presented("", line), c)
			}
		})
	}
}

// Each byte that could divide the text is refused where elements are counted,
// even where this proxy did not write the names. A single element is unharmed
// then.
func TestEachDividingByteIsRefusedWithHopsOnly(t *testing.T) {
	for name, template := range map[string]testca.Template{
		"a comma in a DNS name":     {DNSNames: []string{"a,b"}},
		"a semicolon in a DNS name": {DNSNames: []string{"a;b"}},
		"a quote in a DNS name":     {DNSNames: []string{`"a"`}},
		"a comma in a URI":          {URIs: []string{"https://x/a,b"}},
		"a semicolon in a URI":      {URIs: []string{"https://x/a;b"}},
		"a quote in a URI":          {URIs: []string{`https://x/"`}},
		"a comma in the last name":  {DNSNames: []string{"a"}, Emails: []string{"a@b"}, URIs: []string{"https://x/", "https://x/,"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := selfSigned(t, template)
			in := presented("", about(c).String())
			wantEvidence(t, newReader(t, peercert.XFCC, 0), in, c)
			wantRefusal(t, newReader(t, peercert.XFCC, 1), in,
				refusal{decision.XFCCAmbiguousSAN, header + " element 1 pair 2"})
		})
	}
}

func TestACertificateTheParserRefusesIsACleanDenial(t *testing.T) {
	for name, template := range map[string]testca.Template{
		"a URI that is none":                    {URIs: []string{"spiffe://x y/"}},
		"a URI with an escape in a host":        {URIs: []string{"spiffe://%2C/"}},
		"a DNS name beyond IA5":                 {DNSNames: []string{"\xff"}},
		"a URI with a control character":        {URIs: []string{"spiffe://x/\x01"}},
		"a URI with an escaped space in a host": {URIs: []string{"spiffe://x%20y/"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := selfSigned(t, template)
			for hops := range 2 {
				wantRefusal(t, newReader(t, peercert.XFCC, hops), presented("", about(c).String()),
					refusal{decision.CertificateMalformed, header + " element 1 pair 2"})
			}
			wantRefusal(t, newReader(t, peercert.Peer, 0), presented(c.URLEncodedPEM()),
				refusal{decision.CertificateMalformed, "source.certificate"})
		})
	}
}
