package truststore_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// three are the templates of a path: the anchor, a presented CA, the leaf.
type three struct{ root, inter, leaf testca.Template }

// path makes the certificates, as CAs that heed no rule would.
func (p three) path(t testing.TB) (chain *truststore.Chain, anchors []*truststore.Anchor) {
	t.Helper()
	p.root.CA, p.inter.CA = true, true
	if p.root.CommonName == "" {
		p.root.CommonName = "root"
	}
	if p.inter.CommonName == "" {
		p.inter.CommonName = "inter"
	}
	root := selfSigned(t, p.root)
	inter := issue(t, root, p.inter)
	return chainOf(issue(t, inter, p.leaf), inter), anchorsOf(t, root)
}

func (p three) judge(t testing.TB, terms truststore.Terms) string {
	t.Helper()
	if terms.At.IsZero() {
		terms.At = time.Now()
	}
	chain, anchors := p.path(t)
	_, err := terms.Verify(chain, anchors)
	if err != nil {
		t.Log(err)
	}
	return reasonText(err)
}

// ofForm is what a fault of form is: path_invalid by the strict profile, with a word
// on the other, which accepts it. All else is the same in both.
const ofForm = "a fault of form"

// judgeByBoth judges the same certificates by both profiles, one after the other in
// either order: what one has read is not to be the other's.
func (p three) judgeByBoth(t testing.TB) string {
	t.Helper()
	chain, anchors := p.path(t)
	verify := func(profile truststore.Profile) error {
		_, err := truststore.Terms{At: time.Now(), Profile: profile}.Verify(chain, anchors)
		return err
	}
	compatible := verify(truststore.Compatible)
	strict := verify(truststore.Strict)
	told := strict != nil && strings.Contains(strict.Error(), "certificateProfile: compatible")
	if again := verify(truststore.Compatible); reasonText(again) != reasonText(compatible) {
		t.Errorf("compatible says %v, and then %v", compatible, again)
	}
	switch {
	case reasonText(strict) == reasonText(compatible) && !told:
		return reasonText(strict)
	case reasonText(strict) == "path_invalid" && compatible == nil && told:
		return ofForm
	}
	return fmt.Sprintf("by strict %v, by compatible %v", strict, compatible)
}

func ce(arc int, critical bool, value ...byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, arc}, Critical: critical, Value: value}
}

func with(extensions ...pkix.Extension) testca.Template {
	return testca.Template{CommonName: "leaf", ExtraExtensions: extensions}
}

func under(name string, extensions ...pkix.Extension) testca.Template {
	return testca.Template{CommonName: name, ExtraExtensions: extensions}
}

func tlv(tag byte, content ...byte) []byte {
	if len(content) > 0xffff {
		panic("too long for a test")
	}
	switch n := len(content); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
	}
}

func subtreeOf(tag byte, value []byte) []byte { return tlv(0x30, tlv(tag, value...)...) }

// permits and excludes are nameConstraints.
func permits(trees ...[]byte) pkix.Extension {
	return ce(30, true, tlv(0x30, tlv(0xa0, slices.Concat(trees...)...)...)...)
}

func excludes(trees ...[]byte) pkix.Extension {
	return ce(30, true, tlv(0x30, tlv(0xa1, slices.Concat(trees...)...)...)...)
}

func dns(host string) []byte   { return subtreeOf(0x82, []byte(host)) }
func email(host string) []byte { return subtreeOf(0x81, []byte(host)) }
func uri(host string) []byte   { return subtreeOf(0x86, []byte(host)) }
func network(t testing.TB, cidr string) []byte {
	t.Helper()
	_, parsed, err := net.ParseCIDR(cidr)
	if err != nil {
		t.Fatal(err)
	}
	return subtreeOf(0x87, slices.Concat([]byte(parsed.IP), []byte(parsed.Mask)))
}

func directory(t testing.TB, of pkix.Name) []byte {
	t.Helper()
	return subtreeOf(0xa4, marshal(t, of.ToRDNSequence()))
}

func organization(t testing.TB, name string) []byte {
	return directory(t, pkix.Name{Organization: []string{name}})
}

