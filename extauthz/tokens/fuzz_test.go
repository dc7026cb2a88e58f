package tokens_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// FuzzVerify signs whatever header and payload it is given with a key of ours, so
// that all of the reading is reached, and holds what is accepted against a second
// reading by encoding/json.
func FuzzVerify(f *testing.F) {
	key := newKey(f, epoch)
	const ours = `{"alg":"ES256","kid":"KID","typ":"at+jwt"}`
	for _, header := range []string{ours, `{"alg":"none","kid":"","typ":"at+jwt"}`, `{}`, `null`} {
		f.Add(header, claimsOf(f, nil))
	}
	for _, claims := range []string{`{"exp":1e400}`, `{"iss":"a","iss":"b"}`, `[]`, `{"cnf":{"x5t#S256":"="}}`, claimsOf(f, map[string]any{"exp": 1.5})} {
		f.Add(ours, claims)
	}
	terms := termsOf(f, key)
	f.Fuzz(func(t *testing.T, header, payload string) {
		// The key's name is another in each process.
		header = strings.ReplaceAll(header, "KID", key.KID())
		got, err := terms.Verify(signed(t, key, header, payload))
		if err != nil {
			wantDenial(t, err)
			return
		}
		var claims map[string]any
		if err := json.Unmarshal([]byte(payload), &claims); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if claims["iss"] != terms.Issuer || claims["sub"] != got.ClientID || claims["client_id"] != got.ClientID ||
			claims["aud"] != got.Audience || claims["jti"] != got.ID || claims["token_use"] != got.Use.String() {
			t.Errorf("%+v of %s", got, payload)
		}
		if !terms.At.Before(got.Expires) || got.IssuedAt.Sub(terms.At) > 10*time.Second {
			t.Errorf("accepted out of its time: %+v", got)
		}
		if cnf, _ := claims["cnf"].(map[string]any); got.Bound != (len(cnf) == 1 && cnf["x5t#S256"] == base64.RawURLEncoding.EncodeToString(got.Thumbprint[:])) {
			t.Errorf("bound %v by %v", got.Bound, cnf)
		}
	})
}

// FuzzVerifyText reads text as a caller sends it. Nobody can sign it.
func FuzzVerifyText(f *testing.F) {
	key := newKey(f, epoch)
	good := signed(f, key, headerOf(key), claimsOf(f, nil))
	parts := strings.SplitN(good, ".", 3)
	for _, text := range []string{"", ".", "..", "...", "a.b.c", parts[0] + "." + parts[1] + ".", encoded("{}") + "..", encoded("[[[[") + ".a.b", "=.=.=", "\n.\n.\n"} {
		f.Add(text)
	}
	terms := termsOf(f, key)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := terms.Verify(text)
		if err == nil {
			t.Fatalf("accepted as %+v", got)
		}
		wantDenial(t, err)
		terms.LooksOurs(text)
	})
}

func wantDenial(t *testing.T, err error) {
	t.Helper()
	var denial *decision.Denial
	if !errors.As(err, &denial) || denial.Field == "" || decision.ReasonOf(err) == decision.InternalError {
		t.Errorf("not an orderly denial: %#v", err)
	}
	if len(err.Error()) > 600 {
		t.Errorf("a denial of %d bytes", len(err.Error()))
	}
}

// FuzzRevocations puts any bytes into the file. What is read of it is still read
// after a revocation is added, and the added one with it.
func FuzzRevocations(f *testing.F) {
	line := `{"jti":"a","client_id":"lab","exp":"2100-01-01T00:00:00Z","at":"1999-12-31T23:00:00Z"}`
	for _, content := range []string{"", "\n", line, line + "\n", line + "\n" + line[:20], line[:20] + "\n" + line + "\n", line + "}\n", "{}\n", "null\n", "[]\n", "\x00\x00\n", "{\"jti\":\"a\"}\r\n", line + "\n\n\n"} {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "revoked.jsonl")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		store := openRevocations(t, path)
		before, err := store.Load(now)
		if err != nil {
			if !strings.Contains(err.Error(), "line ") || len(err.Error()) > 200 {
				t.Errorf("an error without its place: %v", err)
			}
			return
		}
		added, err := store.Add(t.Context(), revocationOf("added"), nil)
		if err != nil {
			t.Fatal(err)
		}
		after, err := store.Load(now)
		if err != nil {
			t.Fatalf("cannot be read after an addition to %q: %v", content, err)
		}
		if !added.Has("added") || !after.Has("added") || after.Len() < before.Len() {
			t.Errorf("%d before, %d returned, %d after", before.Len(), added.Len(), after.Len())
		}
		if bytes.Count(content, []byte("\n")) > 1000 {
			return // the file may be written anew
		}
		if raw, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(raw, content[:bytes.LastIndexByte(content, '\n')+1]) {
			t.Errorf("what was written is not there any more: %v", err)
		}
	})
}
