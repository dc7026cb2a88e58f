package run

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// libraryFolders are where Linux distributions keep the C library's files.
func libraryFolders() []string {
	return []string{
		"/lib64", "/usr/lib64", "/lib", "/usr/lib",
		"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
		"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
	}
}

// rootEnvoy is where Envoy's own images have it too.
const rootEnvoy = "usr/local/bin/envoy"

// WriteRoot writes Envoy into dir with this machine's libraries that it needs, the
// root file system of an image made from scratch. dir is made where it is missing.
func (b Binary) WriteRoot(dir string) error {
	if err := copyFile(b.Path, filepath.Join(dir, rootEnvoy), 0o755); err != nil {
		return err
	}
	loader, needed, err := linked(b.Path)
	if err != nil || loader == "" {
		return err
	}
	if err := copyFile(loader, filepath.Join(dir, loader), 0o755); err != nil {
		return err
	}
	for _, name := range needed {
		path, err := library(name, loader)
		if err != nil {
			return err
		}
		// Where it was found: the loader of this machine looks there.
		if err := copyFile(path, filepath.Join(dir, path), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// linked returns the dynamic loader and every library that the program needs, its
// libraries' own included.
func linked(program string) (loader string, needed []string, err error) {
	f, err := elf.Open(program)
	if err != nil {
		return "", nil, fmt.Errorf("%s is no Linux program: %w", program, err)
	}
	defer f.Close()
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			text, err := io.ReadAll(io.LimitReader(segment.Open(), 4096))
			if err != nil {
				return "", nil, err
			}
			loader = string(text[:max(0, len(text)-1)]) // it ends in a zero byte
		}
	}
	if needed, err = f.ImportedLibraries(); err != nil {
		return "", nil, err
	}
	for i := 0; i < len(needed); i++ { // it grows
		path, err := library(needed[i], loader)
		if err != nil {
			return "", nil, err
		}
		more, err := importsOf(path)
		if err != nil {
			return "", nil, err
		}
		for _, name := range more {
			if !slices.Contains(needed, name) {
				needed = append(needed, name)
			}
		}
	}
	return loader, needed, nil
}

func importsOf(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	return f.ImportedLibraries()
}

func library(name, loader string) (string, error) {
	for _, folder := range append([]string{filepath.Dir(loader)}, libraryFolders()...) {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("this machine has no %s, which Envoy needs", name)
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, maxEnvoy))
	return errors.Join(err, out.Close())
}