func TestEveryRuleOfAPathBothWays(t *testing.T) {
	unknown := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 7}, Critical: true, Value: []byte{5, 0}}
	aia := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}, Value: tlv(0x30, tlv(0x30, append([]byte{6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1}, tlv(0x86, []byte("http://o.example")...)...)...)...)}
	keyID := tlv(0x30, tlv(0x80, 1, 2, 3)...)
	serial := func(octets int) *big.Int {
		return new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*octets-1)), big.NewInt(1))
	}
	name := func(template testca.Template, serial *big.Int) testca.Template {
		template.CommonName, template.SerialNumber = "leaf", serial
		return template
	}
	past := time.Now().Add(-time.Hour)
	purposes := func(usages ...x509.ExtKeyUsage) testca.Template {
		return testca.Template{CommonName: "inter", ExtKeyUsage: usages}
	}

	for sentence, c := range map[string]struct {
		path three
		want string
	}{
		"a path by the book": {three{leaf: with()}, "accepted"},

		"basicConstraints with a depth":                 {three{inter: under("inter", ce(19, true, tlv(0x30, 1, 1, 0xff, 2, 1, 0)...)), leaf: with()}, "accepted"},
		"basicConstraints with more than a depth":       {three{inter: under("inter", ce(19, true, tlv(0x30, 1, 1, 0xff, 2, 1, 1, 2, 1, 0)...)), leaf: with()}, "path_invalid"},
		"basicConstraints with a depth in another type": {three{inter: under("inter", ce(19, true, tlv(0x30, 1, 1, 0xff, 0x80, 1, 0)...)), leaf: with()}, "path_invalid"},
		"an anchor that has ended":                      {three{root: testca.Template{NotAfter: past}, leaf: with()}, "path_expired"},
		"a CA that has ended":                           {three{inter: testca.Template{NotAfter: past}, leaf: with()}, "path_expired"},
		"a CA that has not begun":                       {three{inter: testca.Template{NotBefore: time.Now().Add(time.Hour)}, leaf: with()}, "path_expired"},
		"a leaf that has ended":                         {three{leaf: testca.Template{CommonName: "leaf", NotAfter: past}}, "certificate_expired"},
		"a serial number of 20 octets":                  {three{leaf: name(testca.Template{}, serial(20))}, "accepted"},
		"a serial number of 21 octets":                  {three{leaf: name(testca.Template{}, serial(21))}, ofForm},
		"a CA's serial of 21 octets":                    {three{inter: testca.Template{SerialNumber: serial(21)}, leaf: with()}, ofForm},
		"an anchor's serial of 21":                      {three{root: testca.Template{SerialNumber: serial(21)}, leaf: with()}, "accepted"},
		"a serial number of zero":                       {three{leaf: name(testca.Template{}, big.NewInt(0))}, ofForm},
		"a serial number of one":                        {three{leaf: name(testca.Template{}, big.NewInt(1))}, "accepted"},
		"a leaf without key identifier":                 {three{leaf: with(ce(35, false, 0x30, 0))}, ofForm},
		"a CA without issuer identifier":                {three{inter: under("inter", ce(35, false, 0x30, 0)), leaf: with()}, ofForm},
		"a CA without its identifier":                   {three{inter: under("inter", ce(14, false, 4, 0)), leaf: with(ce(35, false, keyID...))}, ofForm},
		"an anchor without identifier":                  {three{root: under("root", ce(14, false, 4, 0)), inter: under("inter", ce(35, false, keyID...)), leaf: with()}, ofForm},
		"an issuer identifier":                          {three{leaf: with(ce(35, false, keyID...))}, "accepted"},
		"a key identifier":                              {three{inter: under("inter", ce(14, false, 4, 1, 7)), leaf: with()}, "accepted"},
		"an AIA":                                        {three{leaf: with(aia)}, "accepted"},

		"an unknown critical extension in the anchor": {three{root: under("root", unknown), leaf: with()}, "critical_extension_unknown"},
		"an unknown critical extension in a CA":       {three{inter: under("inter", unknown), leaf: with()}, "critical_extension_unknown"},
		"an unknown critical extension in the leaf":   {three{leaf: with(unknown)}, "critical_extension_unknown"},

		"an anchor with basicConstraints not critical": {three{root: under("root", ce(19, false, 0x30, 3, 1, 1, 0xff)), leaf: with()}, ofForm},
		"a CA with basicConstraints not critical":      {three{inter: under("inter", ce(19, false, 0x30, 3, 1, 1, 0xff)), leaf: with()}, "accepted"},
		"a CA without basicConstraints CA":             {three{inter: under("inter", ce(19, true, 0x30, 0)), leaf: with()}, "path_not_found"},
		"a CA that may not sign certificates":          {three{inter: testca.Template{KeyUsage: pointer(x509.KeyUsageCRLSign)}, leaf: with()}, "path_not_found"},
		"a CA without key usage":                       {three{inter: testca.Template{KeyUsage: pointer(x509.KeyUsage(0))}, leaf: with()}, "accepted"},
		"a CA for clients":                             {three{inter: purposes(x509.ExtKeyUsageClientAuth), leaf: with()}, "accepted"},
		"a CA for any purpose":                         {three{inter: purposes(x509.ExtKeyUsageAny), leaf: with()}, "accepted"},
		"a CA for servers":                             {three{inter: purposes(x509.ExtKeyUsageServerAuth), leaf: with()}, "certificate_purpose"},
		"an anchor for servers":                        {three{root: testca.Template{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, leaf: with()}, "certificate_purpose"},
		"a CA for no purpose":                          {three{inter: under("inter", ce(37, false, 0x30, 0)), leaf: with()}, "certificate_purpose"},
		"a CA with room for none, and a leaf":          {three{inter: testca.Template{MaxPathLen: pointer(0)}, leaf: with()}, "accepted"},
		"an anchor with room for no CA, and one":       {three{root: testca.Template{MaxPathLen: pointer(0)}, leaf: with()}, "path_invalid"},
		"an anchor with room for one CA":               {three{root: testca.Template{MaxPathLen: pointer(1)}, leaf: with()}, "accepted"},
		"a self-issued CA takes no room":               {three{root: testca.Template{CommonName: "CA", MaxPathLen: pointer(0)}, inter: testca.Template{CommonName: "CA"}, leaf: with()}, "accepted"},
		"a self-issued CA by a name in other letters":  {three{root: testca.Template{CommonName: "My  CA", MaxPathLen: pointer(0)}, inter: testca.Template{CommonName: " my ca"}, leaf: with()}, "accepted"},
		"a leaf that is a CA":                          {three{leaf: testca.Template{CommonName: "leaf", CA: true}}, "certificate_is_ca"},
		"a leaf without a subject, names critical":     {three{leaf: with0(ce(17, true, tlv(0x30, tlv(0x82, []byte("a.example")...)...)...))}, "accepted"},
		"a leaf without a subject, names not critical": {three{leaf: with0(ce(17, false, tlv(0x30, tlv(0x82, []byte("a.example")...)...)...))}, ofForm},
		"policy constraints not critical, no policies": {three{inter: under("inter", notCritical(requires(5))), leaf: with()}, ofForm},
		"policy constraints with more than that":       {three{inter: under("inter", ce(36, true, tlv(0x30, 0x80, 1, 5, 0x82, 1, 0)...)), leaf: with()}, "path_invalid"},
		"inhibitAnyPolicy not critical":                {three{inter: under("inter", notCritical(forbidsAny(0))), leaf: with()}, ofForm},
		"name constraints not critical":                {three{inter: under("inter", notCritical(permits(dns("lab.example")))), leaf: testca.Template{CommonName: "leaf", DNSNames: []string{"a.lab.example"}}}, ofForm},
		"a leaf without a subject and without names":   {three{leaf: with0()}, "path_invalid"},
		"a leaf with name constraints":                 {three{leaf: with(permits(dns("a.example")))}, ofForm},
		"a DNS name":                                   {three{leaf: testca.Template{DNSNames: []string{"a-1.lab.example"}, CommonName: "leaf"}}, "accepted"},
		"a wildcard":                                   {three{leaf: testca.Template{DNSNames: []string{"*.lab.example"}, CommonName: "leaf"}}, "accepted"},
		"a wildcard within a label":                    {three{leaf: testca.Template{DNSNames: []string{"a*.lab.example"}, CommonName: "leaf"}}, ofForm},
		"a wildcard that is not the first label":       {three{leaf: testca.Template{DNSNames: []string{"a.*.example"}, CommonName: "leaf"}}, ofForm},
		"a DNS name with an underscore":                {three{leaf: testca.Template{DNSNames: []string{"a_b.example"}, CommonName: "leaf"}}, ofForm},
		"a DNS name that is an address":                {three{leaf: testca.Template{DNSNames: []string{"192.0.2.7"}, CommonName: "leaf"}}, ofForm},
		"a DNS name with a hyphen at an end":           {three{leaf: testca.Template{DNSNames: []string{"a-.example"}, CommonName: "leaf"}}, ofForm},
		"a DNS name with a dot at its end":             {three{leaf: testca.Template{DNSNames: []string{"a.example."}, CommonName: "leaf"}}, ofForm},
		"a DNS name with a label of 64":                {three{leaf: testca.Template{DNSNames: []string{strings.Repeat("a", 64) + ".example"}, CommonName: "leaf"}}, ofForm},
		"a DNS name with a label of 63":                {three{leaf: testca.Template{DNSNames: []string{strings.Repeat("a", 63) + ".example"}, CommonName: "leaf"}}, "accepted"},
		"a mailbox":                                    {three{leaf: testca.Template{Emails: []string{"ops@lab.example"}, CommonName: "leaf"}}, "accepted"},
		"a mailbox without @":                          {three{leaf: testca.Template{Emails: []string{"lab.example"}, CommonName: "leaf"}}, ofForm},
		"a URI":                                        {three{leaf: testca.Template{URIs: []string{"urn:example:a"}, CommonName: "leaf"}}, "accepted"},
		"a relative URI":                               {three{leaf: testca.Template{URIs: []string{"/a"}, CommonName: "leaf"}}, ofForm},
		"a CA with a DNS name that is none":            {three{inter: testca.Template{DNSNames: []string{"a_b.example"}}, leaf: with()}, ofForm},
		"an anchor on a weak key":                      {three{root: testca.Template{Key: newKey(t, testca.P224)}, leaf: with()}, "key_weak"},
		"a CA on a weak key":                           {three{inter: testca.Template{Key: newKey(t, testca.P224)}, leaf: with()}, "key_weak"},
		"a CA on Ed25519":                              {three{inter: testca.Template{Key: newKey(t, testca.Ed25519)}, leaf: with()}, "accepted"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := c.path.judgeByBoth(t); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// with0 is a leaf without a subject.
func with0(extensions ...pkix.Extension) testca.Template {
	return testca.Template{ExtraExtensions: extensions}
}
