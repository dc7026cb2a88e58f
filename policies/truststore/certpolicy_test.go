package truststore_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

var (
	gold    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 1}
	silver  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 2}
	anyRule = asn1.ObjectIdentifier{2, 5, 29, 32, 0}
)

func oid(t testing.TB, id asn1.ObjectIdentifier) []byte { return marshal(t, id) }

func policiesOf(t testing.TB, ids ...asn1.ObjectIdentifier) pkix.Extension {
	var list []byte
	for _, id := range ids {
		list = append(list, tlv(0x30, oid(t, id)...)...)
	}
	return ce(32, false, tlv(0x30, list...)...)
}

func mapping(t testing.TB, from, to asn1.ObjectIdentifier) pkix.Extension {
	return ce(33, true, tlv(0x30, tlv(0x30, slices.Concat(oid(t, from), oid(t, to))...)...)...)
}

// requires and forbidsMapping are policyConstraints, to begin after so many CAs.
func requires(after byte) pkix.Extension       { return ce(36, true, tlv(0x30, 0x80, 1, after)...) }
func forbidsMapping(after byte) pkix.Extension { return ce(36, true, tlv(0x30, 0x81, 1, after)...) }
func forbidsAny(after byte) pkix.Extension     { return ce(54, true, 2, 1, after) }

