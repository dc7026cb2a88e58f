package signer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// maxEntries bounds the files in a keys folder, those that are no keys included.
const maxEntries = 1024

// Options say how [Open] treats a folder without keys. The zero value is ready
// to use and makes nothing.
type Options struct {
	// Generate makes one ES256 key, and the folder, where there is none.
	Generate bool
	// Now dates a key that is made; nil is time.Now.
	Now func() time.Time
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// Open reads the keys in dir: the files whose names end in .json and do not
// begin with a dot, in the format of [ParseKey], of mode 0600 or stricter and at
// most [MaxKeyFile] bytes. Everything else in the folder is ignored. One bad key
// file is an error, and the error names each: an operator who meant a key to be
// there would not want to learn of it from tokens that do not verify.
//
// With Options.Generate and no key, one is made under a lock in the folder, so
// that all who start at once end up with the same. ctx bounds the wait for that
// lock. Without Generate and without a key, the error is [ErrNoKeys].
func Open(ctx context.Context, dir string, options Options) (*Keys, error) {
	keys, err := load(dir)
	if !options.Generate || !errors.Is(err, ErrNoKeys) {
		return keys, err
	}
	return generate(ctx, dir, options.now())
}

func load(dir string) (*Keys, error) {
	names, err := keyFiles(dir)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w in %s", ErrNoKeys, dir)
	}
	if len(names) > MaxKeys {
		return nil, fmt.Errorf("signer: %s: %d key files, at most %d are allowed; remove keys whose last token has expired", dir, len(names), MaxKeys)
	}
	keys := make([]Key, 0, len(names))
	var faults []error
	for _, name := range names {
		key, err := readKey(dir, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		keys = append(keys, key)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return NewKeys(keys...)
}

// keyFiles lists the names of the key files in dir. A folder that is not there
// has none.
func keyFiles(dir string) ([]string, error) {
	folder, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	defer func() { _ = folder.Close() }()
	entries, err := folder.ReadDir(maxEntries + 1)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("signer: %w", err)
	}
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("signer: %s: over %d files; keep nothing but keys there", dir, maxEntries)
	}
	var names []string
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, extension) && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func readKey(dir, name string) (Key, error) {
	content, err := readPrivate(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	key, err := ParseKey(name, content)
	if err != nil {
		return nil, fmt.Errorf("signer: %s%c%w", filepath.Clean(dir), filepath.Separator, err)
	}
	return key, nil
}

// readPrivate reads a file that only its owner may read. What it checks is the
// open file, not the name, so that nobody can put another in its place between
// check and reading. O_NONBLOCK keeps a named pipe from holding us up.
func readPrivate(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s: mode %04o lets others at the private key; run chmod 0600 on it, and replace the key if others could read it", path, mode)
	}
	content, err := io.ReadAll(io.LimitReader(file, MaxKeyFile+1))
	if err != nil {
		return nil, err
	}
	return content, nil
}
