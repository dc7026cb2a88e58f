package policies_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

// The faults of a system of this kind, seen on a running server, that concern
// certificates, stores and clients.

func TestMedplumFault04_APinnedCertificateThatIsNoCAIssuesNothing(t *testing.T) {
	pinned := selfSigned(t, leaf("partner"))
	s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(pinned)}})
	minted := issue(t, pinned, leaf("minted"))
	for want, hint := range map[string]policies.Hint{
		"refused: client_unknown":           {},
		"a refuses: certificate_not_pinned": {Parameter: "a"},
	} {
		if got := decide(s, chainOf(minted, pinned), hint, time.Now()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestMedplumFault04_AnExpiredCAInTheStoreIssuesNothing(t *testing.T) {
	expired := selfSigned(t, testca.Template{CommonName: "root", CA: true, NotAfter: time.Now().Add(-time.Minute)})
	s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(expired)}})
	if got := decide(s, chainOf(issue(t, expired, leaf("x"))), policies.Hint{}, time.Now()); got != "a refuses: path_expired" {
		t.Errorf("got %s", got)
	}
}

func TestMedplumFault05_LeafAndIntermediateWithTheRootInTheStoreAreAccepted(t *testing.T) {
	root := selfSigned(t, ca("root"))
	inter := issue(t, root, ca("inter"))
	s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(root)}})
	if got := decide(s, chainOf(issue(t, inter, leaf("x")), inter), policies.Hint{}, time.Now()); got != "a by chain" {
		t.Errorf("got %s", got)
	}
}

func TestMedplumFault06_ACertificateOfACAThatIsPinnedIsAccepted(t *testing.T) {
	root := selfSigned(t, ca("root"))
	for sentence, pinned := range map[string]*testca.Issued{
		"issued by a CA that nobody stored":            issue(t, root, leaf("x")),
		"issued by it, with the subject of the issuer": issue(t, root, leaf("root")),
	} {
		s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(pinned)}})
		if got := decide(s, chainOf(pinned), policies.Hint{}, time.Now()); got != "a by pin" {
			t.Errorf("%s: got %s", sentence, got)
		}
	}
}

func TestMedplumFault06_ACertificateWithTheSubjectOfItsIssuerIsJudgedByChain(t *testing.T) {
	root := selfSigned(t, ca("root"))
	s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(root)}})
	if got := decide(s, chainOf(issue(t, root, leaf("root"))), policies.Hint{}, time.Now()); got != "a by chain" {
		t.Errorf("got %s", got)
	}
	if got := decide(s, chainOf(selfSigned(t, leaf("root"))), policies.Hint{}, time.Now()); got != "refused: client_unknown" {
		t.Errorf("self-signed with the name of the CA: got %s", got)
	}
}

func TestMedplumFault07_WhatACertificateSaysOfItselfIsChecked(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true, PermittedDNSDomains: []string{"lab.example"}, Key: rsaKey(t)})
	unknown := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 7}, Critical: true, Value: []byte{5, 0}}
	for want, template := range map[string]testca.Template{
		"certificate_purpose":        {ExtKeyUsage: serverOnly()},
		"critical_extension_unknown": {ExtraExtensions: []pkix.Extension{unknown}},
		"path_invalid":               {DNSNames: []string{"other.example"}},
		"key_weak":                   {Key: weakKey(t)},
		"signature_weak":             {SignatureAlgorithm: x509.SHA1WithRSA},
	} {
		presented := issue(t, root, template)
		s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(root)}})
		if got := decide(s, chainOf(presented), policies.Hint{Parameter: "a"}, time.Now()); got != "a refuses: "+want {
			t.Errorf("by chain: got %s, want %s", got, want)
		}
		if want == "path_invalid" {
			continue // a pinned certificate has no path
		}
		s = snapshotOf(t, clients{"a": {"certificateTrustStore": store(presented)}})
		if got := decide(s, chainOf(presented), policies.Hint{}, time.Now()); got != "a refuses: "+want {
			t.Errorf("by pin: got %s, want %s", got, want)
		}
	}
}

