package truststore_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

func ca(name string) testca.Template { return testca.Template{CommonName: name, CA: true} }

func TestVerify(t *testing.T) {
	now := time.Now()
	past := now.Add(-time.Minute)
	root := selfSigned(t, ca("root"))
	inter := issue(t, root, ca("inter"))
	second := issue(t, inter, ca("second"))
	plain := testca.Template{CommonName: "leaf"}
	leaf := issue(t, root, plain)
	under := issue(t, inter, plain)
	deep := issue(t, second, plain)

	impostor := selfSigned(t, ca("root"))
	expiredInter := issue(t, root, testca.Template{CommonName: "inter", CA: true, NotAfter: past})
	expiredRoot := selfSigned(t, testca.Template{CommonName: "old root", CA: true, NotAfter: past})
	oldInter := issue(t, expiredRoot, ca("inter of old"))
	short := selfSigned(t, testca.Template{CommonName: "short", CA: true, MaxPathLen: pointer(0)})
	shortInter := issue(t, short, ca("inter of short"))
	named := selfSigned(t, testca.Template{CommonName: "named", CA: true, PermittedDNSDomains: []string{"lab.example"}})
	notCA := issue(t, root, testca.Template{CommonName: "no CA"})
	noSign := issue(t, root, testca.Template{CommonName: "no signer", CA: true, KeyUsage: pointer(x509.KeyUsageCRLSign)})
	serverCA := issue(t, root, testca.Template{CommonName: "server CA", CA: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	weak := selfSigned(t, testca.Template{CommonName: "weak", CA: true, Key: newKey(t, testca.RSA1024)})
	weakInter := issue(t, root, testca.Template{CommonName: "weak inter", CA: true, Key: weak.Key})
	rsaRoot := selfSigned(t, testca.Template{CommonName: "RSA root", CA: true, Key: newKey(t, testca.RSA2048)})
	shaInter := issue(t, rsaRoot, testca.Template{CommonName: "SHA-1 inter", CA: true, SignatureAlgorithm: x509.SHA1WithRSA})
	unknown := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 7}, Critical: true, Value: []byte{5, 0}}
	strange := issue(t, root, testca.Template{CommonName: "strange", CA: true, ExtraExtensions: []pkix.Extension{unknown}})

	for sentence, c := range map[string]struct {
		leaf      *testca.Issued
		presented []*testca.Issued
		stored    []*testca.Issued
		want      string
	}{
		"a leaf of the stored root":                          {leaf, nil, []*testca.Issued{root}, "leaf > root"},
		"an intermediate presented":                          {under, []*testca.Issued{inter}, []*testca.Issued{root}, "leaf > inter > root"},
		"two intermediates presented in order":               {deep, []*testca.Issued{second, inter}, []*testca.Issued{root}, "leaf > second > inter > root"},
		"two intermediates presented in reverse":             {deep, []*testca.Issued{inter, second}, []*testca.Issued{root}, "leaf > second > inter > root"},
		"the root presented too":                             {under, []*testca.Issued{root, inter}, []*testca.Issued{root}, "leaf > inter > root"},
		"junk presented between":                             {under, []*testca.Issued{impostor, leaf, weak, inter}, []*testca.Issued{root}, "leaf > inter > root"},
		"an intermediate stored and the leaf alone":          {under, nil, []*testca.Issued{inter}, "leaf > inter"},
		"an intermediate stored beside its root":             {under, nil, []*testca.Issued{root, inter}, "leaf > inter"},
		"one intermediate stored and one presented":          {deep, []*testca.Issued{second}, []*testca.Issued{inter}, "leaf > second > inter"},
		"the root is the last of several stored":             {leaf, nil, []*testca.Issued{short, named, impostor, root}, "leaf > root"},
		"the root is the first of several stored":            {leaf, nil, []*testca.Issued{root, impostor, named, short}, "leaf > root"},
		"a store without the CA":                             {leaf, nil, []*testca.Issued{short}, "path_not_found"},
		"an empty store":                                     {leaf, nil, nil, "path_not_found"},
		"the intermediate is neither presented nor stored":   {under, nil, []*testca.Issued{root}, "path_not_found"},
		"a CA of the same name with another key":             {leaf, nil, []*testca.Issued{impostor}, "path_not_found"},
		"the leaf of an impostor with the same names":        {issue(t, impostor, plain), nil, []*testca.Issued{root}, "path_not_found"},
		"an impostor's leaf, the impostor presented":         {issue(t, impostor, plain), []*testca.Issued{impostor}, []*testca.Issued{root}, "path_not_found"},
		"an expired intermediate":                            {issue(t, expiredInter, plain), []*testca.Issued{expiredInter}, []*testca.Issued{root}, "path_expired"},
		"an expired anchor":                                  {issue(t, expiredRoot, plain), nil, []*testca.Issued{expiredRoot}, "path_expired"},
		"an expired anchor above an intermediate":            {issue(t, oldInter, plain), []*testca.Issued{oldInter}, []*testca.Issued{expiredRoot}, "path_expired"},
		"a path within pathLen":                              {issue(t, short, plain), nil, []*testca.Issued{short}, "leaf > short"},
		"a path longer than pathLen":                         {issue(t, shortInter, plain), []*testca.Issued{shortInter}, []*testca.Issued{short}, "path_invalid"},
		"a name that the constraints permit":                 {issue(t, named, testca.Template{CommonName: "leaf", DNSNames: []string{"a.lab.example"}}), nil, []*testca.Issued{named}, "leaf > named"},
		"a name that the constraints do not permit":          {issue(t, named, testca.Template{CommonName: "leaf", DNSNames: []string{"other.example"}}), nil, []*testca.Issued{named}, "path_invalid"},
		"a certificate that is no CA issued the leaf":        {issue(t, notCA, plain), []*testca.Issued{notCA}, []*testca.Issued{root}, "path_not_found"},
		"a certificate that is no CA is stored":              {issue(t, notCA, plain), nil, []*testca.Issued{notCA}, "path_not_found"},
		"an intermediate that may not sign certificates":     {issue(t, noSign, plain), []*testca.Issued{noSign}, []*testca.Issued{root}, "path_not_found"},
		"an intermediate for servers only":                   {issue(t, serverCA, plain), []*testca.Issued{serverCA}, []*testca.Issued{root}, "certificate_purpose"},
		"an intermediate with an unknown critical extension": {issue(t, strange, plain), []*testca.Issued{strange}, []*testca.Issued{root}, "critical_extension_unknown"},
		"a weak anchor":                                      {issue(t, weak, plain), nil, []*testca.Issued{weak}, "key_weak"},
		"a weak intermediate":                                {issue(t, weakInter, plain), []*testca.Issued{weakInter}, []*testca.Issued{root}, "key_weak"},
		"a weak leaf that nobody has looked at":              {issue(t, root, testca.Template{CommonName: "leaf", Key: weak.Key}), nil, []*testca.Issued{root}, "key_weak"},
		"an intermediate signed with SHA-1":                  {issue(t, shaInter, plain), []*testca.Issued{shaInter}, []*testca.Issued{rsaRoot}, "signature_weak"},
		"a leaf that is a CA":                                {inter, nil, []*testca.Issued{root}, "certificate_is_ca"},
		"a leaf that asserts keyCertSign":                    {issue(t, root, testca.Template{CommonName: "leaf", KeyUsage: pointer(x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign)}), nil, []*testca.Issued{root}, "certificate_is_ca"},
		"a leaf whose subject is its issuer's":               {issue(t, root, testca.Template{CommonName: "root"}), nil, []*testca.Issued{root}, "root > root"},
	} {
		t.Run(sentence, func(t *testing.T) {
			path, err := truststore.Verify(chainOf(c.leaf, c.presented...), anchorsOf(t, c.stored...), now)
			got := reasonText(err)
			if err == nil {
				got = names(path)
			}
			if got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func names(path truststore.Path) string {
	var all []string
	for _, certificate := range path {
		all = append(all, certificate.Subject.CommonName)
	}
	return strings.Join(all, " > ")
}

func TestAPathHoldsUntilItsFirstEnd(t *testing.T) {
	at := func(days int) time.Time { return time.Now().AddDate(0, 0, days).Truncate(time.Second).UTC() }
	path := func(ends ...int) truststore.Path {
		var out truststore.Path
		for _, days := range ends {
			out = append(out, selfSigned(t, testca.Template{NotAfter: at(days)}).Certificate)
		}
		return out
	}
	for sentence, c := range map[string]struct {
		path truststore.Path
		want time.Time
	}{
		"the leaf ends first":           {path(1, 2, 3), at(1)},
		"the intermediate ends first":   {path(2, 1, 3), at(1)},
		"the anchor ends first":         {path(3, 2, 1), at(1)},
		"a pinned certificate is alone": {path(5), at(5)},
		"a path of nothing never holds": {nil, time.Time{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := c.path.Until(); got.Sub(c.want).Abs() > 2*time.Second {
				t.Errorf("until %s, want %s", got, c.want)
			}
		})
	}
}

// Every CA below has the name that the certificates give as their issuer's, so
// each pair of them costs a signature check before it is known to be nothing.
func TestMoreThanFiftySignatureChecksAreTooComplex(t *testing.T) {
	root := selfSigned(t, ca("root"))
	leaf := issue(t, root, testca.Template{CommonName: "leaf"})
	others := make([]*testca.Issued, truststore.MaxSignatureChecks)
	for i := range others {
		others[i] = selfSigned(t, ca("root"))
	}
	for sentence, c := range map[string]struct {
		stored []*testca.Issued
		want   string
	}{
		"49 other CAs of the name before the right one": {append(others[:49:49], root), "accepted"},
		"50 other CAs of the name before the right one": {append(others[:50:50], root), "path_too_complex"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := truststore.Verify(chainOf(leaf), anchorsOf(t, c.stored...), time.Now())
			if got := reasonText(err); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

// The junk has the names of the intermediate and of its issuer.
func TestForgedIntermediatesBetweenTheAnchorAndTheLeafShareTheBudget(t *testing.T) {
	root, impostor := selfSigned(t, ca("root")), selfSigned(t, ca("root"))
	inter := issue(t, root, ca("inter"))
	leaf := issue(t, inter, testca.Template{CommonName: "leaf"})
	var junk []*testca.Issued
	for range truststore.MaxSignatureChecks {
		junk = append(junk, issue(t, impostor, ca("inter")))
	}
	anchors := anchorsOf(t, root)
	if _, err := truststore.Verify(chainOf(leaf, append(junk[:48:48], inter)...), anchors, time.Now()); err != nil {
		t.Errorf("48 forged intermediates, the right one and the leaf: %v", err)
	}
	if _, err := truststore.Verify(chainOf(leaf, append(junk[:49:49], inter)...), anchors, time.Now()); decision.ReasonOf(err) != decision.PathTooComplex {
		t.Errorf("49 forged intermediates, the right one and the leaf: %v", err)
	}
}

// A hundred would be over the limit if each cost a check.
func TestIntermediatesThatNobodyStoredSignedOrThatLeadNowhereCostNoCheck(t *testing.T) {
	root, stranger := selfSigned(t, ca("root")), selfSigned(t, ca("stranger"))
	inter := issue(t, root, ca("inter"))
	leaf := issue(t, inter, testca.Template{CommonName: "leaf"})
	var junk []*testca.Issued
	for i := range 2 * truststore.MaxSignatureChecks {
		junk = append(junk, issue(t, stranger, ca("inter")), issue(t, root, ca(fmt.Sprint("elsewhere ", i))))
	}
	path, err := truststore.Verify(chainOf(leaf, append(junk, inter)...), anchorsOf(t, root), time.Now())
	if err != nil || names(path) != "leaf > inter > root" {
		t.Errorf("got %s, %v", names(path), err)
	}
}

func TestAChainPaysForASignatureOnce(t *testing.T) {
	root := selfSigned(t, ca("root"))
	chain := chainOf(issue(t, root, testca.Template{CommonName: "leaf"}))
	anchor := anchorsOf(t, root)[0]
	for range 3 * truststore.MaxSignatureChecks {
		if signed, err := chain.Signed(anchor, chain.Leaf); !signed || err != nil {
			t.Fatalf("signed %t, %v", signed, err)
		}
	}
	if _, leaf, err := chain.ProvenBy(anchor); !leaf || err != nil {
		t.Errorf("proven %t, %v", leaf, err)
	}
}

func TestSignedTellsASignatureFromAName(t *testing.T) {
	root, impostor, other := selfSigned(t, ca("root")), selfSigned(t, ca("root")), selfSigned(t, ca("other"))
	chain := chainOf(issue(t, root, testca.Template{CommonName: "leaf"}))
	for sentence, c := range map[string]struct {
		by   *testca.Issued
		want bool
	}{
		"its CA":                {root, true},
		"the name, not the key": {impostor, false},
		"neither":               {other, false},
	} {
		signed, err := chain.Signed(anchorsOf(t, c.by)[0], chain.Leaf)
		if signed != c.want || err != nil {
			t.Errorf("%s: signed %t, %v", sentence, signed, err)
		}
	}
}

func TestADenialBoundsTheSubjectThatItNames(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: strings.Repeat("é\n", 2000), NotAfter: time.Now().Add(-time.Hour)})
	err := truststore.CheckLeaf(leaf.Certificate, time.Now())
	if decision.ReasonOf(err) != decision.CertificateExpired || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n") {
		t.Errorf("%d bytes: %.100q", len(err.Error()), err)
	}
}
