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

// readAttempts bounds how often a folder is read that is changed meanwhile.
const readAttempts = 10

// Options say how a folder of keys is used. The zero value is ready to use and
// makes nothing.
type Options struct {
	// Generate makes one key, and the folder, where there is none.
	Generate bool
	// Algorithm is that of keys that are made.
	Algorithm Algorithm
	// Allowed are the algorithms that keys in the folder may have; nil is all of
	// [Algorithms]. A key file of another one is a fault.
	Allowed []Algorithm
	// Now dates what is made; nil is time.Now. It is a clock and no time, because
	// a lock may have to be waited for.
	Now func() time.Time

	step func(string) // for tests: told of each change before it is made
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// second is now in whole seconds, as files have it, rounded down: what is
// dated so has begun.
func (o Options) second() time.Time { return o.now().UTC().Truncate(time.Second) }

// Open reads the keys in dir: the files whose names end in .json and do not
// begin with a dot, in the format of [ParseKey], of mode 0600 or stricter and at
// most [MaxKeyFile] bytes. Everything else in the folder is ignored. One bad key
// file is an error, and the error names each: an operator who meant a key to be
// there would not want to learn of it from tokens that do not verify. So is a
// folder that others than its owner may write.
//
// With Options.Generate and no key, one is made under a lock in the folder, so
// that all who start at once end up with the same. ctx bounds the wait for that
// lock. Without Generate and without a key, the error is [ErrNoKeys].
func Open(ctx context.Context, dir string, options Options) (*Keys, error) {
	keys, err := load(dir, options)
	if !options.Generate || !errors.Is(err, ErrNoKeys) {
		return keys, err
	}
	return generate(ctx, dir, options)
}

// generate makes the first key of a folder. Whoever gets the lock second finds
// the key of whoever got it first. The key signs at once: there is no verifier
// yet that would have to learn of it first.
func generate(ctx context.Context, dir string, options Options) (*Keys, error) {
	f, err := lockNewFolder(ctx, dir, options)
	if err != nil {
		return nil, err
	}
	defer f.unlock()
	keys, err := load(dir, options)
	if !errors.Is(err, ErrNoKeys) {
		return keys, err
	}
	now := options.second()
	if _, err := f.makeKey(options, now, now); err != nil {
		return nil, err
	}
	return load(dir, options)
}

// load reads the folder without a lock. A file that goes after it was listed is
// no fault: another process has removed a key, for which there is another one.
func load(dir string, options Options) (*Keys, error) {
	for attempt := 1; ; attempt++ {
		keys, err := loadOnce(dir, "", options)
		if attempt == readAttempts || !errors.Is(err, fs.ErrNotExist) {
			return keys, err
		}
	}
}

// loadOnce reads all key files but the one named except.
func loadOnce(dir, except string, options Options) (*Keys, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	names, err := keyFiles(dir)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == except })
	if len(names) == 0 {
		return nil, fmt.Errorf("%w in %s", ErrNoKeys, dir)
	}
	if len(names) > MaxKeys {
		return nil, fmt.Errorf("signer: %s: %d key files, at most %d are allowed; remove keys whose last token has expired", dir, len(names), MaxKeys)
	}
	keys := make([]Key, 0, len(names))
	var faults []error
	for _, name := range names {
		key, err := readKey(dir, name, options)
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

// keyFiles lists the names of the key files in dir.
func keyFiles(dir string) ([]string, error) {
	names, err := folderNames(dir)
	if err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasSuffix(name, extension) || strings.HasPrefix(name, ".")
	}), nil
}

// folderNames lists what is in dir, sorted. A folder that is not there is empty.
func folderNames(dir string) ([]string, error) {
	folder, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	names, err := folder.Readdirnames(maxEntries + 1)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(names) > maxEntries {
		return nil, fmt.Errorf("%s: over %d files; keep nothing but keys there", dir, maxEntries)
	}
	slices.Sort(names)
	return names, nil
}

func readKey(dir, name string, options Options) (Key, error) {
	content, err := readPrivate(filepath.Join(dir, name), MaxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	key, err := ParseKey(name, content)
	if err == nil {
		if refused := options.permit(Algorithm(key.Algorithm())); refused != nil {
			err = fmt.Errorf("%s: %w", name, refused)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("signer: %s%c%w", filepath.Clean(dir), filepath.Separator, err)
	}
	return key, nil
}

// readPrivate reads a file that only its owner may read. What it checks is the
// open file, not the name, so that nobody can put another in its place between
// check and reading. O_NONBLOCK keeps a named pipe from holding us up. Of a file
// over limit one byte more is returned.
func readPrivate(path string, limit int64) ([]byte, error) {
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
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	return content, nil
}
