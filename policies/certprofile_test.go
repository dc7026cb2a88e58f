package policies_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/truststore"
)

func TestAClientsProfileSaysWhatFormItsCertificatesHave(t *testing.T) {
	noKeyID := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: []byte{0x30, 0}}
	root := selfSigned(t, ca("root"))
	formless := issue(t, root, testca.Template{CommonName: "formless", ExtraExtensions: []pkix.Extension{noKeyID}})
	server := issue(t, root, testca.Template{CommonName: "server", ExtKeyUsage: serverOnly()})
	for sentence, c := range map[string]struct {
		says      fields
		presented *testca.Issued
		want      string
	}{
		"nothing is said":                       {fields{}, formless, "a refuses: path_invalid"},
		"strict":                                {fields{"certificateProfile": "strict"}, formless, "a refuses: path_invalid"},
		"compatible":                            {fields{"certificateProfile": "compatible"}, formless, "a by chain"},
		"compatible, and a CA alone":            {fields{"certificateProfile": "compatible", "tokenEndpointAuthMethod": "tls_client_auth", "tlsClientAuth": fields{"subjectDn": "CN=formless"}}, formless, "a by chain"},
		"compatible asks what a certificate is": {fields{"certificateProfile": "compatible"}, server, "a refuses: certificate_purpose"},
	} {
		c.says["certificateTrustStore"] = store(root)
		s := snapshotOf(t, clients{"a": c.says})
		if got := decide(s, chainOf(c.presented), policies.Hint{}, time.Now()); got != c.want {
			t.Errorf("%s: got %s, want %s", sentence, got, c.want)
		}
	}
}

func TestTheProfileShowsInTheRecord(t *testing.T) {
	plain := client(t, "a", fields{"certificateTrustStore": store(selfSigned(t, leaf("a")))})
	compatible := client(t, "b", fields{"certificateProfile": "compatible"})
	if plain.CertificateProfile() != truststore.Strict || compatible.CertificateProfile() != truststore.Compatible {
		t.Error(plain.CertificateProfile(), compatible.CertificateProfile())
	}
}

func TestCertificateProfilesThatAreNoneAreAFault(t *testing.T) {
	for sentence, of := range map[string]fields{
		"another word":   {"certificateProfile": "lax"},
		"other letters":  {"certificateProfile": "Compatible"},
		"nothing":        {"certificateProfile": ""},
		"no text":        {"certificateProfile": true},
		"with pins only": {"certificateProfile": "strict", "tokenEndpointAuthMethod": "self_signed_tls_client_auth"},
	} {
		documents, err := policies.ParseFile("a.json", documentJSON(t, of))
		if err != nil || documents[0].Fault == nil || documents[0].Fault.Field != "certificateProfile" {
			t.Errorf("%s: %v, %v", sentence, err, documents[0].Fault)
		}
	}
}
