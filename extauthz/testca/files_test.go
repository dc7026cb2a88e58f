package testca_test

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestWriteFilesMakesAPairThatLoads(t *testing.T) {
	inter := issue(t, ca(t), testca.Template{CommonName: "Intermediate", CA: true})
	leaf := issue(t, inter, testca.Template{CommonName: "lab"})
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "client.crt"), filepath.Join(dir, "client.key")
	if err := leaf.WriteFiles(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(pair.Certificate) != 2 {
		t.Errorf("%d certificates, want the leaf and the intermediate", len(pair.Certificate))
	}
	info, err := os.Stat(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, want 0600", info.Mode().Perm())
	}
}

func TestWriteFilesOverwritesNothing(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	for name, there := range map[string]string{
		"a certificate is there": "client.crt",
		"a key is there":         "client.key",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, there), []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := leaf.WriteFiles(filepath.Join(dir, "client.crt"), filepath.Join(dir, "client.key"))
			if !errors.Is(err, fs.ErrExist) {
				t.Errorf("got %v, want fs.ErrExist", err)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if content, err := os.ReadFile(filepath.Join(dir, there)); err != nil || string(content) != "mine" {
				t.Errorf("%s now holds %q, %v", there, content, err)
			}
		})
	}
}

func TestWriteFilesToOneName(t *testing.T) {
	name := filepath.Join(t.TempDir(), "both.pem")
	err := selfSigned(t, testca.Template{}).WriteFiles(name, name)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
}