func TestMedplumFault08_ACertificateOfTheSameCAIsNotTheClient(t *testing.T) {
	root := selfSigned(t, ca("root"))
	s := snapshotOf(t, clients{
		"a": {"certificateTrustStore": store(root), "tlsClientAuth": fields{"sanUri": "spiffe://td/a"}},
		"b": {"certificateTrustStore": store(root), "tlsClientAuth": fields{"sanUri": "spiffe://td/b"}},
	})
	ofB := issue(t, root, testca.Template{URIs: []string{"spiffe://td/b"}})
	if got := decide(s, chainOf(ofB), policies.Hint{Parameter: "a"}, time.Now()); got != "a refuses: subject_mismatch" {
		t.Errorf("got %s", got)
	}
	if got := decide(s, chainOf(ofB), policies.Hint{}, time.Now()); got != "b by chain" {
		t.Errorf("got %s", got)
	}
}

func TestMedplumFault09_TheDocumentedExampleWorksWithoutASecret(t *testing.T) {
	seed := seedCertificate(t)
	quoted, err := json.Marshal(store(seed))
	if err != nil {
		t.Fatal(err)
	}
	text := `{
  "resourceType": "ClientApplication",
  "name": "My Integration Client",
  "certificateTrustStore": ` + string(quoted) + `
}`
	documents, err := policies.ParseFile("my-client.json", []byte(text))
	if err != nil || documents[0].Fault != nil {
		t.Fatal(err, documents[0].Fault)
	}
	b := policies.Empty(policies.Options{}).Edit()
	b.Put(documents[0].Client)
	if got := decide(b.Snapshot(), chainOf(seed), policies.Hint{}, time.Now()); got != "my-client by pin" {
		t.Errorf("got %s", got)
	}
}

func TestMedplumFault10_AMalformedStoreIsFoundWhenTheDocumentIsRead(t *testing.T) {
	good := store(selfSigned(t, leaf("x")))
	documents, err := policies.ParseFile("a.json", documentJSON(t, fields{"certificateTrustStore": good + strings.Replace(good, "M", "*", 1)}))
	if err != nil {
		t.Fatal(err)
	}
	line := 1 + strings.Count(good, "\n")
	want := fmt.Sprintf("a.json:1: document 1 (client a): certificateTrustStore: block 2 (line %d): the block is cut short or is no base64", line)
	if got := documents[0].Fault; got == nil || got.Error() != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

func TestPeerFault_IntermediatesAreHandedOn(t *testing.T) {
	root := selfSigned(t, ca("root"))
	first := issue(t, root, ca("first"))
	second := issue(t, first, ca("second"))
	s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(root)}})
	presented := issue(t, second, leaf("x"))
	for _, all := range [][]*testca.Issued{{first, second}, {second, first}} {
		if got := decide(s, chainOf(presented, all...), policies.Hint{}, time.Now()); got != "a by chain" {
			t.Errorf("got %s", got)
		}
	}
}

func TestPeerFault_EveryCAOfABundleCounts(t *testing.T) {
	bundle := []*testca.Issued{selfSigned(t, ca("one")), selfSigned(t, ca("two")), selfSigned(t, ca("three"))}
	s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(bundle...)}})
	for _, root := range bundle {
		if got := decide(s, chainOf(issue(t, root, leaf("x"))), policies.Hint{}, time.Now()); got != "a by chain" {
			t.Errorf("%v: got %s", root.Certificate.Subject, got)
		}
	}
}

func TestPeerFault_ACertificateEndsThoughNothingWasReloaded(t *testing.T) {
	root := selfSigned(t, ca("root"))
	pinned, issued := selfSigned(t, leaf("pinned")), issue(t, root, leaf("issued"))
	s := snapshotOf(t, clients{"p": {"certificateTrustStore": store(pinned)}, "c": {"certificateTrustStore": store(root)}})
	for _, presented := range []*testca.Issued{pinned, issued} {
		end := presented.Certificate.NotAfter
		if got := decide(s, chainOf(presented), policies.Hint{}, end); strings.Contains(got, "refuse") {
			t.Errorf("at its end: %s", got)
		}
		if got := decide(s, chainOf(presented), policies.Hint{}, end.Add(time.Second)); !strings.HasSuffix(got, "refuses: certificate_expired") {
			t.Errorf("a second later: %s", got)
		}
	}
}
