package truststore_test

import (
	"crypto/x509/pkix"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

func host(names ...string) testca.Template {
	return testca.Template{CommonName: "leaf", DNSNames: names}
}

func mail(addresses ...string) testca.Template {
	return testca.Template{CommonName: "leaf", Emails: addresses}
}

func at(uris ...string) testca.Template { return testca.Template{CommonName: "leaf", URIs: uris} }

func ip(addresses ...string) testca.Template {
	template := testca.Template{CommonName: "leaf"}
	for _, address := range addresses {
		parsed := net.ParseIP(address)
		if four := parsed.To4(); four != nil {
			parsed = four
		}
		template.IPs = append(template.IPs, parsed)
	}
	return template
}

func of(organization string) testca.Template {
	return testca.Template{Organization: organization, CommonName: "leaf"}
}

// named is a leaf whose subjectAltName is given in DER.
func named(alternatives ...[]byte) testca.Template {
	return with(ce(17, false, tlv(0x30, slices.Concat(alternatives...)...)...))
}

// organizationIn is a name of one organization in a string type.
func organizationIn(tag byte, text string) []byte {
	return tlv(0x30, tlv(0x31, tlv(0x30, append([]byte{6, 3, 0x55, 4, 10}, tlv(tag, []byte(text)...)...)...)...)...)
}

func TestNameConstraintsBothWays(t *testing.T) {
	other := func(tag byte) []byte { return subtreeOf(tag, tlv(6, 0x2a, 3)) }
	otherName := tlv(0xa0, append(tlv(6, 0x2a, 3), tlv(0xa0, tlv(0x0c, 'x')...)...)...)
	smtp := tlv(0xa0, append([]byte{6, 8, 0x2b, 6, 1, 5, 5, 7, 8, 9}, tlv(0xa0, tlv(0x0c, []byte("é@lab.example")...)...)...)...)
	t61 := organizationIn(20, "Acme")
	mapped := net.ParseIP("192.0.2.7").To16()
	mailSubject := with()
	mailSubject.ExtraExtensions = nil

	for sentence, c := range map[string]struct {
		by   pkix.Extension
		leaf testca.Template
		want string
	}{
		"a permitted host":                        {permits(dns("lab.example")), host("lab.example"), "accepted"},
		"a host below a permitted one":            {permits(dns("lab.example")), host("a.b.Lab.example"), "accepted"},
		"a host that only ends like it":           {permits(dns("lab.example")), host("evillab.example"), "path_invalid"},
		"a second host that is not permitted":     {permits(dns("lab.example")), host("lab.example", "other.example"), "path_invalid"},
		"one of two permitted hosts":              {permits(dns("a.example"), dns("b.example")), host("b.example"), "accepted"},
		"no host where hosts are constrained":     {permits(dns("lab.example")), with(), "accepted"},
		"every host":                              {permits(dns("")), host("lab.example"), "accepted"},
		"an excluded host":                        {excludes(dns("lab.example")), host("a.lab.example"), "path_invalid"},
		"a host beside an excluded one":           {excludes(dns("lab.example")), host("xlab.example"), "accepted"},
		"a wildcard within a permitted host":      {permits(dns("lab.example")), host("*.lab.example"), "accepted"},
		"a wildcard above a permitted host":       {permits(dns("a.lab.example")), host("*.lab.example"), "path_invalid"},
		"a wildcard that covers an excluded host": {excludes(dns("a.lab.example")), host("*.lab.example"), "path_invalid"},
		"a wildcard beside an excluded host":      {excludes(dns("a.b.lab.example")), host("*.lab.example"), "accepted"},
		"a host with a dot before it":             {permits(dns(".lab.example")), host("a.lab.example"), "certificate_malformed or path_invalid"},

		"a mailbox of exactly that host":      {permits(email("lab.example")), mail("a@LAB.example"), "accepted"},
		"a mailbox of a host below it":        {permits(email("lab.example")), mail("a@b.lab.example"), "path_invalid"},
		"a mailbox below a domain":            {permits(email(".lab.example")), mail("a@b.lab.example"), "accepted"},
		"a mailbox of the domain itself":      {permits(email(".lab.example")), mail("a@lab.example"), "path_invalid"},
		"the mailbox":                         {permits(email("a@lab.example")), mail("a@LAB.example"), "accepted"},
		"the mailbox in other letters":        {permits(email("a@lab.example")), mail("A@lab.example"), "path_invalid"},
		"a mailbox, permitted the empty host": {permits(email("")), mail("a@lab.example"), "path_invalid"},
		"a mailbox, excluded the empty host":  {excludes(email("")), mail("a@lab.example"), "path_invalid"},
		"an excluded mailbox":                 {excludes(email("a@lab.example")), mail("a@lab.example"), "path_invalid"},
		"a mailbox beside an excluded one":    {excludes(email("a@lab.example")), mail("b@lab.example"), "accepted"},
		"a mailbox with an @ within quotes":   {permits(email("lab.example")), mail(`"a@lab.example"@evil.example`), "path_invalid"},
		"two mailboxes in one":                {permits(email("lab.example")), mail("a@evil.example@lab.example"), "path_invalid"},
		"a mailbox with a control character":  {permits(email("lab.example")), mail("a\x00@lab.example"), "path_invalid"},
		"a mailbox in a list":                 {permits(email("lab.example")), mail("x@evil.example,a@lab.example"), "path_invalid"},
		"an excluded mailbox in quotes":       {excludes(email("a@lab.example")), mail(`"\a"@lab.example`), "path_invalid"},
		"a permitted mailbox in quotes":       {permits(email("a@lab.example")), mail(`"a"@lab.example`), "accepted"},
		"a mailbox whose quotes end early":    {permits(email("lab.example")), mail(`"a"@evil.example,"@lab.example`), "path_invalid"},
		"a mailbox at an address literal":     {excludes(email("lab.example")), mail("a@[192.0.2.7]"), "path_invalid"},
		"an address literal, unconstrained":   {permits(dns("lab.example")), mail("a@[192.0.2.7]"), "accepted"},
		"a mailbox beyond ASCII, constrained": {permits(email("lab.example")), named(smtp), "path_invalid"},
		"a mailbox beyond ASCII":              {permits(dns("lab.example")), named(smtp), "accepted"},

		"a URI of exactly that host":         {permits(uri("lab.example")), at("https://LAB.example:8443/x"), "accepted"},
		"a URI of a host below it":           {permits(uri("lab.example")), at("https://a.lab.example/"), "path_invalid"},
		"a URI below a domain":               {permits(uri(".lab.example")), at("https://a.lab.example/"), "accepted"},
		"a URI of the domain itself":         {permits(uri(".lab.example")), at("https://lab.example/"), "path_invalid"},
		"a URI with the host as its user":    {permits(uri("lab.example")), at("https://lab.example@evil.example/"), "path_invalid"},
		"a URI with the host in its path":    {permits(uri("lab.example")), at("https://evil.example/lab.example"), "path_invalid"},
		"a URI without a host":               {permits(uri("lab.example")), at("urn:lab.example"), "path_invalid"},
		"a URI without a host, and excluded": {excludes(uri("lab.example")), at("urn:x"), "path_invalid"},
		"a URI of an address":                {excludes(uri("lab.example")), at("https://192.0.2.7/"), "path_invalid"},
		"a URI, permitted the empty host":    {permits(uri("")), at("https://lab.example/"), "path_invalid"},
		"a URI, excluded the empty host":     {excludes(uri("")), at("https://lab.example/"), "path_invalid"},
		"an excluded URI":                    {excludes(uri("lab.example")), at("spiffe://lab.example/a"), "path_invalid"},
		"a URI beside an excluded one":       {excludes(uri("lab.example")), at("spiffe://td.example/a"), "accepted"},

		"an address within the network":                 {permits(network(t, "192.0.2.0/24")), ip("192.0.2.7"), "accepted"},
		"an address beside the network":                 {permits(network(t, "192.0.2.0/24")), ip("192.0.3.7"), "path_invalid"},
		"an IPv6 address where IPv4 is permitted":       {permits(network(t, "192.0.2.0/24")), ip("2001:db8::7"), "path_invalid"},
		"an IPv6 address within the network":            {permits(network(t, "2001:db8::/32")), ip("2001:db8::7"), "accepted"},
		"an excluded address":                           {excludes(network(t, "192.0.2.0/24")), ip("192.0.2.7"), "path_invalid"},
		"an address beside an excluded network":         {excludes(network(t, "192.0.2.0/24")), ip("198.51.100.7"), "accepted"},
		"an IPv4 address, and all IPv6 excluded":        {excludes(network(t, "::/0")), ip("192.0.2.7"), "accepted"},
		"a subject within the directory":                {permits(organization(t, "Acme")), of("Acme"), "accepted"},
		"a subject within, in other letters":            {permits(organization(t, "Acme Labs")), of("  ACME   labs"), "accepted"},
		"a subject beside the directory":                {permits(organization(t, "Acme")), of("Other"), "path_invalid"},
		"a subject that only begins like it":            {permits(organization(t, "Acme")), of("Acme2"), "path_invalid"},
		"a subject without the attribute":               {permits(organization(t, "Acme")), with(), "path_invalid"},
		"a subject that is too long to be read":         {excludes(organization(t, "Acme")), testca.Template{CommonName: strings.Repeat("a", 2100)}, "path_invalid"},
		"an excluded subject":                           {excludes(organization(t, "Acme")), of("acme"), "path_invalid"},
		"a subject beside an excluded one":              {excludes(organization(t, "Acme")), of("Other"), "accepted"},
		"an alternative directory name beside it":       {permits(organization(t, "leaf")), named(tlv(0xa4, marshal(t, pkix.Name{Organization: []string{"Other"}}.ToRDNSequence())...)), "path_invalid"},
		"an excluded alternative directory name":        {excludes(organization(t, "Acme")), named(tlv(0xa4, marshal(t, pkix.Name{Organization: []string{"Acme"}}.ToRDNSequence())...)), "path_invalid"},
		"an alternative directory name elsewhere":       {excludes(organization(t, "Acme")), named(tlv(0xa4, marshal(t, pkix.Name{Organization: []string{"Other"}}.ToRDNSequence())...)), "accepted"},
		"an excluded subject as T61String":              {excludes(organization(t, "Acme")), named(tlv(0xa4, t61...)), "path_invalid"},
		"a T61String where no names are excluded":       {excludes(dns("lab.example")), named(tlv(0xa4, t61...)), "accepted"},
		"a subject where a T61String is excluded":       {excludes(subtreeOf(0xa4, t61)), of("Other"), "path_invalid"},
		"an excluded name as VisibleString":             {excludes(organization(t, "Acme")), named(tlv(0xa4, organizationIn(26, "Acme")...)), "path_invalid"},
		"bytes that are no UTF8String, and excluded":    {excludes(organization(t, "Acme")), named(tlv(0xa4, organizationIn(12, "Acme\xff")...)), "path_invalid"},
		"an excluded address written as IPv6":           {excludes(network(t, "192.0.2.0/24")), named(tlv(0x87, mapped...)), "path_invalid"},
		"an address written as IPv6, and unconstrained": {excludes(dns("lab.example")), named(tlv(0x87, mapped...)), "accepted"},
		"a host in pieces":                              {permits(dns("lab.example")), named(tlv(0xa2, []byte("lab.example")...)), "certificate_malformed"},
		"a constraint on another kind of name":          {permits(email("lab.example")), host("other.example"), "accepted"},
		"another kind excluded, and a name of it":       {excludes(other(0xa0)), named(otherName), "path_invalid"},
		"another kind permitted, and a name of it":      {permits(other(0xa0)), named(otherName), "path_invalid"},
		"another kind, and no name of it":               {excludes(other(0xa0)), host("lab.example"), "accepted"},

		"constraints that are not critical": {ce(30, false, permits(dns("lab.example")).Value...), host("lab.example"), "path_invalid"},
		"an empty list":                     {ce(30, true, tlv(0x30, tlv(0xa0)...)...), with(), "certificate_malformed or path_invalid"},
		"a minimum":                         {ce(30, true, tlv(0x30, tlv(0xa0, tlv(0x30, append(tlv(0xa4, tlv(0x30)...), tlv(0x80, 1)...)...)...)...)...), with(), "path_invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, where := range []three{
				{root: under("root", c.by), leaf: c.leaf},
				{inter: under("inter", c.by), leaf: c.leaf},
			} {
				if where.inter.ExtraExtensions == nil && strings.Contains(c.want, "accepted") {
					// The CA between is held to the constraints too, and has to be within.
					where.inter.Organization = c.leaf.Organization
				}
				if strings.HasPrefix(c.want, "certificate_malformed or ") && !parses(c.by) {
					return // crypto/x509 does not even read the CA's certificate
				}
				if got := where.judge(t, truststore.Terms{}); got != strings.TrimPrefix(c.want, "certificate_malformed or ") {
					t.Errorf("got %s, want %s", got, c.want)
				}
			}
		})
	}
}

