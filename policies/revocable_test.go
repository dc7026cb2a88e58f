package policies_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

func TestADocumentSaysWhatItAsksOfRevocation(t *testing.T) {
	root := selfSigned(t, ca("root"))
	locations, hosts := []string{"http://ca.example/x.crl"}, []string{"CRL.example", "10.1.2.3"}
	for sentence, c := range map[string]struct {
		of   fields
		want policies.Revocation
	}{
		"nothing": {fields{}, policies.Revocation{}},
		"off":     {fields{"revocation": fields{"mode": "off"}}, policies.Revocation{}},
		"soft":    {fields{"revocation": fields{"mode": "soft"}}, policies.Revocation{Mode: revocation.Soft}},
		"hard, with all there is": {
			fields{"revocation": fields{"mode": "hard", "locations": locations, "hosts": hosts}},
			policies.Revocation{Mode: revocation.Hard, Locations: locations, Hosts: []string{"crl.example", "10.1.2.3"}},
		},
		"off, and what it was": {
			fields{"revocation": fields{"mode": "off", "locations": locations}},
			policies.Revocation{Locations: locations},
		},
		"off, with pins only": {
			fields{"revocation": fields{"mode": "off"}, "tokenEndpointAuthMethod": "self_signed_tls_client_auth"},
			policies.Revocation{},
		},
	} {
		c.of["certificateTrustStore"] = store(root)
		if diff := cmp.Diff(c.want, client(t, "a", c.of).Revocation()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", sentence, diff)
		}
	}
}

func TestARevocationThatIsNoneIsAFault(t *testing.T) {
	many := `["` + strings.Repeat(`http://a/","`, 16) + `http://a/"]`
	const host = " is no host name, such as crl.example, without scheme, port and wildcard"
	for sentence, c := range map[string]struct{ value, want string }{
		"no object":                     {`"hard"`, `revocation: is not an object, such as {"mode": "hard"}`},
		"the mode in its place":         {`"Soft"`, `revocation: is not an object, such as {"mode": "soft"}`},
		"no object and no mode":         {`true`, `revocation: is not an object, such as {"mode": "hard"}`},
		"a setting of the server":       {`{"mode": "hard", "allow": []}`, "revocation.allow: is not known: one of mode, locations, hosts; revocation.allow stands in certbearer.yaml, for all clients"},
		"nothing in it":                 {`{}`, "revocation.mode: is missing: off, soft or hard"},
		"locations alone":               {`{"locations": ["http://a/"]}`, "revocation.mode: is missing: off, soft or hard"},
		"a mode that is none":           {`{"mode": "Hard"}`, "revocation.mode: is none of off, soft, hard"},
		"a mode that is no string":      {`{"mode": true}`, "revocation.mode: is not a string"},
		"a mode twice":                  {`{"mode": "hard", "mode": "off"}`, "revocation.mode: stands twice"},
		"an unknown member":             {`{"mode": "hard", "Locations": []}`, "revocation.Locations: is not known: one of mode, locations, hosts"},
		"a location that is text":       {`{"mode": "hard", "locations": "http://a/"}`, `revocation.locations: is not a list of strings, such as ["a", "b"]`},
		"a location by LDAP":            {`{"mode": "hard", "locations": ["http://a/", "ldap://a/"]}`, "revocation.locations: value 2: the location is neither http nor https"},
		"a location with a password":    {`{"mode": "hard", "locations": ["http://u:p@a/"]}`, "revocation.locations: value 1: the location has credentials"},
		"17 locations":                  {`{"mode": "hard", "locations": ` + many + `}`, "revocation.locations: has more than 16 values"},
		"17 hosts":                      {`{"mode": "hard", "hosts": ` + strings.ReplaceAll(many, "http://a/", "a") + `}`, "revocation.hosts: has more than 16 values"},
		"a host with a scheme":          {`{"mode": "hard", "hosts": ["http://a"]}`, "revocation.hosts: value 1" + host},
		"a host with a port":            {`{"mode": "hard", "hosts": ["a:80"]}`, "revocation.hosts: value 1" + host},
		"a host with a wildcard":        {`{"mode": "hard", "hosts": ["a", "*.a"]}`, "revocation.hosts: value 2" + host},
		"a host that ends in a dot":     {`{"mode": "hard", "hosts": ["a."]}`, "revocation.hosts: value 1" + host},
		"a host that is empty":          {`{"mode": "hard", "hosts": [""]}`, "revocation.hosts: value 1" + host},
		"a host that begins in a dash":  {`{"mode": "hard", "hosts": ["-a"]}`, "revocation.hosts: value 1" + host},
		"a host with a label too long":  {`{"mode": "hard", "hosts": ["` + strings.Repeat("a", 64) + `"]}`, "revocation.hosts: value 1" + host},
		"a host that is too long":       {`{"mode": "hard", "hosts": ["` + strings.Repeat("a.", 127) + `a"]}`, "revocation.hosts: value 1" + host},
		"with pins only, soft as well":  {`{"mode": "soft"}, "tokenEndpointAuthMethod": "self_signed_tls_client_auth"`, "revocation: has no meaning with self_signed_tls_client_auth, which trusts no CA that could take a certificate back"},
		"with pins only, hard, a store": {`{"mode": "hard"}, "tokenEndpointAuthMethod": "self_signed_tls_client_auth"`, "revocation: has no meaning with self_signed_tls_client_auth, which trusts no CA that could take a certificate back"},
	} {
		documents, err := policies.ParseFile("f.json", []byte(`{"resourceType": "ClientApplication", "id": "lab", "revocation": `+c.value+`}`))
		if err != nil || documents[0].Fault == nil {
			t.Errorf("%s: no fault: %v", sentence, err)
			continue
		}
		if got, want := documents[0].Fault.Error(), "f.json:1: document 1 (client lab): "+c.want; got != want {
			t.Errorf("%s:\n got %s\nwant %s", sentence, got, want)
		}
	}
}

