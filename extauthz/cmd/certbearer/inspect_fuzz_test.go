package main

import (
	"strings"
	"testing"
	"time"
)

func FuzzDecodeToken(f *testing.F) {
	for _, seed := range []string{
		"", ".", "..", "e30.e30.", "e30.e30.AA", "e30.e30.A", "a.b.c.d.e", "bnVsbA.bnVsbA.", "W10.e30.", "e30e30.e30.",
		"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjFlOTk5OX0.AA",                     // exp no float can hold
		"eyJhbGciOiJub25lIn0.eyJleHAiOiJzb29uIiwiY25mIjpbXX0.",            // exp a word, cnf a list
		"eyJhbGciOiJFUzI1NiIsImtpZCI6MX0.eyJuYmYiOi0xZTMwLCJpYXQiOjF9.AA", // kid a number
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := decodeToken(text)
		if err != nil {
			if len(text) > 40 && strings.Contains(err.Error(), text) {
				t.Errorf("the error quotes the token: %v", err)
			}
			return
		}
		var out strings.Builder
		if err := newTokenView(token, fuzzTime).print(&out); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && r < ' ' || 0x7f <= r && r < 0xa0 }) {
			t.Errorf("a control character reaches the terminal: %q", out.String())
		}
	})
}

func FuzzParseKeySet(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"keys":null}`, `{"keys":[]}`, `{"keys":[1,{}]}`, `[]`,
		`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`,
		`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}]}`,
		`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := parseKeySet(data)
		if err != nil {
			return
		}
		for _, key := range set.keys {
			if !key.IsPublic() {
				t.Error("a key that is not public verifies signatures")
			}
		}
	})
}

func FuzzSplitPEM(f *testing.F) {
	const block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	for _, seed := range []string{
		"", block, block + block, "Certificate:\n    Data:\n" + block, strings.Replace(block, "AAAA", "A*AA", 1) + block,
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", block[:30],
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ders, err := splitPEM(text)
		if err == nil && (len(ders) == 0 || len(ders) > maxFileCertificates || len(ders) != strings.Count(string(text), "-----BEGIN ")) {
			t.Errorf("%d certificates of %q", len(ders), text)
		}
	})
}

var fuzzTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
