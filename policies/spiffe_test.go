package policies_test

import (
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

func svid(ids ...string) testca.Template { return testca.Template{CommonName: "svid", URIs: ids} }

func TestAnSVIDFindsItsClient(t *testing.T) {
	root, other := selfSigned(t, ca("root")), selfSigned(t, ca("other"))
	inter := issue(t, root, ca("inter"))
	id := func(text string) fields {
		return fields{"certificateTrustStore": store(root), "spiffe": fields{"id": text}}
	}
	domain := func(name string) fields {
		return fields{"certificateTrustStore": store(root), "spiffe": fields{"trustDomain": name}}
	}
	by := func(of fields, more fields) fields {
		for name, value := range more {
			of[name] = value
		}
		return of
	}
	a := issue(t, root, svid("spiffe://td/a"))
	signer := svid("spiffe://td/a")
	signer.KeyUsage = signAndIssue()
	for sentence, c := range map[string]struct {
		clients   clients
		presented *testca.Issued
		want      string
	}{
		"by its ID":                           {clients{"x": id("spiffe://td/a"), "y": id("spiffe://td/b")}, a, "x by chain"},
		"by its trust domain":                 {clients{"x": domain("td"), "y": domain("other")}, a, "x by chain"},
		"below an intermediate":               {clients{"x": id("spiffe://td/a"), "y": id("spiffe://td/b")}, issue(t, inter, svid("spiffe://td/a")), "x by chain"},
		"by tls_client_auth":                  {clients{"x": by(id("spiffe://td/a"), fields{"tokenEndpointAuthMethod": "tls_client_auth"})}, a, "x by chain"},
		"no client of its ID":                 {clients{"x": id("spiffe://td/b"), "y": id("spiffe://td/c")}, a, "refused: client_unknown"},
		"another ID, and one client":          {clients{"x": id("spiffe://td/b")}, a, "refused: subject_mismatch"},
		"another trust domain":                {clients{"x": domain("td.example")}, a, "refused: subject_mismatch"},
		"its own ID and its trust domain":     {clients{"x": id("spiffe://td/a"), "y": domain("td")}, a, "refused: client_ambiguous"},
		"the ID as sanUri and as spiffe":      {clients{"x": id("spiffe://td/a"), "y": {"certificateTrustStore": store(root), "tlsClientAuth": fields{"sanUri": "spiffe://td/a"}}}, a, "refused: client_ambiguous"},
		"the other of the two has another CA": {clients{"x": id("spiffe://td/a"), "y": {"certificateTrustStore": store(other), "spiffe": fields{"trustDomain": "td"}}}, a, "x by chain"},
		"an ID that another CA gave":          {clients{"x": id("spiffe://td/a")}, issue(t, other, svid("spiffe://td/a")), "refused: client_unknown"},
		"two URIs, one of them the ID":        {clients{"x": id("spiffe://td/a")}, issue(t, root, svid("spiffe://td/a", "https://td/")), "refused: subject_mismatch"},
		"two IDs of the trust domain":         {clients{"x": domain("td")}, issue(t, root, svid("spiffe://td/a", "spiffe://td/b")), "refused: subject_mismatch"},
		"the trust domain's own ID":           {clients{"x": domain("td")}, issue(t, root, svid("spiffe://td")), "refused: subject_mismatch"},
		"an ID that may issue":                {clients{"x": id("spiffe://td/a")}, issue(t, root, signer), "refused: subject_mismatch"},
		"pinned, whatever its ID":             {clients{"x": by(id("spiffe://td/b"), fields{"certificateTrustStore": store(root, a)})}, a, "x by pin"},
		"beside a client that binds nothing":  {clients{"x": id("spiffe://td/a"), "y": {"certificateTrustStore": store(root)}}, a, "x by chain"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := snapshotOf(t, c.clients)
			if got := decide(s, chainOf(c.presented, inter), policies.Hint{}, time.Now()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAClientThatIsNamedIsHeldToItsSVID(t *testing.T) {
	root := selfSigned(t, ca("root"))
	s := snapshotOf(t, clients{"x": {"certificateTrustStore": store(root), "spiffe": fields{"trustDomain": "td"}}})
	hint := policies.Hint{Parameter: "x"}
	for sentence, c := range map[string]struct {
		presented testca.Template
		want      string
	}{
		"a member":               {svid("spiffe://td/a"), "x by chain"},
		"of another":             {svid("spiffe://other/a"), "x refuses: subject_mismatch"},
		"two URIs":               {svid("spiffe://td/a", "spiffe://td/b"), "x refuses: subject_mismatch"},
		"no URI":                 {svid(), "x refuses: subject_mismatch"},
		"a trust domain's own":   {svid("spiffe://td"), "x refuses: subject_mismatch"},
		"a member of below":      {svid("spiffe://a.td/a"), "x refuses: subject_mismatch"},
		"an escape in its path":  {svid("spiffe://td/%61"), "x refuses: subject_mismatch"},
		"a member in upper case": {svid("spiffe://TD/a"), "x refuses: subject_mismatch"},
	} {
		if got := decide(s, chainOf(issue(t, root, c.presented)), hint, time.Now()); got != c.want {
			t.Errorf("%s: got %s, want %s", sentence, got, c.want)
		}
	}
}

func TestADenialSaysWhyACertificateIsNoSVID(t *testing.T) {
	root := selfSigned(t, ca("root"))
	two := issue(t, root, svid("spiffe://td/a", "spiffe://td/b"))
	for sentence, of := range map[string]clients{
		"one client":  {"x": {"certificateTrustStore": store(root), "spiffe": fields{"trustDomain": "td"}}},
		"two clients": {"x": {"certificateTrustStore": store(root), "spiffe": fields{"id": "spiffe://td/a"}}, "y": {"certificateTrustStore": store(root), "spiffe": fields{"id": "spiffe://td/b"}}},
	} {
		_, err := snapshotOf(t, of).Resolve(chainOf(two), policies.Hint{}, nil)
		if err == nil || !strings.Contains(err.Error(), "it is no X509-SVID: it has 2 URIs") {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

// Only that no other client claims a certificate gives it to the client of the trust
// domain: that a document is turned off does not.
func TestAnIDThatIsTurnedOffLeavesItsCertificatesToNobody(t *testing.T) {
	root := selfSigned(t, ca("root"))
	a := issue(t, root, svid("spiffe://td/a"))
	whole := client(t, "whole", fields{"certificateTrustStore": store(root), "spiffe": fields{"trustDomain": "td"}})
	one := client(t, "one", fields{"certificateTrustStore": store(root), "spiffe": fields{"id": "spiffe://td/a"}})
	b := policies.Empty(policies.Options{}).Edit()
	b.Put(one)
	b.Put(whole)
	both := b.Snapshot()
	b = both.Edit()
	b.TurnOff("one")
	off := b.Snapshot()
	b = off.Edit()
	b.Remove("one")
	gone := b.Snapshot()
	for _, c := range []struct {
		s    *policies.Snapshot
		want string
	}{{both, "refused: client_ambiguous"}, {off, "refused: client_ambiguous"}, {gone, "whole by chain"}} {
		if got := decide(c.s, chainOf(a), policies.Hint{}, time.Now()); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestASPIFFEFieldThatIsNoneIsAFault(t *testing.T) {
	const whole = `; for every workload of a trust domain write {"trustDomain": "td.example"}`
	for sentence, c := range map[string]struct {
		of   fields
		want string
	}{
		"nothing in it":                 {fields{"spiffe": fields{}}, "spiffe: has neither id nor trustDomain"},
		"no object":                     {fields{"spiffe": "spiffe://td/a"}, `spiffe: is not an object, such as {"id": "spiffe://td.example/path"}`},
		"an unknown field":              {fields{"spiffe": fields{"path": "/a"}}, "spiffe.path: is not known: one of id, trustDomain"},
		"a field in other letters":      {fields{"spiffe": fields{"trust_domain": "td"}}, "is not known: one of id, trustDomain (did you mean trustDomain?)"},
		"an ID and a trust domain":      {fields{"spiffe": fields{"id": "spiffe://td/a", "trustDomain": "td"}}, "a client is one workload or those of one trust domain: keep one of the fields"},
		"no text":                       {fields{"spiffe": fields{"id": 1}}, "spiffe.id: is not a string"},
		"an ID without a path":          {fields{"spiffe": fields{"id": "spiffe://td"}}, "spiffe.id: is a trust domain's own SPIFFE ID: whoever authenticates has one with a path (X509-SVID 3.1)" + whole},
		"a trust domain as ID":          {fields{"spiffe": fields{"id": "td.example"}}, "spiffe.id: is no SPIFFE ID: scheme is missing or invalid" + whole},
		"an ID in upper case":           {fields{"spiffe": fields{"id": "spiffe://TD/a"}}, "spiffe.id: is no SPIFFE ID: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"},
		"an ID as trust domain":         {fields{"spiffe": fields{"trustDomain": "spiffe://td"}}, "spiffe.trustDomain: is no trust domain: write the name alone, without spiffe:// and path"},
		"beside tlsClientAuth":          {fields{"spiffe": fields{"trustDomain": "td"}, "tlsClientAuth": fields{"sanDns": "a.example"}}, "spiffe: stands beside tlsClientAuth: a client is bound to one subject"},
		"with self_signed_tls_client_…": {fields{"spiffe": fields{"trustDomain": "td"}, "tokenEndpointAuthMethod": "self_signed_tls_client_auth"}, "spiffe: has no meaning with self_signed_tls_client_auth, which accepts pinned certificates only"},
	} {
		documents, err := policies.ParseFile("a.json", documentJSON(t, c.of))
		if err != nil || documents[0].Fault == nil || !strings.HasSuffix(documents[0].Fault.Error(), c.want) {
			t.Errorf("%s: %v, %v", sentence, err, documents[0].Fault)
		}
	}
}

// What a faulty document is bound to stays its client's.
func TestASlipInASPIFFEFieldHandsItsCertificatesToNobody(t *testing.T) {
	root := selfSigned(t, ca("root"))
	a := issue(t, root, svid("spiffe://td/a"))
	named := testca.Template{CommonName: "svid", DNSNames: []string{"a.example"}}
	for sentence, c := range map[string]struct {
		broken    fields
		other     fields
		presented *testca.Issued
	}{
		"a misspelled field beside it":   {fields{"spiffe": fields{"id": "spiffe://td/a", "ID": "x"}}, fields{"spiffe": fields{"trustDomain": "td"}}, a},
		"a misspelled name of it":        {fields{"Spiffe": fields{"trustDomain": "td"}}, fields{"spiffe": fields{"id": "spiffe://td/a"}}, a},
		"both, and the ID":               {fields{"spiffe": fields{"id": "spiffe://td/a"}, "tlsClientAuth": fields{"sanDns": "a.example"}}, fields{"spiffe": fields{"trustDomain": "td"}}, a},
		"both, and the host":             {fields{"spiffe": fields{"id": "spiffe://td/a"}, "tlsClientAuth": fields{"sanDns": "a.example"}}, fields{"tlsClientAuth": fields{"subjectDn": "CN=svid"}}, issue(t, root, named)},
		"pins only, and bound":           {fields{"spiffe": fields{"id": "spiffe://td/a"}, "tokenEndpointAuthMethod": "self_signed_tls_client_auth"}, fields{"spiffe": fields{"trustDomain": "td"}}, a},
		"a second one, which stands too": {fields{"spiffe": fields{"id": "spiffe://td/a", "trustDomain": "x"}}, fields{"spiffe": fields{"trustDomain": "td"}}, a},
	} {
		c.broken["certificateTrustStore"], c.other["certificateTrustStore"] = store(root), store(root)
		documents, err := policies.ParseFile("broken.json", documentJSON(t, c.broken))
		if err != nil || documents[0].Remnant == nil {
			t.Fatalf("%s: %v", sentence, err)
		}
		b := policies.Empty(policies.Options{}).Edit()
		b.Put(documents[0].Remnant)
		b.Put(client(t, "other", c.other))
		_, err = b.Snapshot().Resolve(chainOf(c.presented), policies.Hint{}, nil)
		if decision.ReasonOf(err) != decision.ClientAmbiguous {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}