// parses reports whether crypto/x509 reads a CA certificate with the extension.
func parses(extension pkix.Extension) bool {
	_, err := testca.SelfSigned(testca.Template{CommonName: "CA", CA: true, ExtraExtensions: []pkix.Extension{extension}})
	return err == nil
}

func TestASelfIssuedCAIsNotHeldToTheConstraintsAboveAndALeafIs(t *testing.T) {
	for sentence, c := range map[string]struct {
		inter testca.Template
		leaf  testca.Template
		want  string
	}{
		"a CA with another host":                         {testca.Template{CommonName: "inter", DNSNames: []string{"other.example"}}, host("lab.example"), "path_invalid"},
		"a self-issued CA with another host":             {testca.Template{CommonName: "root", DNSNames: []string{"other.example"}}, host("lab.example"), "accepted"},
		"a leaf with the name of its issuer and another": {testca.Template{CommonName: "inter"}, testca.Template{CommonName: "inter", DNSNames: []string{"other.example"}}, "path_invalid"},
		"constraints below hold beside those above":      {under("inter", permits(dns("a.lab.example"))), host("b.lab.example"), "path_invalid"},
		"constraints below do not widen those above":     {under("inter", permits(dns("other.example"))), host("other.example"), "path_invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			path := three{root: under("root", permits(dns("lab.example"))), inter: c.inter, leaf: c.leaf}
			if got := path.judge(t, truststore.Terms{}); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestADenialNamesTheConstraintAndWhoseItIs(t *testing.T) {
	chain, anchors := three{inter: under("inter", permits(organization(t, "Acme"))), leaf: of("Other")}.path(t)
	_, err := truststore.Verify(chain, anchors, time.Now())
	want := `path_invalid: certificate "CN=leaf,O=Other": its subject "CN=leaf,O=Other" is not within directoryName "O=Acme", which is permitted by the nameConstraints of certificate "CN=inter"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// Without the bounds the first would take a minute.
func TestTheWorkOfNameConstraintsIsBounded(t *testing.T) {
	hosts := func(count int, suffix string) (names []string) {
		for i := range count {
			names = append(names, fmt.Sprintf("h%d.%s", i, suffix))
		}
		return names
	}
	trees := func(count int) (all [][]byte) {
		for _, name := range hosts(count, "a.example") {
			all = append(all, dns(name))
		}
		return all
	}
	for sentence, c := range map[string]struct {
		names, constraints int
		want               string
	}{
		"256 names and 100 constraints":  {256, 100, "accepted"},
		"256 names and 2000 constraints": {256, 2000, "path_too_complex"},
		"a name and 2000 constraints":    {1, 2000, "accepted"},
		"a name and 2001 constraints":    {1, 2001, "path_too_complex"},
		"257 names":                      {257, 1, "certificate_malformed"},
	} {
		t.Run(sentence, func(t *testing.T) {
			chain, anchors := three{inter: under("inter", excludes(trees(c.constraints)...)), leaf: host(hosts(c.names, "b.example")...)}.path(t)
			_, err := truststore.Verify(chain, anchors, time.Now())
			if got := reasonText(err); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

// CAs that sign each other in a ring make a path for each order in which they
// can stand.
func TestTheSearchForAPathIsBounded(t *testing.T) {
	root := selfSigned(t, ca("root"))
	_, err := truststore.Verify(ringBelow(t, root), anchorsOf(t, root), time.Now())
	if decision.ReasonOf(err) != decision.PathTooComplex || !strings.Contains(err.Error(), "steps in search of a path") {
		t.Error(err)
	}
}

func TestMailboxesInTheSubjectAreConstrainedWhereThereAreNoOtherNames(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true, ExtraExtensions: []pkix.Extension{permits(email("lab.example"))}})
	for sentence, c := range map[string]struct {
		leaf  testca.Template
		value any
		want  string
	}{
		"within":                     {with(), "a@lab.example", "accepted"},
		"outside":                    {with(), "a@other.example", "path_invalid"},
		"no text":                    {with(), 7, "path_invalid"},
		"outside, beside a DNS name": {host("a.example"), "a@other.example", "accepted"},
	} {
		leaf := *issue(t, root, c.leaf).Certificate
		leaf.Subject.Names = append(slices.Clone(leaf.Subject.Names), pkix.AttributeTypeAndValue{Type: []int{1, 2, 840, 113549, 1, 9, 1}, Value: c.value})
		_, err := truststore.Verify(truststore.NewChain(&leaf, nil), anchorsOf(t, root), time.Now())
		if got := reasonText(err); got != c.want {
			t.Errorf("%s: got %s (%v), want %s", sentence, got, err, c.want)
		}
	}
}

func TestEveryCAOfAPathTakesRoom(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true, MaxPathLen: pointer(1)})
	first := issue(t, root, ca("first"))
	second := issue(t, first, ca("second"))
	leaf := issue(t, second, testca.Template{CommonName: "leaf"})
	_, err := truststore.Verify(chainOf(leaf, first, second), anchorsOf(t, root), time.Now())
	if got := reasonText(err); got != "path_invalid" || !strings.Contains(err.Error(), `the pathLenConstraint of certificate "CN=root" leaves no room`) {
		t.Errorf("got %s (%v)", got, err)
	}
}
