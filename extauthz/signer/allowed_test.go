package signer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/certbearer/certbearer/extauthz/signer"
)

func TestAKeyOfAnAlgorithmThatIsNotAllowedIsAFault(t *testing.T) {
	for sentence, test := range map[string]struct {
		allowed []signer.Algorithm
		says    string
	}{
		"all by default":     {nil, ""},
		"the one that it is": {[]signer.Algorithm{signer.EdDSA, signer.ES256}, ""},
		"only others":        {[]signer.Algorithm{signer.PS256, signer.EdDSA}, "alg: ES256 is not allowed here, want PS256 or EdDSA"},
		"none":               {[]signer.Algorithm{}, "alg: ES256 is not allowed here"},
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, vectorName, vectorFile, 0o600)
			_, opened := signer.Open(t.Context(), dir, signer.Options{Allowed: test.allowed})
			_, rotated := signer.Rotate(t.Context(), dir, signer.Options{Allowed: test.allowed, Algorithm: signer.ES256}, daily)
			for _, err := range []error{opened, rotated} {
				if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), filepath.Join(dir, vectorName)+": "+test.says) {
					t.Errorf("error %v", err)
				}
			}
		})
	}
}

func TestNoKeyIsMadeOfAnAlgorithmThatIsNotAllowed(t *testing.T) {
	options := signer.Options{Generate: true, Allowed: []signer.Algorithm{signer.PS256}}
	dir := t.TempDir()
	_, opened := signer.Open(t.Context(), dir, options)
	_, rotated := signer.Rotate(t.Context(), dir, options, daily)
	for _, err := range []error{opened, rotated} {
		if err == nil || !strings.Contains(err.Error(), "ES256 is not allowed here, want PS256") {
			t.Errorf("error %v", err)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(files) > 0 {
		t.Errorf("%q", files)
	}
}

func TestAKeyThatIsNotAllowedIsNeverTakenIntoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t, signer.Options{Allowed: []signer.Algorithm{signer.ES256}}, signer.Rotation{})
		made, err := signer.Rotate(t.Context(), k.dir, signer.Options{Algorithm: signer.ES384}, signer.Rotation{})
		must(t, err)
		r := k.one(t)
		if _, there := r.Set.Keys.Key(made.Made.KID()); there || r.Fault == nil || !strings.Contains(r.Fault.Error(), made.Made.KID()+".json: alg: ES384") {
			t.Errorf("%+v", r)
		}
		must(t, os.Remove(filepath.Join(k.dir, made.Made.KID()+".json")))
		if r := k.one(t); r.Fault != nil {
			t.Errorf("%+v", r)
		}
	})
}
