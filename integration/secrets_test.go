package integration_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// configured are the files that an operator wrote or that were rendered: they
// may speak of bearer tokens. Everything else in a world is a log.
var configured = map[string]bool{"certbearer.yaml": true, "clients": true, "keys": true, "pki": true, "run": true, "mesh": true, "keys-before": true}

// noSecrets looks through everything that certbearer and Envoy wrote. "eyJ" is
// how the base64url of `{"` begins, and so every JWT.
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
	for _, sign := range []string{"eyJ", "Bearer", "PRIVATE KEY"} {
		if at := strings.Index(text, sign); at >= 0 {
			w.t.Errorf("%s holds %q at byte %d", what, sign, at)
		}
	}
}
