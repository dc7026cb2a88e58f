package signer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockName is the file that is locked while a key is made. It stays: a lock
// file that is removed lets two processes hold locks on two files of one name.
const lockName = ".lock"

// lockRetry is how often a taken lock is tried again.
const lockRetry = 20 * time.Millisecond

// generate makes the first key of a folder. Whoever gets the lock second finds
// the key of whoever got it first.
func generate(ctx context.Context, dir string, now time.Time) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	defer func() { _ = lock.Close() }()
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("signer: %s: waiting for the lock: %w", dir, err)
	}
	keys, err := load(dir)
	if !errors.Is(err, ErrNoKeys) {
		return keys, err
	}
	if err := writeNewKey(dir, now); err != nil {
		return nil, err
	}
	return load(dir)
}

// writeNewKey writes a key that signs at once: there is no verifier yet that
// would have to learn of it first. Times are whole seconds, rounded down, so
// that the key signs at now.
func writeNewKey(dir string, now time.Time) error {
	from := now.UTC().Truncate(time.Second)
	key, err := generateES256(from, from)
	if err != nil {
		return err
	}
	content, err := key.encode()
	if err != nil {
		return err
	}
	if err := writeWhole(dir, key.kid+extension, content); err != nil {
		return fmt.Errorf("signer: writing a new key: %w", err)
	}
	return nil
}

// writeWhole makes the file appear under its name with all its content or not
// at all, a crash included. os.CreateTemp makes it mode 0600 from the start.
func writeWhole(dir, name string, content []byte) error {
	file, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