func TestCertificatePoliciesBothWays(t *testing.T) {
	inter := func(extensions ...pkix.Extension) testca.Template { return under("inter", extensions...) }
	root := func(extensions ...pkix.Extension) testca.Template { return under("root", extensions...) }
	g, s, all := policiesOf(t, gold), policiesOf(t, silver), policiesOf(t, anyRule)
	for sentence, c := range map[string]struct {
		path three
		asks []asn1.ObjectIdentifier
		want string
	}{
		"nothing is asked, and there is none":              {three{leaf: with()}, nil, "accepted"},
		"nothing is asked, and they do not fit":            {three{inter: inter(s), leaf: with(g)}, nil, "accepted"},
		"one is asked that all have":                       {three{inter: inter(g), leaf: with(g)}, []asn1.ObjectIdentifier{gold}, "accepted"},
		"one is asked that the leaf lacks":                 {three{inter: inter(g), leaf: with()}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"one is asked that the CA lacks":                   {three{inter: inter(), leaf: with(g)}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"one is asked, and all have another":               {three{inter: inter(s), leaf: with(s)}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"one of two is asked":                              {three{inter: inter(s), leaf: with(s)}, []asn1.ObjectIdentifier{gold, silver}, "accepted"},
		"any is asked, and there is one":                   {three{inter: inter(s), leaf: with(s)}, []asn1.ObjectIdentifier{anyRule}, "accepted"},
		"any is asked, and there is none":                  {three{leaf: with()}, []asn1.ObjectIdentifier{anyRule}, "path_invalid"},
		"the CA has any":                                   {three{inter: inter(all), leaf: with(g)}, []asn1.ObjectIdentifier{gold}, "accepted"},
		"the leaf has any":                                 {three{inter: inter(g), leaf: with(all)}, []asn1.ObjectIdentifier{gold}, "accepted"},
		"the leaf has any under another":                   {three{inter: inter(s), leaf: with(all)}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"any is forbidden, and the leaf has it":            {three{inter: inter(g, forbidsAny(0)), leaf: with(all)}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"any is forbidden after one more":                  {three{inter: inter(g, forbidsAny(1)), leaf: with(all)}, []asn1.ObjectIdentifier{gold}, "accepted"},
		"any is forbidden by the anchor, and the CA's":     {three{root: root(forbidsAny(0)), inter: inter(all), leaf: with(g)}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"any is forbidden, and a self-issued CA has it":    {three{root: under("CA", forbidsAny(0)), inter: under("CA", all), leaf: with(g)}, []asn1.ObjectIdentifier{gold}, "accepted"},
		"the ban on any is not critical":                   {three{inter: inter(g, ce(54, false, 2, 1, 0)), leaf: with(g)}, nil, "path_invalid"},
		"one is translated":                                {three{inter: inter(g, mapping(t, gold, silver)), leaf: with(s)}, []asn1.ObjectIdentifier{gold}, "accepted"},
		"one is translated, and the leaf has it as it was": {three{inter: inter(g, mapping(t, gold, silver)), leaf: with(g)}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"the translation is asked for":                     {three{inter: inter(g, mapping(t, gold, silver)), leaf: with(s)}, []asn1.ObjectIdentifier{silver}, "path_invalid"},
		"one is translated under any":                      {three{inter: inter(all, mapping(t, gold, silver)), leaf: with(s)}, []asn1.ObjectIdentifier{gold}, "accepted"},
		"translation is forbidden":                         {three{root: root(forbidsMapping(0)), inter: inter(g, mapping(t, gold, silver)), leaf: with(s)}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"translation is forbidden after one more":          {three{root: root(forbidsMapping(1)), inter: inter(g, mapping(t, gold, silver)), leaf: with(s)}, []asn1.ObjectIdentifier{gold}, "accepted"},
		"any is translated":                                {three{inter: inter(all, mapping(t, anyRule, silver)), leaf: with(s)}, nil, "path_invalid"},
		"a CA requires one, and there is one":              {three{inter: inter(g, requires(0)), leaf: with(g)}, nil, "accepted"},
		"a CA requires one, and the leaf has another":      {three{inter: inter(g, requires(0)), leaf: with(s)}, nil, "path_invalid"},
		"a CA requires one, and there is none":             {three{inter: inter(requires(0)), leaf: with()}, nil, "path_invalid"},
		"a CA requires one further down":                   {three{inter: inter(requires(3)), leaf: with()}, nil, "accepted"},
		"an anchor requires one":                           {three{root: root(requires(0)), leaf: with()}, nil, "path_invalid"},
		"an anchor requires one, and there is one":         {three{root: root(requires(0)), inter: inter(g), leaf: with(g)}, nil, "accepted"},
		"an anchor lists another":                          {three{root: root(s), inter: inter(g), leaf: with(g)}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"a requirement of a negative number":               {three{inter: inter(ce(36, true, tlv(0x30, 0x80, 1, 0xff)...)), leaf: with()}, nil, "path_invalid"},
		"a requirement after the other":                    {three{inter: inter(ce(36, true, tlv(0x30, 0x81, 1, 0, 0x80, 1, 0)...)), leaf: with()}, nil, "path_invalid"},
		"a requirement in pieces":                          {three{inter: inter(ce(36, true, tlv(0x30, 0xa0, 3, 2, 1, 0)...)), leaf: with()}, nil, "path_invalid"},
		"a requirement of nothing":                         {three{inter: inter(ce(36, true, tlv(0x30)...)), leaf: with()}, nil, "path_invalid"},
		"a requirement and a ban on translation":           {three{inter: inter(g, ce(36, true, tlv(0x30, 0x80, 1, 0, 0x81, 1, 0)...)), leaf: with(g)}, nil, "accepted"},
		"a negative ban on any":                            {three{inter: inter(g, forbidsAny(0xff)), leaf: with(all)}, []asn1.ObjectIdentifier{gold}, "path_invalid"},
		"a requirement not critical, without policies":     {three{inter: inter(ce(36, false, tlv(0x30, 0x80, 1, 3)...)), leaf: with()}, nil, "path_invalid"},
		"a requirement not critical, with policies":        {three{inter: inter(g, ce(36, false, tlv(0x30, 0x80, 1, 0)...)), leaf: with(g)}, nil, "accepted"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var terms truststore.Terms
			for _, id := range c.asks {
				terms.Policies = append(terms.Policies, id.String())
			}
			if got := c.path.judge(t, terms); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTheWorkOfCertificatePoliciesIsBounded(t *testing.T) {
	many := func(count int) pkix.Extension {
		var ids []asn1.ObjectIdentifier
		for i := range count {
			ids = append(ids, append(slices.Clone(gold), i))
		}
		return policiesOf(t, ids...)
	}
	for count, want := range map[int]string{256: "accepted", 257: "path_too_complex"} {
		if got := (three{inter: under("inter", many(count)), leaf: with()}).judge(t, truststore.Terms{}); got != want {
			t.Errorf("%d policies of a CA: got %s, want %s", count, got, want)
		}
		if got := (three{leaf: with(many(count))}).judge(t, truststore.Terms{}); got != want {
			t.Errorf("%d policies of a leaf: got %s, want %s", count, got, want)
		}
	}
	asked := make([]string, truststore.MaxPolicies)
	for i := range asked {
		asked[i] = fmt.Sprintf("1.2.%d", i)
	}
	asked[len(asked)-1] = gold.String()
	path := three{inter: under("inter", policiesOf(t, gold)), leaf: with(policiesOf(t, gold))}
	if got := path.judge(t, truststore.Terms{Policies: asked}); got != "accepted" {
		t.Errorf("the last of %d that are asked: %s", len(asked), got)
	}
	if got := path.judge(t, truststore.Terms{Policies: append(asked, "1.2.3")}); got != "path_too_complex" {
		t.Errorf("%d that are asked: %s", len(asked)+1, got)
	}
}

// Each of the CAs translates two policies into each other's two: the tree of RFC
// 5280 doubles with each of them.
func TestAChainOfTranslationsDoesNotGrow(t *testing.T) {
	both := []pkix.Extension{policiesOf(t, gold, silver), ce(33, true, tlv(0x30, slices.Concat(
		tlv(0x30, slices.Concat(oid(t, gold), oid(t, gold))...), tlv(0x30, slices.Concat(oid(t, gold), oid(t, silver))...),
		tlv(0x30, slices.Concat(oid(t, silver), oid(t, gold))...), tlv(0x30, slices.Concat(oid(t, silver), oid(t, silver))...))...)...)}
	root := selfSigned(t, ca("root"))
	last := root
	var presented []*testca.Issued
	for i := range 40 {
		last = issue(t, last, testca.Template{CommonName: fmt.Sprint("CA ", i), CA: true, ExtraExtensions: both})
		presented = append(presented, last)
	}
	leaf := issue(t, last, with(policiesOf(t, silver)))
	terms := truststore.Terms{At: time.Now(), Policies: []string{gold.String()}}
	if _, err := terms.Verify(chainOf(leaf, presented...), anchorsOf(t, root)); err != nil {
		t.Error(err)
	}
}
