package policies_test

import (
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

// The document of x has a fault and was never good. What is x's must not become
// y's, who trusts the same CA and is bound to nothing.
func TestADocumentWithAFaultKeepsItsCertificatesFromOthers(t *testing.T) {
	root := selfSigned(t, ca("root"))
	x, self := issue(t, root, leaf("x")), selfSigned(t, leaf("x"))
	pinned, trusted := store(x), store(root)
	bound := subject("CN=x")
	for sentence, c := range map[string]struct {
		of   fields
		want string
	}{
		"a pin beside an unknown field":         {fields{"certificateTrustStore": pinned, "naame": "x"}, "x refuses: client_inactive"},
		"a pin of a client that is off":         {fields{"certificateTrustStore": pinned, "status": "off", "naame": "x"}, "x refuses: client_inactive"},
		"a pin behind text":                     {fields{"certificateTrustStore": "CN = x\n" + pinned}, "x refuses: client_inactive"},
		"a pin before a cut block":              {fields{"certificateTrustStore": pinned + pinned[:len(pinned)/2]}, "x refuses: client_inactive"},
		"a pin behind a cut block":              {fields{"certificateTrustStore": "-----BEGIN CERTIFICATE-----\nAAAA\n" + pinned}, "x refuses: client_inactive"},
		"a pin in a list":                       {fields{"certificateTrustStore": []string{store(self), pinned}}, "x refuses: client_inactive"},
		"a pin in a misspelled field":           {fields{"certificateTruststore": pinned}, "x refuses: client_inactive"},
		"a pin beside a method that is none":    {fields{"certificateTrustStore": pinned, "tokenEndpointAuthMethod": "pinned"}, "x refuses: client_inactive"},
		"a CA and its subject":                  {fields{"certificateTrustStore": trusted, "tlsClientAuth": bound, "naame": "x"}, "x refuses: client_inactive"},
		"a CA and two subjects":                 {fields{"certificateTrustStore": trusted, "tlsClientAuth": fields{"sanDns": "x.example", "subjectDn": "CN=x"}}, "x refuses: client_inactive"},
		"a CA and a subject of another name":    {fields{"certificateTrustStore": trusted, "tlsclientauth": bound}, "x refuses: client_inactive"},
		"a CA and a subject that is none":       {fields{"certificateTrustStore": trusted, "tlsClientAuth": subject("x")}, "refused: anchor_shared_unbound"},
		"a CA and no subject":                   {fields{"certificateTrustStore": trusted, "naame": "x"}, "refused: anchor_shared_unbound"},
		"a CA and a missing subject":            {fields{"certificateTrustStore": trusted, "tokenEndpointAuthMethod": "tls_client_auth"}, "refused: anchor_shared_unbound"},
		"a CA of a method that has none":        {fields{"certificateTrustStore": trusted, "tokenEndpointAuthMethod": "self_signed_tls_client_auth", "naame": "x"}, "y by chain"},
		"a subject with a method that has none": {fields{"certificateTrustStore": trusted, "tokenEndpointAuthMethod": "self_signed_tls_client_auth", "tlsClientAuth": bound}, "x refuses: client_inactive"},
		"nothing of this certificate":           {fields{"certificateTrustStore": store(self), "naame": "x"}, "y by chain"},
	} {
		t.Run(sentence, func(t *testing.T) {
			documents, err := policies.ParseFile("x.json", documentJSON(t, c.of))
			if err != nil || documents[0].Fault == nil || documents[0].Client != nil {
				t.Fatalf("%v, fault %v", err, documents[0].Fault)
			}
			b := policies.Empty(policies.Options{}).Edit()
			b.Put(client(t, "y", fields{"certificateTrustStore": trusted}))
			b.Put(policies.Remnant("x", false, documents[0].Remnant))
			if got := decide(b.Snapshot(), chainOf(x), policies.Hint{}, time.Now()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			b.Remove("x")
			if got := decide(b.Snapshot(), chainOf(x), policies.Hint{}, time.Now()); got != "y by chain" {
				t.Errorf("without x: got %s, want y by chain", got)
			}
		})
	}
}

func TestMembersThatStandTwiceAllCount(t *testing.T) {
	root, other := selfSigned(t, ca("root")), selfSigned(t, ca("other"))
	quoted := func(text string) string { return `"` + strings.ReplaceAll(text, "\n", `\n`) + `"` }
	text := `{"resourceType":"ClientApplication","id":"x","certificateTrustStore":` + quoted(store(other)) + `,"certificateTrustStore":` + quoted(store(root)) +
		`,"tlsClientAuth":{"subjectDn":"CN=a"},"tlsClientAuth":{"subjectDn":"CN=x"},"tokenEndpointAuthMethod":"self_signed_tls_client_auth","tokenEndpointAuthMethod":"tls_client_auth"}`
	documents, err := policies.ParseFile("x.json", []byte(text))
	if err != nil || documents[0].Fault == nil {
		t.Fatal(err, documents)
	}
	b := policies.Empty(policies.Options{}).Edit()
	b.Put(client(t, "y", fields{"certificateTrustStore": store(root, other)}))
	b.Put(documents[0].Remnant)
	for what, issuer := range map[string]*testca.Issued{"root": root, "other": other} {
		for _, name := range []string{"a", "x"} {
			if got := decide(b.Snapshot(), chainOf(issue(t, issuer, leaf(name))), policies.Hint{}, time.Now()); got != "x refuses: client_inactive" {
				t.Errorf("%s by %s: got %s", name, what, got)
			}
		}
	}
}

func TestARemnantOfSeveralDocumentsHasWhatEachOfThemHas(t *testing.T) {
	root, other := selfSigned(t, ca("root")), selfSigned(t, ca("other"))
	self := selfSigned(t, leaf("self"))
	first := client(t, "x", fields{"certificateTrustStore": store(root), "tlsClientAuth": subject("CN=x")})
	second := client(t, "x", fields{"certificateTrustStore": store(root, other, self), "tlsClientAuth": subject("CN=b")})
	b := policies.Empty(policies.Options{}).Edit()
	b.Put(client(t, "y", fields{"certificateTrustStore": store(root, other)}))
	r := b.Put(policies.Remnant("x", true, first, second))
	if !r.IsRemnant() || r.Status() != policies.StatusOff || len(r.Pins()) != 3 || len(r.Anchors()) != 2 {
		t.Errorf("remnant %t, %s, %d pins, %d anchors", r.IsRemnant(), r.Status(), len(r.Pins()), len(r.Anchors()))
	}
	s := b.Snapshot()
	for sentence, c := range map[string]struct {
		chain func() string
		want  string
	}{
		"the pin":            {func() string { return decide(s, chainOf(self), policies.Hint{}, time.Now()) }, "x refuses: client_inactive"},
		"the first subject":  {func() string { return decide(s, chainOf(issue(t, root, leaf("x"))), policies.Hint{}, time.Now()) }, "x refuses: client_inactive"},
		"the second subject": {func() string { return decide(s, chainOf(issue(t, other, leaf("b"))), policies.Hint{}, time.Now()) }, "x refuses: client_inactive"},
		"another subject":    {func() string { return decide(s, chainOf(issue(t, root, leaf("c"))), policies.Hint{}, time.Now()) }, "refused: anchor_shared_unbound"},
	} {
		if got := c.chain(); got != c.want {
			t.Errorf("%s: got %s, want %s", sentence, got, c.want)
		}
	}
	b = s.Edit()
	b.Remove("x")
	if got := decide(b.Snapshot(), chainOf(issue(t, root, leaf("c"))), policies.Hint{}, time.Now()); got != "y by chain" {
		t.Errorf("without x: got %s, want y by chain", got)
	}
}
