package policies_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

func subject(dn string) fields { return fields{"subjectDn": dn} }

func TestResolvingAndJudging(t *testing.T) {
	now := time.Now()
	root, otherRoot := selfSigned(t, ca("root")), selfSigned(t, ca("root"))
	inter := issue(t, root, ca("inter"))
	lower := issue(t, inter, ca("lower"))
	lowest := issue(t, lower, leaf("lab"))
	interAlone := selfSigned(t, testca.Template{CommonName: "inter", CA: true, Key: inter.Key})
	renewed := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: root.Key})
	weakRoot := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: weakKey(t)})
	lab, other := issue(t, root, leaf("lab")), issue(t, root, leaf("other"))
	deep := issue(t, inter, leaf("lab"))
	both := issue(t, root, testca.Template{CommonName: "CA and client", CA: true, KeyUsage: signAndIssue()})
	self := selfSigned(t, leaf("self"))
	seed := seedCertificate(t)
	ofSeed := issue(t, seed, leaf("issued by the seed's"))
	expired := issue(t, root, testca.Template{CommonName: "lab", NotAfter: now.Add(-time.Minute)})
	server := issue(t, root, testca.Template{CommonName: "lab", ExtKeyUsage: serverOnly()})

	trusts := func(all ...*testca.Issued) fields { return fields{"certificateTrustStore": store(all...)} }
	with := func(of fields, more ...any) fields {
		out := fields{}
		for k, v := range of {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i].(string)] = more[i+1]
		}
		return out
	}
	bound := func(dn string, all ...*testca.Issued) fields {
		return with(trusts(all...), "tlsClientAuth", subject(dn))
	}
	allow := policies.Options{AllowSharedAnchors: true}

	for sentence, c := range map[string]struct {
		clients   clients
		leaf      *testca.Issued
		presented []*testca.Issued
		hint      policies.Hint
		options   policies.Options
		want      string
	}{
		"the seed's certificate, CA:TRUE and pinned, is accepted":        {clients{"a": trusts(seed)}, seed, nil, policies.Hint{}, policies.Options{}, "a by pin"},
		"the seed's certificate also issues where no method is named":    {clients{"a": trusts(seed)}, ofSeed, nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"a self-signed certificate is found by its pin":                  {clients{"a": trusts(self), "b": trusts(root)}, self, nil, policies.Hint{}, policies.Options{}, "a by pin"},
		"the third pin of a store counts like the first":                 {clients{"a": trusts(root, lab, self)}, self, nil, policies.Hint{}, policies.Options{}, "a by pin"},
		"another self-signed certificate of the same name is a stranger": {clients{"a": trusts(self)}, selfSigned(t, leaf("self")), nil, policies.Hint{}, policies.Options{}, "refused: client_unknown"},
		"a pin wins over the chain of another client":                    {clients{"chain": trusts(root), "pin": trusts(lab)}, lab, nil, policies.Hint{}, policies.Options{}, "pin by pin"},
		"pinned by two clients is ambiguous":                             {clients{"a": trusts(lab), "b": trusts(lab)}, lab, nil, policies.Hint{}, policies.Options{}, "refused: client_ambiguous"},
		"pinned by two, one of them off, is ambiguous still":             {clients{"a": trusts(lab), "b": with(trusts(lab), "status", "off")}, lab, nil, policies.Hint{}, policies.Options{}, "refused: client_ambiguous"},
		"pinned by two clients and named is that one":                    {clients{"a": trusts(lab), "b": trusts(lab)}, lab, nil, policies.Hint{Parameter: "b"}, policies.Options{}, "b by pin"},
		"pinned by a client that is off never falls through to a CA":     {clients{"chain": trusts(root), "pin": with(trusts(lab), "status", "off")}, lab, nil, policies.Hint{}, policies.Options{}, "pin refuses: client_inactive"},
		"pinned by a client in error never falls through to a CA":        {clients{"chain": trusts(root), "pin": with(trusts(lab), "status", "error")}, lab, nil, policies.Hint{}, policies.Options{}, "pin refuses: client_inactive"},
		"pinned and expired is denied and never falls through":           {clients{"chain": trusts(root), "pin": trusts(expired)}, expired, nil, policies.Hint{}, policies.Options{}, "pin refuses: certificate_expired"},
		"pinned and for servers only is denied":                          {clients{"a": trusts(server)}, server, nil, policies.Hint{}, policies.Options{}, "a refuses: certificate_purpose"},
		"issued by the anchor of the one client that has it":             {clients{"a": trusts(root), "b": trusts(self)}, lab, nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"issued and for servers only is denied":                          {clients{"a": trusts(root)}, server, nil, policies.Hint{}, policies.Options{}, "a refuses: certificate_purpose"},
		"issued and expired is denied":                                   {clients{"a": trusts(root)}, expired, nil, policies.Hint{}, policies.Options{}, "a refuses: certificate_expired"},
		"a CA certificate that is not pinned is no client":               {clients{"a": trusts(root)}, both, nil, policies.Hint{}, policies.Options{}, "a refuses: certificate_is_ca"},
		"through a presented intermediate":                               {clients{"a": trusts(root)}, deep, []*testca.Issued{inter}, policies.Hint{}, policies.Options{}, "a by chain"},
		"through its own stored intermediate":                            {clients{"a": trusts(root, inter)}, deep, nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"the intermediate is missing":                                    {clients{"a": trusts(root)}, deep, nil, policies.Hint{}, policies.Options{}, "refused: client_unknown"},
		"a presented CA that issued nothing here leads to nobody":        {clients{"a": trusts(root)}, issue(t, otherRoot, leaf("lab")), []*testca.Issued{inter}, policies.Hint{}, policies.Options{}, "refused: client_unknown"},
		"nor does it make another's leaf ambiguous":                      {clients{"a": trusts(root), "b": trusts(otherRoot)}, issue(t, otherRoot, leaf("lab")), []*testca.Issued{inter}, policies.Hint{}, policies.Options{}, "b by chain"},
		"another CA's leaf with the same names":                          {clients{"a": trusts(root)}, issue(t, otherRoot, leaf("lab")), nil, policies.Hint{}, policies.Options{}, "refused: client_unknown"},
		"two clients with CAs of one name are told apart by the key":     {clients{"a": trusts(root), "b": trusts(otherRoot)}, lab, nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"a weak CA of the same name at another client changes nothing":   {clients{"a": trusts(weakRoot), "b": trusts(root), "c": trusts(otherRoot)}, lab, nil, policies.Hint{}, policies.Options{}, "b by chain"},
		"a certificate of a weak CA is refused for that":                 {clients{"a": trusts(weakRoot)}, issue(t, weakRoot, leaf("lab")), nil, policies.Hint{}, policies.Options{}, "refused: key_weak"},
		"root and intermediate held by different clients are ambiguous":  {clients{"a": trusts(root), "b": trusts(inter)}, deep, []*testca.Issued{inter}, policies.Hint{}, policies.Options{}, "refused: client_ambiguous"},
		"root and intermediate, and the certificate names one":           {clients{"a": trusts(root), "b": trusts(inter)}, deep, []*testca.Issued{inter}, policies.Hint{Route: "b"}, policies.Options{}, "b by chain"},
		"the presenter cannot leave the intermediate out to choose":      {clients{"a": bound("CN=lab", root), "b": trusts(inter)}, deep, nil, policies.Hint{}, policies.Options{}, "refused: client_ambiguous"},
		"nor to choose between two that are bound":                       {clients{"a": bound("CN=lab", root), "b": bound("CN=lab", inter)}, deep, nil, policies.Hint{}, policies.Options{}, "refused: client_ambiguous"},
		"nor past a CA between the two":                                  {clients{"a": bound("CN=lab", root), "b": trusts(lower), "c": bound("CN=c", inter)}, lowest, nil, policies.Hint{}, policies.Options{}, "refused: client_ambiguous"},
		"nor where only the renewed certificate has the CA above":        {clients{"a": bound("CN=lab", root), "b": trusts(interAlone, inter)}, deep, nil, policies.Hint{}, policies.Options{}, "refused: client_ambiguous"},
		"the CA above is of a client that is bound to another subject":   {clients{"a": bound("CN=a", root), "b": trusts(inter)}, deep, nil, policies.Hint{}, policies.Options{}, "b by chain"},
		"root and intermediate held by one client are no ambiguity":      {clients{"a": trusts(root, inter)}, deep, []*testca.Issued{inter}, policies.Hint{}, policies.Options{}, "a by chain"},
		"the binding tells clients of one CA apart":                      {clients{"a": bound("CN=lab", root), "b": bound("CN=other", root)}, other, nil, policies.Hint{}, policies.Options{}, "b by chain"},
		"two clients bound to one subject are ambiguous":                 {clients{"a": bound("CN=lab", root), "b": bound("CN=lab", root)}, lab, nil, policies.Hint{}, policies.Options{}, "refused: client_ambiguous"},
		"bound to another subject, alone with the CA":                    {clients{"a": bound("CN=lab", root)}, other, nil, policies.Hint{}, policies.Options{}, "refused: subject_mismatch"},
		"bound to other subjects, several with the CA":                   {clients{"a": bound("CN=lab", root), "b": bound("CN=b", root)}, other, nil, policies.Hint{}, policies.Options{}, "refused: client_unknown"},
		"bound to another subject and named":                             {clients{"a": bound("CN=lab", root)}, other, nil, policies.Hint{Parameter: "a"}, policies.Options{}, "a refuses: subject_mismatch"},
		"the binding is not asked of a pinned certificate":               {clients{"a": bound("CN=lab", root, self)}, self, nil, policies.Hint{}, policies.Options{}, "a by pin"},
		"the subject matches and the signature does not":                 {clients{"a": bound("CN=lab", root)}, issue(t, otherRoot, leaf("lab")), nil, policies.Hint{}, policies.Options{}, "refused: client_unknown"},
		"the subject matches, it is named, and the signature does not":   {clients{"a": bound("CN=lab", root)}, issue(t, otherRoot, leaf("lab")), nil, policies.Hint{Parameter: "a"}, policies.Options{}, "a refuses: path_not_found"},
		"a shared anchor without a binding is refused":                   {clients{"a": trusts(root), "b": trusts(root)}, lab, nil, policies.Hint{}, policies.Options{}, "refused: anchor_shared_unbound"},
		"a shared anchor without a binding is refused when named, too":   {clients{"a": trusts(root), "b": trusts(root)}, lab, nil, policies.Hint{Parameter: "a"}, policies.Options{}, "a refuses: anchor_shared_unbound"},
		"a shared anchor is refused when the other holder is bound":      {clients{"a": trusts(root), "b": bound("CN=b", root)}, lab, nil, policies.Hint{Parameter: "a"}, policies.Options{}, "a refuses: anchor_shared_unbound"},
		"a shared anchor is no matter to the one that is bound":          {clients{"a": trusts(root), "b": bound("CN=lab", root)}, lab, nil, policies.Hint{}, policies.Options{}, "b by chain"},
		"a client that is off holds its anchor all the same":             {clients{"a": trusts(root), "b": with(trusts(root), "status", "off")}, lab, nil, policies.Hint{Parameter: "a"}, policies.Options{}, "a refuses: anchor_shared_unbound"},
		"a client that is off is a candidate all the same":               {clients{"a": bound("CN=lab", root), "b": with(bound("CN=lab", root), "status", "off")}, lab, nil, policies.Hint{}, policies.Options{}, "refused: client_ambiguous"},
		"the one candidate is off":                                       {clients{"a": with(trusts(root), "status", "off")}, lab, nil, policies.Hint{}, policies.Options{}, "a refuses: client_inactive"},
		"a second anchor that nobody shares still counts":                {clients{"a": trusts(root, otherRoot), "b": trusts(root)}, issue(t, otherRoot, leaf("lab")), nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"a shared anchor with sharedAnchors allow, named":                {clients{"a": trusts(root), "b": trusts(root)}, lab, nil, policies.Hint{Parameter: "a"}, allow, "a by chain"},
		"a shared anchor with sharedAnchors allow, not named":            {clients{"a": trusts(root), "b": trusts(root)}, lab, nil, policies.Hint{}, allow, "refused: client_ambiguous"},
		"sharedAnchors allow, one bound and one not":                     {clients{"a": trusts(root), "b": bound("CN=lab", root)}, lab, nil, policies.Hint{}, allow, "refused: client_ambiguous"},
		"a renewed CA certificate is the same anchor, so it is shared":   {clients{"a": trusts(root), "b": trusts(renewed)}, lab, nil, policies.Hint{Parameter: "a"}, policies.Options{}, "a refuses: anchor_shared_unbound"},
		"a renewed CA certificate accepts what the old one issued":       {clients{"a": trusts(renewed)}, lab, nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"old and renewed in one store are one holder":                    {clients{"a": trusts(root, renewed)}, lab, nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"one CA twice in a store is one holder":                          {clients{"a": trusts(root, root)}, lab, nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"self_signed_tls_client_auth takes its pin":                      {clients{"a": with(trusts(seed), "tokenEndpointAuthMethod", "self_signed_tls_client_auth")}, seed, nil, policies.Hint{}, policies.Options{}, "a by pin"},
		"self_signed_tls_client_auth never chains":                       {clients{"a": with(trusts(seed), "tokenEndpointAuthMethod", "self_signed_tls_client_auth")}, ofSeed, nil, policies.Hint{Parameter: "a"}, policies.Options{}, "a refuses: certificate_not_pinned"},
		"self_signed_tls_client_auth is no candidate":                    {clients{"a": with(trusts(seed), "tokenEndpointAuthMethod", "self_signed_tls_client_auth")}, ofSeed, nil, policies.Hint{}, policies.Options{}, "refused: client_unknown"},
		"self_signed_tls_client_auth is no holder of the anchor":         {clients{"a": trusts(root), "b": with(trusts(root), "tokenEndpointAuthMethod", "self_signed_tls_client_auth")}, lab, nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"tls_client_auth chains":                                         {clients{"a": with(bound("CN=lab", root), "tokenEndpointAuthMethod", "tls_client_auth")}, lab, nil, policies.Hint{}, policies.Options{}, "a by chain"},
		"tls_client_auth never pins":                                     {clients{"a": with(bound("CN=self", self), "tokenEndpointAuthMethod", "tls_client_auth")}, self, nil, policies.Hint{Parameter: "a"}, policies.Options{}, "a refuses: certificate_not_pinned"},
		"tls_client_auth never pins, not even for resolving":             {clients{"a": with(bound("CN=self", self), "tokenEndpointAuthMethod", "tls_client_auth")}, self, nil, policies.Hint{}, policies.Options{}, "refused: client_unknown"},
		"hints that agree":                               {clients{"a": trusts(self)}, self, nil, policies.Hint{Route: "a", Parameter: "a", Token: "a"}, policies.Options{}, "a by pin"},
		"route and parameter disagree":                   {clients{"a": trusts(self), "b": trusts(lab)}, self, nil, policies.Hint{Route: "a", Parameter: "b"}, policies.Options{}, "refused: client_conflict"},
		"route and token disagree":                       {clients{"a": trusts(self), "b": trusts(lab)}, self, nil, policies.Hint{Route: "a", Token: "b"}, policies.Options{}, "refused: client_conflict"},
		"parameter and token disagree":                   {clients{"a": trusts(self), "b": trusts(lab)}, self, nil, policies.Hint{Parameter: "b", Token: "a"}, policies.Options{}, "refused: client_conflict"},
		"a named client that is unknown":                 {clients{"a": trusts(self)}, self, nil, policies.Hint{Parameter: "b"}, policies.Options{}, "refused: client_unknown"},
		"a client_id is compared to the letter":          {clients{"a": trusts(self)}, self, nil, policies.Hint{Parameter: "A"}, policies.Options{}, "refused: client_unknown"},
		"a named client is judged by its own store only": {clients{"a": trusts(self), "b": trusts(lab)}, selfSigned(t, leaf("self")), nil, policies.Hint{Parameter: "b"}, policies.Options{}, "b refuses: certificate_not_pinned"},
		"a name takes no certificate that another pins":  {clients{"a": trusts(lab), "b": trusts(root)}, lab, nil, policies.Hint{Route: "b"}, policies.Options{}, "refused: client_conflict"},
		"but who names itself is judged by itself alone": {clients{"a": trusts(lab), "b": trusts(root)}, lab, nil, policies.Hint{Parameter: "b"}, policies.Options{}, "b by chain"},
		"nor one that another pins who is off":           {clients{"a": with(trusts(lab), "status", "off"), "b": trusts(root)}, lab, nil, policies.Hint{Route: "b"}, policies.Options{}, "refused: client_conflict"},
		"the named client and another pin it":            {clients{"a": with(trusts(lab), "status", "off"), "b": trusts(lab, root)}, lab, nil, policies.Hint{Route: "b"}, policies.Options{}, "b by pin"},
		"anchors of one client validate nobody else's":   {clients{"a": trusts(root), "b": trusts(otherRoot)}, lab, nil, policies.Hint{Parameter: "b"}, policies.Options{}, "b refuses: path_not_found"},
		"a client without any certificate":               {clients{"a": {}}, self, nil, policies.Hint{Parameter: "a"}, policies.Options{}, "a refuses: certificate_not_pinned"},
		"no clients at all":                              {clients{}, self, nil, policies.Hint{}, policies.Options{}, "refused: client_unknown"},
	} {
		t.Run(sentence, func(t *testing.T) {
			// The order in which clients came may not show.
			order := inOrder(c.clients)
			for range 2 {
				s := snapshot(t, c.options, c.clients, order)
				if got := decide(s, chainOf(c.leaf, c.presented...), c.hint, time.Now()); got != c.want {
					t.Errorf("clients in order %v: got %s, want %s", order, got, c.want)
				}
				slices.Reverse(order)
			}
		})
	}
}

// A hundred CAs of one name: without the key identifier, finding the one that
// signed would cost more checks than a decision may.
func TestManyCAsOfOneNameAreFoundByKeyIdentifier(t *testing.T) {
	const count = 100
	b := policies.Empty(policies.Options{}).Edit()
	var cas []*testca.Issued
	for i := range count {
		cas = append(cas, selfSigned(t, ca("Root CA")))
		b.Put(client(t, fmt.Sprint("c", i), fields{"certificateTrustStore": store(cas[i])}))
	}
	s := b.Snapshot()
	for _, i := range []int{0, 49, 50, count - 1} {
		want := fmt.Sprintf("c%d by chain", i)
		if got := decide(s, chainOf(issue(t, cas[i], leaf("x"))), policies.Hint{}, time.Now()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Names are free to choose: the CAs of others that have the name of a client's
// CA, and dear keys, are not to use up what its decisions may cost.
func TestDearCAsOfOneNameDoNotUseUpTheChecksOfOthers(t *testing.T) {
	mine := selfSigned(t, ca("Root CA"))
	b := policies.Empty(policies.Options{}).Edit()
	b.Put(client(t, "mine", fields{"certificateTrustStore": store(mine)}))
	for i := range 7 {
		dear := ca("Root CA")
		dear.Key = newKey(t, testca.P521)
		b.Put(client(t, fmt.Sprint("a", i), fields{"certificateTrustStore": store(selfSigned(t, dear))}))
	}
	if got, want := decide(b.Snapshot(), chainOf(issue(t, mine, leaf("x"))), policies.Hint{}, time.Now()), "mine by chain"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// So are key identifiers.
func TestDearCAsOfOneNameAndKeyIdentifierDoNotUseUpTheChecksOfOthers(t *testing.T) {
	mine := selfSigned(t, ca("Root CA"))
	identifier := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 14}, Value: append([]byte{4, byte(len(mine.Certificate.SubjectKeyId))}, mine.Certificate.SubjectKeyId...)}
	b := policies.Empty(policies.Options{}).Edit()
	for i := range 30 {
		dear := testca.Template{CommonName: "Root CA", CA: true, Key: newKey(t, testca.P521), ExtraExtensions: []pkix.Extension{identifier}}
		b.Put(client(t, fmt.Sprint("a", i), fields{"certificateTrustStore": store(selfSigned(t, dear))}))
	}
	b.Put(client(t, "mine", fields{"certificateTrustStore": store(mine)}))
	if got, want := decide(b.Snapshot(), chainOf(issue(t, mine, leaf("x"))), policies.Hint{}, time.Now()), "mine by chain"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// One document may have a thousand CAs of that name, which have no key identifier: no
// guess is spent on them once the certificate's own has led to the CA.
func TestManyCAsWithoutKeyIdentifierDoNotUseUpTheChecksOfOthers(t *testing.T) {
	mine := selfSigned(t, ca("Root CA"))
	var many []*testca.Issued
	for range truststore.MaxSignatureChecks + 10 {
		many = append(many, selfSigned(t, testca.Template{CommonName: "Root CA", KeyUsage: signAndIssue(), ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}}}))
		if last := many[len(many)-1].Certificate; !last.IsCA || last.SubjectKeyId != nil {
			t.Fatal("not a CA without a key identifier")
		}
	}
	s := snapshotOf(t, clients{"mine": {"certificateTrustStore": store(mine)}, "many": {"certificateTrustStore": store(many...)}})
	if got, want := decide(s, chainOf(issue(t, mine, leaf("x"))), policies.Hint{}, time.Now()), "mine by chain"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestManyCAsOfOneNameAreFoundWithoutKeyIdentifier(t *testing.T) {
	for count, want := range map[int]string{
		// One check more that nobody is above it; found, it is judged by the standard,
		// which demands the identifier.
		truststore.MaxSignatureChecks - 1: "last refuses: path_invalid",
		truststore.MaxSignatureChecks + 1: "refused: path_too_complex",
	} {
		b := policies.Empty(policies.Options{}).Edit()
		for i := range count - 1 {
			b.Put(client(t, fmt.Sprint("c", i), fields{"certificateTrustStore": store(selfSigned(t, ca("Root CA")))}))
		}
		last := selfSigned(t, ca("Root CA"))
		b.Put(client(t, "last", fields{"certificateTrustStore": store(last)}))
		last.Certificate.SubjectKeyId = nil // so that Issue writes no authorityKeyIdentifier
		if got := decide(b.Snapshot(), chainOf(issue(t, last, leaf("x"))), policies.Hint{}, time.Now()); got != want {
			t.Errorf("%d CAs: got %s, want %s", count, got, want)
		}
	}
}

func TestCAsAboveOneAnotherAreFollowedToABound(t *testing.T) {
	for above, want := range map[int]string{8: "refused: client_ambiguous", 9: "refused: path_too_complex"} {
		b := policies.Empty(policies.Options{}).Edit()
		lowest := selfSigned(t, ca("root"))
		b.Put(client(t, "top", fields{"certificateTrustStore": store(lowest), "tlsClientAuth": subject("CN=lab")}))
		for i := range above {
			lowest = issue(t, lowest, ca(fmt.Sprint("CA ", i)))
			b.Put(client(t, fmt.Sprint("c", i), fields{"certificateTrustStore": store(lowest), "tlsClientAuth": subject("CN=c")}))
		}
		b.Put(client(t, "bottom", fields{"certificateTrustStore": store(lowest), "tlsClientAuth": subject("CN=lab")}))
		if got := decide(b.Snapshot(), chainOf(issue(t, lowest, leaf("lab"))), policies.Hint{}, time.Now()); got != want {
			t.Errorf("%d CAs above the issuer: got %s, want %s", above, got, want)
		}
	}
}

func TestAcceptedHoldsUntilTheFirstEndOnThePath(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true, NotAfter: time.Now().Add(time.Hour)})
	lab, self := issue(t, root, leaf("lab")), selfSigned(t, leaf("self"))
	s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(root, self)}})
	for sentence, c := range map[string]struct {
		leaf  *testca.Issued
		until time.Time
		path  int
	}{
		"by chain, the anchor ends first": {lab, root.Certificate.NotAfter, 2},
		"by pin":                          {self, self.Certificate.NotAfter, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			accepted, err := s.Client("a").Judge(s, chainOf(c.leaf), nil, time.Now(), nil)
			if err != nil || !accepted.Until.Equal(c.until) || len(accepted.Path) != c.path {
				t.Errorf("until %s, %d certificates, %v", accepted.Until, len(accepted.Path), err)
			}
		})
	}
}

func TestTheTraceTellsHowItWent(t *testing.T) {
	seed := seedCertificate(t)
	s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(seed)}})
	var trace decision.Trace
	chain := chainOf(seed)
	found, err := s.Resolve(chain, policies.Hint{}, &trace)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := found.Judge(s, chain, nil, time.Now(), &trace); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the certificate is pinned by client a",
		"client a",
		"pinned; it is a CA and also issues for this client, until " + seed.Certificate.NotAfter.UTC().Format(time.RFC3339),
	}
	var got []string
	for _, entry := range trace.Entries() {
		got = append(got, entry.Detail)
	}
	if !slices.Equal(got, want) {
		t.Errorf("trace %q, want %q", got, want)
	}
}

