package policies_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

func TestAClientThatAsksForACertificatePolicyIsHeldToIt(t *testing.T) {
	value, err := asn1.Marshal([]struct{ ID asn1.ObjectIdentifier }{{asn1.ObjectIdentifier{1, 2, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	root := selfSigned(t, ca("root"))
	plain := issue(t, root, leaf("plain"))
	golden := issue(t, root, testca.Template{CommonName: "golden", ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 32}, Value: value}}})
	for sentence, c := range map[string]struct {
		asks      []string
		presented *testca.Issued
		store     string
		want      string
	}{
		"its policy":              {[]string{"1.2.3"}, golden, store(root), "a by chain"},
		"another":                 {[]string{"1.2.4"}, golden, store(root), "a refuses: path_invalid"},
		"none in the certificate": {[]string{"1.2.3"}, plain, store(root), "a refuses: path_invalid"},
		"nothing is asked":        {[]string{}, plain, store(root), "a by chain"},
		"a pinned certificate":    {[]string{"1.2.3"}, plain, store(root, plain), "a by pin"},
	} {
		s := snapshotOf(t, clients{"a": {"certificateTrustStore": c.store, "certificatePolicies": c.asks}})
		if got := decide(s, chainOf(c.presented), policies.Hint{}, time.Now()); got != c.want {
			t.Errorf("%s: got %s, want %s", sentence, got, c.want)
		}
	}
}

func TestCertificatePoliciesThatAreNoneAreAFault(t *testing.T) {
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf("1.2.%d", i)
	}
	for sentence, of := range map[string]fields{
		"no OID":         {"certificatePolicies": []string{"gold"}},
		"a leading zero": {"certificatePolicies": []string{"1.02.3"}},
		"no list":        {"certificatePolicies": "1.2.3"},
		"too many":       {"certificatePolicies": many},
		"with pins only": {"certificatePolicies": []string{"1.2.3"}, "tokenEndpointAuthMethod": "self_signed_tls_client_auth"},
	} {
		documents, err := policies.ParseFile("a.json", documentJSON(t, of))
		if err != nil || documents[0].Fault == nil || documents[0].Fault.Field != "certificatePolicies" && documents[0].Fault.Field != "certificatePolicies[0]" {
			t.Errorf("%s: %v, %v", sentence, err, documents[0].Fault)
		}
	}
}
