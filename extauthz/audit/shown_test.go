package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/policies/decision"
)

// refused is a record of a refusal with certificates of these texts, which need be
// none for a record.
func refused(at time.Time, chain ...string) *audit.Record {
	r := &audit.Record{Time: at, Reason: decision.ClientUnknown, ChainLength: len(chain)}
	for _, text := range chain {
		r.Chain = append(r.Chain, []byte(text))
	}
	return r
}

// pems returns, line by line, what the certificates of a record hold.
func pems(t *testing.T, text []byte) []string {
	t.Helper()
	var all []string
	for line := range bytes.Lines(text) {
		var got struct{ Certificate, Intermediates string }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, strings.Join(append(contents(got.Certificate), contents(got.Intermediates)...), " "))
	}
	return all
}

func contents(text string) []string {
	var all []string
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, string(block.Bytes))
	}
	return all
}

func TestTheCertificatesOfARefusalAreWrittenOnceInAWhile(t *testing.T) {
	first := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		records []*audit.Record
		want    []string
	}{
		"once":                             {[]*audit.Record{refused(first, "leaf"), refused(first.Add(time.Minute), "leaf")}, []string{"leaf", ""}},
		"again after an hour":              {[]*audit.Record{refused(first, "leaf"), refused(first.Add(time.Hour), "leaf")}, []string{"leaf", "leaf"}},
		"of each certificate":              {[]*audit.Record{refused(first, "a"), refused(first, "b"), refused(first, "a")}, []string{"a", "b", ""}},
		"again with other intermediates":   {[]*audit.Record{refused(first, "a"), refused(first, "a", "i"), refused(first, "a", "i")}, []string{"a", "a i", ""}},
		"two intermediates in their order": {[]*audit.Record{refused(first, "a", "i", "j")}, []string{"a i j"}},
		"whole ones, as many as fit":       {[]*audit.Record{refused(first, "a", strings.Repeat("i", audit.MaxChain-1), "j")}, []string{"a " + strings.Repeat("i", audit.MaxChain-1)}},
		"not one that is too large":        {[]*audit.Record{refused(first, strings.Repeat("a", audit.MaxChain+1), "i")}, []string{""}},
		"none where there is none":         {[]*audit.Record{refused(first)}, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			recorder := audit.New(&out, audit.Limits{})
			for _, record := range test.records {
				recorder.Write(record)
			}
			if err := recorder.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, pems(t, out.Bytes())); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAFileThatBeginsAnewHasTheCertificatesAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	recorder, err := audit.Open(path, audit.Limits{FlushAfter: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	recorder.Write(refused(at, "leaf"))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := recorder.Reopen(); err != nil {
		t.Fatal(err)
	}
	recorder.Write(refused(at.Add(time.Second), "leaf"))
	if err := recorder.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := pems(t, text); len(got) == 0 || got[len(got)-1] != "leaf" {
		t.Errorf("the new file has %q", got)
	}
}

func TestARecordThatWasDroppedDoesNotCountAsTheOneWithTheCertificates(t *testing.T) {
	var out bytes.Buffer
	recorder := audit.New(&out, audit.Limits{FlushAfter: time.Hour, FlushBytes: 1 << 20, BufferBytes: 700})
	large := strings.Repeat("x", 700)
	recorder.Write(refused(at, large))
	recorder.Write(refused(at, "leaf"))
	recorder.Write(refused(at.Add(time.Second), large)) // its short form would fit
	if err := recorder.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := recorder.Counts().Dropped; got != 2 {
		t.Errorf("%d dropped, want both with the large certificate", got)
	}
}

func TestWhoMakesNewCertificatesDoesNotFillTheLog(t *testing.T) {
	var out bytes.Buffer
	recorder := audit.New(&out, audit.Limits{})
	const most = 300
	for i := range 2 * most {
		recorder.Write(refused(at.Truncate(time.Minute), fmt.Sprint("leaf ", i)))
	}
	recorder.Write(refused(at.Truncate(time.Minute).Add(time.Minute), "leaf 1000"))
	if err := recorder.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	written := 0
	got := pems(t, out.Bytes())
	for _, text := range got {
		if text != "" {
			written++
		}
	}
	if written != most+1 || got[len(got)-1] != "leaf 1000" {
		t.Errorf("%d of %d records have a certificate, the last one %q", written, len(got), got[len(got)-1])
	}
}

func TestTheOldestChainIsForgottenFirst(t *testing.T) {
	var out bytes.Buffer
	recorder := audit.New(&out, audit.Limits{})
	minute := func(i int) time.Time { return at.Add(time.Duration(i/200) * time.Minute) }
	const most = 4096
	for i := range most + 1 {
		recorder.Write(refused(minute(i), fmt.Sprint("leaf ", i)))
	}
	recorder.Write(refused(minute(most), fmt.Sprint("leaf ", most)))
	recorder.Write(refused(minute(most), "leaf 0"))
	if err := recorder.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := pems(t, out.Bytes())
	if diff := cmp.Diff([]string{"", "leaf 0"}, got[len(got)-2:]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