func TestADenialNamesFiveClientsAtMost(t *testing.T) {
	self := selfSigned(t, leaf("self"))
	all := clients{}
	for i := range 9 {
		all[fmt.Sprint("c", i)] = fields{"certificateTrustStore": store(self)}
	}
	_, err := snapshotOf(t, all).Resolve(chainOf(self), policies.Hint{}, nil)
	if got, want := err.Error(), "client_ambiguous: certificate: pinned by c0, c1, c2, c3, c4, others"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Where every client has to be bound, one without a subject is accepted by pin only.
func TestARequiredBindingLeavesNobodyUnboundToAChain(t *testing.T) {
	one, two, own := selfSigned(t, ca("one")), selfSigned(t, ca("two")), selfSigned(t, leaf("own"))
	all := clients{
		"unbound": {"certificateTrustStore": store(one, own)},
		"bound":   {"certificateTrustStore": store(two), "tlsClientAuth": fields{"sanUri": "spiffe://td/a"}},
	}
	ofBound := issue(t, two, testca.Template{URIs: []string{"spiffe://td/a"}})
	for sentence, options := range map[string]policies.Options{
		"required":                           {RequireBinding: true},
		"required, though CAs may be shared": {RequireBinding: true, AllowSharedAnchors: true},
	} {
		s := snapshot(t, options, all, inOrder(all))
		for _, c := range []struct {
			what  string
			chain *truststore.Chain
			hint  policies.Hint
			want  string
		}{
			{"its pin", chainOf(own), policies.Hint{}, "unbound by pin"},
			{"its CA", chainOf(issue(t, one, leaf("x"))), policies.Hint{}, "refused: subject_mismatch"},
			{"its CA, named", chainOf(issue(t, one, leaf("x"))), policies.Hint{Parameter: "unbound"}, "unbound refuses: subject_mismatch"},
			{"a bound one", chainOf(ofBound), policies.Hint{}, "bound by chain"},
		} {
			if got := decide(s, c.chain, c.hint, time.Now()); got != c.want {
				t.Errorf("%s, %s: got %s, want %s", sentence, c.what, got, c.want)
			}
		}
	}
}
