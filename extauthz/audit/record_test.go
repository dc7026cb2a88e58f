package audit_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/policies/decision"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 8000, time.FixedZone("", 3600))

func whole() audit.Record {
	return audit.Record{
		Time: at, RequestID: "7f2c", Reason: decision.CertificateExpired, Field: "certificate 1", Detail: "it ended",
		Client: "lab-partner", ClientID: "lab", Candidates: []audit.Candidate{{Client: "lab", Why: "it pins \"it\""}, {Client: "b"}}, Route: "api", Method: "GET", Host: "api.example.org", Path: "/fhir", Source: "192.0.2.7:5000",
		Authorization: true, Proxy: "nginx", Evidence: "peer", ChainLength: 3, Chain: [][]byte{{1}, {2}, {3}},
		Thumbprint: [32]byte{0: 0xff, 31: 1}, Subject: "CN=lab,O=Lab", SAN: "URI:urn:lab", Issuer: "CN=Lab CA", Serial: "0a1b", NotAfter: at, Revocation: "good",
		TokenID: "t-1", TokenCached: true, Generation: 42, Duration: 1234567 * time.Nanosecond,
	}
}

// pemOf is the PEM of a certificate of one byte, as JSON has it.
func pemOf(content byte) string {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{content}})
	return strings.ReplaceAll(string(text), "\n", `\n`)
}

