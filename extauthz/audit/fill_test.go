package audit_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestTheCauseOfARecord(t *testing.T) {
	denial := decision.Denyf(decision.ScopeNotAllowed, "scope", "is not the client's")
	for sentence, test := range map[string]struct {
		err  error
		want audit.Record
	}{
		"of a decision without a fault":          {nil, audit.Record{Field: "before", Detail: "before"}},
		"of a denial":                            {denial, audit.Record{Field: "scope", Detail: "is not the client's"}},
		"of a denial in another error":           {fmt.Errorf("wrapped: %w", denial), audit.Record{Field: "scope", Detail: "is not the client's"}},
		"of a denial without a cause":            {&decision.Denial{Reason: decision.NotReady, Field: "clients"}, audit.Record{Field: "clients", Detail: "before"}},
		"of an error that is no denial":          {errors.New("the disk is full"), audit.Record{Field: "before", Detail: "the disk is full"}},
		"of a denial whose cause is an error":    {decision.Deny(decision.RevocationFailed, "token", errors.New("the disk is full")), audit.Record{Field: "token", Detail: "the disk is full"}},
		"of a denial that names no field at all": {decision.Denyf(decision.Overloaded, "", "10 of them"), audit.Record{Field: "", Detail: "10 of them"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			record := audit.Record{Field: "before", Detail: "before"}
			record.SetCause(test.err)
			if diff := cmp.Diff(test.want, record); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestTheCertificateOfARecord(t *testing.T) {
	var none audit.Record
	none.SetCertificate(nil, [32]byte{1})
	if diff := cmp.Diff(audit.Record{}, none); diff != "" {
		t.Errorf("of no certificate:\n%s", diff)
	}
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	var got audit.Record
	got.SetCertificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: "lab", Organization: []string{"Lab, Inc."}}, Issuer: pkix.Name{CommonName: "Root"},
		SerialNumber: big.NewInt(0xbeef), NotAfter: end,
	}, [32]byte{1})
	want := audit.Record{Thumbprint: [32]byte{1}, Subject: `CN=lab,O=Lab\, Inc.`, Issuer: "CN=Root", Serial: "beef", NotAfter: end}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTheRecordOfACertificateWithoutASubjectHasItsAlternativeName(t *testing.T) {
	for want, template := range map[string]testca.Template{
		"subject: , san: URI:spiffe://td.example/lab": {URIs: []string{"spiffe://td.example/lab"}},
		"subject: CN=lab, san: ":                      {CommonName: "lab", URIs: []string{"spiffe://td.example/lab"}},
	} {
		issued, err := testca.SelfSigned(template)
		if err != nil {
			t.Fatal(err)
		}
		var record audit.Record
		record.SetCertificate(issued.Certificate, [32]byte{1})
		if got := "subject: " + record.Subject + ", san: " + record.SAN; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
