package signer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The public and private key of RFC 7515 appendix A.3, and its RFC 7638
// thumbprint, computed outside of Go from
// {"crv":"P-256","kty":"EC","x":…,"y":…}.
const (
	vectorX   = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
	vectorY   = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	vectorD   = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
	vectorKID = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
)

const vectorName = vectorKID + ".json"

const vectorFile = `{
  "created": "2026-01-02T03:04:05Z",
  "signsFrom": "2026-01-02T04:04:05Z",
  "key": {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
    "kid": "` + vectorKID + `",
    "x": "` + vectorX + `", "y": "` + vectorY + `", "d": "` + vectorD + `"}
}`

// vectorWith is the vector's file with one text replaced by another.
func vectorWith(t *testing.T, old, replacement string) string {
	t.Helper()
	if !strings.Contains(vectorFile, old) {
		t.Fatalf("the vector does not contain %q", old)
	}
	return strings.Replace(vectorFile, old, replacement, 1)
}

func writeFile(t *testing.T, dir, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
