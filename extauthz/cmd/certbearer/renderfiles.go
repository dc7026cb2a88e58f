package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/certbearer/certbearer/extauthz/config"
)

// renderedFile is a file of a proxy's configuration. None holds a secret: they
// name the files that do.
type renderedFile struct {
	path string
	text []byte
}

// writeOutput writes files into the folder of --output-dir, which it makes where
// there is none.
func writeOutput(folder string, files ...renderedFile) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("--output-dir: %w", err)
	}
	return writeFiles(files)
}

func writeFiles(files []renderedFile) error {
	for _, file := range files {
		if err := replaceFile(file.path, file.text); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile never leaves half a file: the proxy may be reading it.
func replaceFile(path string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // gone already if all went well
	_, err = temporary.Write(text)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// inFile returns what a renderer refuses, joined errors of the type E, as faults of
// the configuration file. at names the key from which the parameter came, and the
// problem in words that fit it. An error that has no key comes back as it is.
func inFile[E error](err error, file string, at func(E) (key, problem string)) error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return err
	}
	var faults config.Errors
	for _, one := range joined.Unwrap() {
		var fault E
		if !errors.As(one, &fault) {
			return err
		}
		key, problem := at(fault)
		if key == "" {
			return err
		}
		faults = append(faults, config.At(file, key, problem))
	}
	return faults
}

// warnOfPair says that a certificate and its key cannot be used as they are here.
// It is no error: they may be on the proxy's machine only.
func warnOfPair(w io.Writer, proxy, keys, certificate, key string) {
	if certificate == "" {
		return
	}
	_, err := tls.LoadX509KeyPair(certificate, key)
	warnOfFile(w, proxy, keys, err)
}

// warnOfFile says err, if it is one, of a file that the proxy will open.
func warnOfFile(w io.Writer, proxy, keys string, err error) {
	if err != nil {
		fmt.Fprintf(w, "certbearer: warning: %s: %v (%s opens it, so this matters where %s runs)\n", keys, err, proxy, proxy)
	}
}
