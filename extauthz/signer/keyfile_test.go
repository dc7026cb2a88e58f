package signer_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/certbearer/certbearer/extauthz/signer"
)

func TestParseKeyReadsTheRFCVector(t *testing.T) {
	key, err := signer.ParseKey(vectorName, []byte(vectorFile))
	if err != nil {
		t.Fatal(err)
	}
	if key.KID() != vectorKID || key.Algorithm() != "ES256" {
		t.Errorf("kid %s, alg %s", key.KID(), key.Algorithm())
	}
	if want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC); !key.Created().Equal(want) {
		t.Errorf("created %v, want %v", key.Created(), want)
	}
	if want := time.Date(2026, 1, 2, 4, 4, 5, 0, time.UTC); !key.SignsFrom().Equal(want) {
		t.Errorf("signs from %v, want %v", key.SignsFrom(), want)
	}
}

func TestSignaturesVerifyUnderThePublicPart(t *testing.T) {
	key, err := signer.ParseKey(vectorName, []byte(vectorFile))
	if err != nil {
		t.Fatal(err)
	}
	const input = "eyJhbGciOiJFUzI1NiJ9.e30"
	signature, err := key.Sign(t.Context(), []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(input+"."+rawURL(signature), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(key.Public()); err != nil {
		t.Error(err)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	const otherD = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
	tests := map[string]struct {
		name    string
		content string
		says    string
	}{
		"a file that is named after another key":          {"AAAA.json", vectorWith(t, vectorKID, "AAAA"), "holds the key " + vectorKID},
		"a kid member that differs from the name":         {vectorName, vectorWith(t, vectorKID, "AAAA"), "kid: differs"},
		"a file without kid":                              {vectorName, vectorWith(t, `"kid": "`+vectorKID+`",`, ""), "kid: differs"},
		"a private part that belongs to another key":      {vectorName, vectorWith(t, vectorD, otherD), "private key on P-256"},
		"a public part without the private one":           {vectorName, vectorWith(t, `, "d": "`+vectorD+`"`, ""), "only the public part"},
		"a private part that is not text":                 {vectorName, vectorWith(t, `"`+vectorD+`"`, "12"), "only the public part"},
		"a private part that is no base64url":             {vectorName, vectorWith(t, vectorD, vectorD+"="), "private key on P-256"},
		"a private part that is too short":                {vectorName, vectorWith(t, vectorD, vectorD[4:]), "private key on P-256"},
		"a point that is not on the curve":                {vectorName, vectorWith(t, vectorY, vectorX), "private key on P-256"},
		"another curve":                                   {vectorName, vectorWith(t, "P-256", "P-384"), "crv P-256"},
		"another kind of key":                             {vectorName, vectorWith(t, `"EC"`, `"RSA"`), "kty EC"},
		"another algorithm":                               {vectorName, vectorWith(t, "ES256", "ES384"), "crv P-384, which alg ES384 takes"},
		"no algorithm":                                    {vectorName, vectorWith(t, `"alg": "ES256",`, ""), "alg: is not ES256"},
		"a key for encryption":                            {vectorName, vectorWith(t, `"use": "sig"`, `"use": "enc"`), "use: is not sig"},
		"an unknown member of the file":                   {vectorName, vectorWith(t, `"created"`, `"note": "", "created"`), "a member other than created, signsFrom, key"},
		"an unknown member of the key":                    {vectorName, vectorWith(t, `"use"`, `"x5u": "", "use"`), "a member other than kty"},
		"a member in another case":                        {vectorName, vectorWith(t, `"created"`, `"Created"`), "a member other than created"},
		"a member that stands twice in the file":          {vectorName, vectorWith(t, `"key"`, `"key": {}, "key"`), "stands twice"},
		"a member that stands twice in the key":           {vectorName, vectorWith(t, `"use"`, `"d": "`+vectorD+`", "use"`), "stands twice"},
		"a file without created":                          {vectorName, vectorWith(t, `"created": "2026-01-02T03:04:05Z",`, ""), "created: is missing"},
		"a signsFrom that is no RFC 3339 time":            {vectorName, vectorWith(t, "2026-01-02T04:04:05Z", "2026-01-02"), "signsFrom: is missing or not"},
		"a file without a key":                            {vectorName, `{"created": "2026-01-02T03:04:05Z", "signsFrom": "2026-01-02T03:04:05Z"}`, "key: is not one JSON object"},
		"text behind the object":                          {vectorName, vectorFile + `{}`, "not one JSON object"},
		"an array":                                        {vectorName, "[" + vectorFile + "]", "not one JSON object"},
		"a file that ends early":                          {vectorName, vectorFile[:len(vectorFile)-1], "not one JSON object"},
		"the bare private part":                           {vectorName, vectorD, "not one JSON object"},
		"an empty file":                                   {vectorName, "", "not one JSON object"},
		"a file over 64 KiB that would otherwise be read": {vectorName, vectorFile + strings.Repeat(" ", signer.MaxKeyFile), "over 65536 bytes"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			_, err := signer.ParseKey(test.name, []byte(test.content))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.HasPrefix(err.Error(), test.name+": ") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q, want one that begins with the file's name and says %q", err, test.says)
			}
			for _, secret := range []string{vectorD, otherD, vectorD[4:]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the private key: %v", err)
				}
			}
		})
	}
}

func FuzzKeyFile(f *testing.F) {
	f.Add(vectorName, []byte(vectorFile))
	f.Add(vectorName, []byte(strings.Replace(vectorFile, `"d"`, `"D"`, 1)))
	f.Add(vectorName, []byte(strings.Replace(vectorFile, "P-256", "P-521", 1)))
	f.Add("x.json", []byte(`{"key":{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"x","d":"AA"}}`))
	f.Add("", []byte(`{"created":1,"created":2}`))
	for _, algorithm := range signer.Algorithms() {
		name, content := keyFileOf(f, algorithm)
		f.Add(name, []byte(content))
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		key, err := signer.ParseKey(name, content)
		if err != nil {
			mustNotQuote(t, err, content)
			return
		}
		if key.KID() != strings.TrimSuffix(name, ".json") {
			t.Errorf("file %q yields the key %s", name, key.KID())
		}
		if _, err := signer.NewKeys(key); err != nil {
			t.Errorf("a key that was read is no key of a set: %v", err)
		}
	})
}

// mustNotQuote fails if the error shows what the content has as private part.
func mustNotQuote(t *testing.T, err error, content []byte) {
	t.Helper()
	var file struct {
		Key struct{ D, P, Q, DP, DQ, QI string }
	}
	if json.Unmarshal(content, &file) != nil {
		return
	}
	_, text, _ := strings.Cut(err.Error(), ": ")
	for _, secret := range []string{file.Key.D, file.Key.P, file.Key.Q, file.Key.DP, file.Key.DQ, file.Key.QI} {
		if len(secret) >= 16 && strings.Contains(text, secret) {
			t.Errorf("the error shows the private part: %v", err)
		}
	}
}