func TestRecordAsJSON(t *testing.T) {
	full := whole()
	for name, test := range map[string]struct {
		record audit.Record
		want   string
	}{
		"every field": {full, `{"time":"2026-03-04T04:06:07.000008Z","request_id":"7f2c","decision":"deny","reason":"certificate_expired",` +
			`"field":"certificate 1","detail":"it ended","client":"lab-partner","client_id":"lab","candidates":[{"client":"lab","why":"it pins \"it\""},{"client":"b"}],"route":"api","method":"GET","host":"api.example.org","path":"/fhir",` +
			`"source":"192.0.2.7:5000","authorization":true,"proxy":"nginx","evidence":"peer","chain_length":3,"thumbprint":"_wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","subject":"CN=lab,O=Lab","san":"URI:urn:lab","issuer":"CN=Lab CA",` +
			`"serial":"0a1b","not_after":"2026-03-04T04:06:07Z","revocation":"good","certificate":"` + pemOf(1) + `","intermediates":"` + pemOf(2) + pemOf(3) + `","token_id":"t-1","token_cached":true,"generation":42,"duration_us":1234}`},
		"the zero record denies": {audit.Record{},
			`{"time":"0001-01-01T00:00:00Z","decision":"deny","reason":"internal_error","generation":0,"duration_us":0}`},
		"a request that was allowed": {audit.Record{Time: at, Reason: decision.AllowedPublic, Duration: -1},
			`{"time":"2026-03-04T04:06:07.000008Z","decision":"allow","reason":"allowed_public","generation":0,"duration_us":0}`},
		"a decision that was not carried out": {audit.Record{Time: at, Reason: decision.ClientUnknown, Shadow: true},
			`{"time":"2026-03-04T04:06:07.000008Z","decision":"deny","mode":"shadow","reason":"client_unknown","generation":0,"duration_us":0}`},
		"a reason that does not exist": {audit.Record{Reason: 255},
			`{"time":"0001-01-01T00:00:00Z","decision":"deny","reason":"reason(255)","generation":0,"duration_us":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, string(test.record.AppendJSON(nil))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestTextsOfARecord(t *testing.T) {
	for name, test := range map[string]struct {
		record audit.Record
		want   string
	}{
		"a path loses its query":                 {audit.Record{Path: "/a?token=secret"}, `"path":"/a"`},
		"a path loses its fragment":              {audit.Record{Path: "/a#token=secret"}, `"path":"/a"`},
		"a path that is only a query is nothing": {audit.Record{Path: "?token=secret"}, `internal_error","generation"`},
		"a long path is cut":                     {audit.Record{Path: "/" + strings.Repeat("a", 2000)}, strings.Repeat("a", 1020) + `…"`},
		"a path as long as may be is whole":      {audit.Record{Path: "/" + strings.Repeat("a", 1023)}, `"/` + strings.Repeat("a", 1023) + `"`},
		"a long detail is cut":                   {audit.Record{Detail: strings.Repeat("a", 513)}, `"` + strings.Repeat("a", 509) + `…"`},
		"a cut does not split a character":       {audit.Record{Detail: "a" + strings.Repeat("ä", 300)}, `"a` + strings.Repeat("ä", 254) + `…"`},
		"a detail has no control characters":     {audit.Record{Detail: "a\r\nb\x1b[2Jc\x7f\u009b"}, `"detail":"a  b [2Jc  "`},
		"a long subject is cut":                  {audit.Record{Subject: strings.Repeat("a", 1025)}, `"` + strings.Repeat("a", 1021) + `…"`},
		"another long text is cut":               {audit.Record{RequestID: strings.Repeat("a", 257)}, `"` + strings.Repeat("a", 253) + `…"`},
		"an alternative name is escaped too":     {audit.Record{SAN: "URI:a\x1b[2J\u202e"}, `"san":"URI:a\u001b[2J\u202e"`},
		"quotes and backslashes":                 {audit.Record{Subject: `","reason":"allowed\`}, `"subject":"\",\"reason\":\"allowed\\"`},
		"line breaks":                            {audit.Record{Host: "a\r\n\tb\u2028\u0085"}, `"host":"a\u000d\n\tb\u2028\u0085"`},
		"escape sequences of a terminal":         {audit.Record{Host: "\x1b[2J\u009b\x7f\x00"}, `"host":"\u001b[2J\u009b\u007f\u0000"`},
		"characters that turn the writing":       {audit.Record{Host: "a\u202eb\u2066c\ufeff"}, `"host":"a\u202eb\u2066c\ufeff"`},
		"bytes that are no UTF-8":                {audit.Record{Host: "a\xff\xc3b"}, `"host":"a\ufffd\ufffdb"`},
		"other letters stay as they are":         {audit.Record{Host: "ä€😀<&>"}, `"host":"ä€😀<&>"`},
		"a token that is new":                    {audit.Record{TokenID: "t"}, `"token_id":"t","token_cached":false`},
	} {
		t.Run(name, func(t *testing.T) {
			line := string(test.record.AppendJSON(nil))
			if !strings.Contains(line, test.want) || strings.Contains(line, "secret") {
				t.Errorf("want %s in\n%s", test.want, line)
			}
		})
	}
}

func FuzzRecord(f *testing.F) {
	for _, seed := range []string{"", "a", "\n", `"}`, "\xff\xfe", "\u2028\u202e", "/a?b#c", strings.Repeat("ä", 700), strings.Repeat("\x80", 2000), "\ud7ff\U0010ffff"} {
		f.Add(seed, seed, uint8(1))
	}
	f.Fuzz(func(t *testing.T, text, other string, reason uint8) {
		r := audit.Record{
			RequestID: text, Field: other, Detail: text, Client: other, Route: text, Method: other, Host: text, Path: other,
			Source: text, Subject: other, SAN: text, Issuer: text, Serial: other, TokenID: text, Reason: decision.Reason(reason),
		}
		line := r.AppendJSON([]byte("before"))
		line, ok := bytes.CutPrefix(line, []byte("before"))
		if !ok {
			t.Fatalf("what was there is changed: %q", line)
		}
		if i := bytes.IndexFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 }); i >= 0 {
			t.Errorf("a character that breaks lines at %d of %q", i, line)
		}
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil || !utf8.Valid(line) {
			t.Fatalf("%q: %v", line, err)
		}
		if want := decision.Reason(reason).Allows(); (got["decision"] == "allow") != want {
			t.Errorf("decision %v of reason %v", got["decision"], got["reason"])
		}
		for name, value := range got {
			if text, ok := value.(string); ok && utf8.RuneCountInString(text) > bound(name) {
				t.Errorf("%s has %d characters", name, utf8.RuneCountInString(text))
			}
		}
		if path, _ := got["path"].(string); strings.ContainsAny(path, "?#") {
			t.Errorf("path %q", path)
		}
	})
}

func bound(name string) int {
	switch name {
	case "detail":
		return audit.MaxDetail
	case "path":
		return audit.MaxPath
	case "subject", "san", "issuer":
		return audit.MaxName
	}
	return audit.MaxText
}
