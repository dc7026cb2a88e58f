package integration_test

import (
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// configured are the files that an operator wrote or that were rendered: they
// may speak of bearer tokens. Everything else in a world is a log.
var configured = map[string]bool{"certbearer.yaml": true, "clients": true, "keys": true, "pki": true, "run": true, "mesh": true, "keys-before": true}

// noSecrets looks through everything that certbearer and Envoy wrote.
func (w *world) noSecrets() {
	w.t.Helper()
	err := filepath.WalkDir(w.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case configured[name] && entry.IsDir():
			return fs.SkipDir
		case configured[name], entry.IsDir(), strings.HasPrefix(name, "envoy"):
			return nil
		}
		text, err := os.ReadFile(path)
		w.noSecretIn(filepath.Base(path), string(text))
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}

func (w *world) noSecretIn(what, text string) {
	w.t.Helper()
	for _, sign := range []string{"Bearer", "PRIVATE KEY"} {
		if at := strings.Index(text, sign); at >= 0 {
			w.t.Errorf("%s holds %q at byte %d", what, sign, at)
		}
	}
	if part, found := partOfToken(text); found {
		w.t.Errorf("%s holds the part of a token that begins with %.12q", what, part)
	}
}

// "eyJ" is how the base64url of `{"` begins, and so each part of a JWT that is
// JSON. Certificates and thumbprints, which are recorded, have these letters by
// chance: only in a part of a token does the name of a member follow.
var (
	partOfJWT = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{6,}`)
	member    = regexp.MustCompile(`^\{"[A-Za-z0-9_#]{1,16}"`)
)

func partOfToken(text string) (string, bool) {
	for _, part := range partOfJWT.FindAllString(text, -1) {
		decoded, err := base64.RawURLEncoding.DecodeString(part[:min(len(part), 28)/4*4])
		if err == nil && member.Match(decoded) {
			return part, true
		}
	}
	return "", false
}

func TestAPartOfATokenIsToldFromACertificate(t *testing.T) {
	for sentence, c := range map[string]struct {
		text string
		want bool
	}{
		"a header":                             {`"x": "eyJhbGciOiJFUzI1NiIsImtpZCI6IkE"`, true},
		"a payload, behind other letters":      {"abc.eyJhdWQiOiJodHRwczovL2EifQ.x", true},
		"a header that was cut off":            {"eyJhbGciOiJF", true},
		"an empty member and whatever follows": {"eyJraWQiOiIiLCJ0eXAiOiJhdCtqd3QifQ", true},
		"a certificate":                        {"MIIBdzCCAR2gAwIBAgIeyJx83kQ+/aPqZ3", false},
		"a thumbprint":                         {"A4eyJ0kLmQxT9vZs_1bNqWcRtYuIoPaSdFgHjKlZxCv", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if part, found := partOfToken(c.text); found != c.want {
				t.Errorf("found %t, %q", found, part)
			}
		})
	}
}