func TestADocumentWarnsOfRevocationByNobody(t *testing.T) {
	root, pin := selfSigned(t, ca("root")), selfSigned(t, leaf("pin"))
	for sentence, c := range map[string]struct {
		store, mode string
		want        int
	}{
		"pins alone":            {store(pin), "hard", 1},
		"an empty store":        {"", "soft", 1},
		"pins alone, and off":   {store(pin), "off", 0},
		"a CA":                  {store(root), "hard", 0},
		"a pin and another CA":  {store(pin, root), "soft", 0},
		"pins alone, no demand": {store(pin), "", 0},
	} {
		of := fields{"certificateTrustStore": c.store}
		if c.mode != "" {
			of["revocation"] = fields{"mode": c.mode}
		}
		documents, err := policies.ParseFile("a.json", documentJSON(t, of))
		if err != nil || documents[0].Fault != nil {
			t.Fatal(err, documents)
		}
		if got := documents[0].Warnings; len(got) != c.want || c.want > 0 && (got[0].Field != "revocation" || got[0].Line != 1) {
			t.Errorf("%s: %v", sentence, got)
		}
	}
}

// listOf is the parsed list of a CA that revokes.
func listOf(t testing.TB, by *testca.Issued, until time.Time, revoked ...*testca.Issued) *revocation.CRL {
	t.Helper()
	der, err := by.SignCRL(testca.CRL{NextUpdate: until, Revoked: revoked})
	if err != nil {
		t.Fatal(err)
	}
	list, err := revocation.ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestAClientIsHeldToWhatItsCAsTakeBack has each mode beside the others: a row
// that every mode accepts would show nothing.
func TestAClientIsHeldToWhatItsCAsTakeBack(t *testing.T) {
	now := time.Now()
	later, past := now.Add(time.Hour), now.Add(-time.Minute)
	root := selfSigned(t, ca("root"))
	middle := issue(t, root, ca("middle"))
	end := issue(t, middle, leaf("end"))
	pin := issue(t, root, leaf("pin"))
	alone := selfSigned(t, leaf("alone"))
	withRoot := func(more ...*testca.Issued) string { return store(append(more, root)...) }
	lists := func(all ...*revocation.CRL) []*revocation.CRL { return all }
	clean := listOf(t, root, later)
	cleanMiddle := listOf(t, middle, later)
	for sentence, c := range map[string]struct {
		store string
		chain *truststore.Chain
		lists []*revocation.CRL
		soft  string
		hard  string
	}{
		"nothing is known":                         {withRoot(), chainOf(end, middle), nil, "unknown", "revocation_unavailable"},
		"all is known":                             {withRoot(), chainOf(end, middle), lists(clean, cleanMiddle), "good", "good"},
		"the leaf is revoked":                      {withRoot(), chainOf(end, middle), lists(clean, listOf(t, middle, later, end)), "certificate_revoked", "certificate_revoked"},
		"the intermediate is revoked":              {withRoot(), chainOf(end, middle), lists(listOf(t, root, later, middle), cleanMiddle), "certificate_revoked", "certificate_revoked"},
		"the intermediate is revoked, and stored":  {withRoot(middle), chainOf(end), lists(listOf(t, root, later, middle), cleanMiddle), "certificate_revoked", "certificate_revoked"},
		"the intermediate is trusted alone":        {store(middle), chainOf(end), lists(listOf(t, root, later, middle), cleanMiddle), "good", "good"},
		"of the intermediate nothing is known":     {withRoot(), chainOf(end, middle), lists(cleanMiddle), "unknown", "revocation_unavailable"},
		"the list has ended":                       {withRoot(), chainOf(end, middle), lists(clean, listOf(t, middle, past)), "unknown", "revocation_stale"},
		"the list has ended, and has the leaf":     {withRoot(), chainOf(end, middle), lists(clean, listOf(t, middle, past, end)), "certificate_revoked", "certificate_revoked"},
		"a pin, its CA not in the store":           {store(pin), chainOf(pin), lists(listOf(t, root, later, pin)), "unchecked", "unchecked"},
		"a pin, its CA in the store":               {withRoot(pin), chainOf(pin), lists(clean), "good", "good"},
		"a pin that its CA in the store revokes":   {withRoot(pin), chainOf(pin), lists(listOf(t, root, later, pin)), "certificate_revoked", "certificate_revoked"},
		"a pin of whose CA nothing is known":       {withRoot(pin), chainOf(pin), nil, "unknown", "revocation_unavailable"},
		"a pin that signed itself, beside a CA":    {withRoot(alone), chainOf(alone), nil, "unchecked", "unchecked"},
		"a list of another CA of the same name":    {withRoot(), chainOf(end, middle), lists(listOf(t, selfSigned(t, ca("root")), later, middle), clean, cleanMiddle), "good", "good"},
		"revoked by one of two lists, ended first": {withRoot(), chainOf(end, middle), lists(clean, listOf(t, middle, past, end), cleanMiddle), "certificate_revoked", "certificate_revoked"},
	} {
		view := revocation.NewView(nil, c.lists, nil)
		for mode, want := range map[string]string{"": "unchecked", "off": "unchecked", "soft": c.soft, "hard": c.hard} {
			of := fields{"certificateTrustStore": c.store}
			if mode != "" {
				of["revocation"] = fields{"mode": mode}
			}
			s := snapshotOf(t, clients{"a": of})
			accepted, err := s.Client("a").Judge(s, c.chain, view, now, nil)
			got := accepted.Revocation.Status.String()
			if err != nil {
				got = decision.ReasonOf(err).String()
			}
			if got != want {
				t.Errorf("%s, mode %q: %s, want %s (%v)", sentence, mode, got, want, err)
			}
			if err != nil && (len(accepted.Asked) < 2 || accepted.Path != nil || !accepted.Until.IsZero() || !accepted.TokensUntil.IsZero()) {
				t.Errorf("%s, mode %q: beside the refusal stands %+v", sentence, mode, accepted)
			}
		}
	}
}

func TestAJudgementEndsWithWhatItKnowsOfRevocations(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	soon := now.Add(time.Minute)
	root := selfSigned(t, ca("root"))
	end := issue(t, root, leaf("end"))
	view := revocation.NewView(nil, []*revocation.CRL{listOf(t, root, soon)}, nil)
	notAfter := end.Certificate.NotAfter
	for mode, want := range map[string][2]time.Time{"off": {notAfter, notAfter}, "soft": {soon, notAfter}, "hard": {soon, soon}} {
		s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(root), "revocation": fields{"mode": mode}}})
		accepted, err := s.Client("a").Judge(s, chainOf(end), view, now, nil)
		if got := [2]time.Time{accepted.Until, accepted.TokensUntil}; err != nil || got != want {
			t.Errorf("%s: ends at %v, want %v: %v", mode, got, want, err)
		}
	}
}

