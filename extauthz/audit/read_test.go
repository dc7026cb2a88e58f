package audit_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

// refusal is a record with real certificates.
func refusal(t testing.TB) (audit.Record, []*x509.Certificate) {
	t.Helper()
	ca, err := testca.SelfSigned(testca.Template{CommonName: "CA", CA: true})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(testca.Template{CommonName: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	r := whole()
	r.SetCertificate(leaf.Certificate, leaf.Thumbprint())
	r.SetPresented(leaf.Certificate, []*x509.Certificate{ca.Certificate})
	r.ChainLength, r.Shadow = 2, true
	return r, []*x509.Certificate{leaf.Certificate, ca.Certificate}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	r, chain := refusal(t)
	r.SAN = "URI:urn:lab" // which no record has beside a subject
	got, err := audit.ReadRecord(r.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	for i, value := 0, reflect.ValueOf(got); i < value.NumField(); i++ {
		if value.Field(i).IsZero() {
			t.Errorf("%s was not read", value.Type().Field(i).Name)
		}
	}
	if len(got.Chain) != 2 || !got.Chain[0].Equal(chain[0]) || !got.Chain[1].Equal(chain[1]) {
		t.Errorf("%d certificates", len(got.Chain))
	}
	if !got.Time.Equal(at) || got.Reason != decision.CertificateExpired || got.Decision != "deny" || got.Mode != "shadow" {
		t.Errorf("read %+v", got)
	}
}

func TestALineThatIsNoRecord(t *testing.T) {
	r, _ := refusal(t)
	good := string(r.AppendJSON(nil))
	other, _ := refusal(t)
	_, certificate, _ := strings.Cut(string(other.AppendJSON(nil)), `"certificate":`)
	certificate, _, _ = strings.Cut(certificate, `,"intermediates"`)
	_, own, _ := strings.Cut(good, `"certificate":`)
	own, _, _ = strings.Cut(own, `,"intermediates"`)
	instead := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, test := range map[string]struct{ line, want string }{
		"nothing":                        {"", "is no JSON object"},
		"no object":                      {"[]", "is no JSON object"},
		"null":                           {"null", "is no JSON object"},
		"an object cut short":            {good[:len(good)-1], "is no JSON object"},
		"two records":                    {good + good, "is no JSON object"},
		"a line of the log":              {`{"time":"2026-03-04T05:06:07Z","level":"INFO","msg":"listening"}`, "has a field that no record has"},
		"another object":                 {`{"time":"2026-03-04T05:06:07Z"}`, "decision: is missing: this is no record of a decision"},
		"the word of dropped records":    {`{"time":"2026-03-04T05:06:07Z","event":"audit_dropped","count":3}`, "is no record of a decision: it says that records were dropped"},
		"a field in capitals":            {instead(`"method"`, `"Method"`), "has a field that no record has"},
		"a field twice":                  {instead(`"method"`, `"route":"b","method"`), "route: stands twice"},
		"a null":                         {instead(`"method":"GET"`, `"method":null`), "method: has no value"},
		"a number for a text":            {instead(`"method":"GET"`, `"method":1`), "method: is of another type"},
		"a time that is none":            {instead(`"time":"2026`, `"time":"x2026`), "a field has a value that no record has"},
		"a reason that is none":          {instead(`certificate_expired`, `certificate_late`), "a field has a value that no record has"},
		"a decision that is another":     {instead(`"decision":"deny"`, `"decision":"allow"`), "decision: is not that of the reason"},
		"a mode that is none":            {instead(`"mode":"shadow"`, `"mode":"off"`), "mode: is not shadow"},
		"a thumbprint that is none":      {instead(`"thumbprint":"`, `"thumbprint":"A`), "thumbprint: is not 32 bytes of base64url"},
		"a certificate of another":       {strings.Replace(good, own, certificate, 1), "certificate: is another one than that of thumbprint"},
		"a key instead of a certificate": {strings.Replace(good, own, `"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"`, 1), "certificate: is not PEM certificates alone"},
		"text around the certificate":    {instead(`"certificate":"`, `"certificate":"x\n`), "certificate: is not PEM certificates alone"},
		"more certificates than said":    {instead(`"chain_length":2`, `"chain_length":1`), "intermediates: are more than chain_length says"},
		"a chain below zero":             {instead(`"chain_length":2`, `"chain_length":-2`), "chain_length: cannot be"},
		"a candidate with more":          {instead(`{"client":"lab",`, `{"client":"lab","x":1,`), "a field has a value that no record has"},
		"bytes that are no UTF-8":        {instead(`"method":"GET"`, "\"method\":\"\xff\""), "is not UTF-8"},
		"a line beyond the bound":        {good + strings.Repeat(" ", 10) + `{` + strings.Repeat("x", audit.MaxRecordBytes), "has more than 131072 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := audit.ReadRecord([]byte(test.line))
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// The longest record that is written is one that is read.
func TestTheLongestRecordIsWithinTheBoundOfReading(t *testing.T) {
	long := strings.Repeat("\x01", 4096)
	r := audit.Record{
		Time: at, RequestID: long, Shadow: true, Reason: decision.CriticalExtensionUnknown, Field: long, Detail: strings.Repeat("\u2028", 4096), Client: long, ClientID: long,
		Route: long, Method: long, Host: long, Path: long, Source: long, Authorization: true, Proxy: long, Evidence: long, ChainLength: 10, Thumbprint: [32]byte{1},
		Subject: long, Issuer: long, Serial: long, NotAfter: at, Revocation: long, TokenID: long, TokenCached: true, Generation: 1 << 63, Duration: time.Hour,
		Chain: [][]byte{make([]byte, 2048), make([]byte, audit.MaxChain-2048)},
	}
	for range audit.MaxCandidates {
		r.Candidates = append(r.Candidates, audit.Candidate{Client: long, Why: long})
	}
	if got := len(r.AppendJSON(nil)); got > audit.MaxRecordBytes {
		t.Errorf("it has %d bytes", got)
	}
}

func FuzzReadRecord(f *testing.F) {
	r, _ := refusal(f)
	f.Add(r.AppendJSON(nil))
	r.Chain, r.Candidates = nil, nil
	f.Add(r.AppendJSON(nil))
	f.Add([]byte(`{"time":"2026-03-04T05:06:07Z","decision":"deny","reason":"client_unknown","generation":0,"duration_us":0}`))
	f.Add([]byte(`{"time":"2026-03-04T05:06:07Z","event":"audit_dropped","count":3}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := audit.ReadRecord(line)
		if err != nil {
			if got.Chain != nil || got.Thumbprint != "" || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%+v beside %q", got, err)
			}
			return
		}
		if got.Time.IsZero() || (got.Decision == "allow") != got.Reason.Allows() || len(got.Chain) > max(got.ChainLength, 0) {
			t.Errorf("accepted %+v", got)
		}
	})
}

// What the Recorder writes can be read, with the certificates and without.
func TestEveryWrittenLineIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	recorder, err := audit.Open(path, audit.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := refusal(t)
	recorder.Write(&r)
	recorder.Write(&r)
	recorder.Write(&audit.Record{Time: at})
	if err := recorder.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var chains []int
	for line := range bytes.Lines(text) {
		got, err := audit.ReadRecord(line)
		if err != nil {
			t.Fatal(err)
		}
		chains = append(chains, len(got.Chain))
	}
	if diff := cmp.Diff([]int{2, 0, 0}, chains); diff != "" {
		t.Errorf("certificates (-want +got)\n%s", diff)
	}
}