// A revoked certificate is its client's, and falls to nobody else.
func TestARevokedCertificateNeverFallsThroughToAnotherClient(t *testing.T) {
	root := selfSigned(t, ca("root"))
	end := issue(t, root, leaf("end"))
	view := revocation.NewView(nil, []*revocation.CRL{listOf(t, root, time.Now().Add(time.Hour), end)}, nil)
	hard := fields{"mode": "hard"}
	s := snapshotOf(t, clients{
		"bound": {"certificateTrustStore": store(root), "tlsClientAuth": fields{"subjectDn": "CN=end"}, "revocation": hard},
		"loose": {"certificateTrustStore": store(root)},
	})
	chain := chainOf(end)
	found, err := s.Resolve(chain, policies.Hint{}, nil)
	if err != nil || found.ID() != "bound" {
		t.Fatal(found, err)
	}
	if _, err := found.Judge(s, chain, view, time.Now(), nil); decision.ReasonOf(err) != decision.CertificateRevoked {
		t.Error(err)
	}
}

func TestTheTraceSaysWhatIsKnownOfRevocations(t *testing.T) {
	root := selfSigned(t, ca("root"))
	end := issue(t, root, leaf("end"))
	for mode, want := range map[string]string{
		"off":  "accepted by chain, until",
		"soft": "; revocation unknown: revocation_unavailable",
	} {
		s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(root), "revocation": fields{"mode": mode}}})
		var trace decision.Trace
		if _, err := s.Client("a").Judge(s, chainOf(end), nil, time.Now(), &trace); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(trace.Entries()); !strings.Contains(got, want) {
			t.Errorf("%s: %s", mode, got)
		}
	}
}
