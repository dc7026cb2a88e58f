package signer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// lockName is the file that is locked while the folder is changed. It stays: a
// lock file that is removed lets two processes hold locks on two files of one
// name.
const lockName = ".lock"

// lockRetry is how often a taken lock is tried again.
const lockRetry = 20 * time.Millisecond

// unfinished begins the names of files that are being written.
const unfinished = ".new-"

// locked is a keys folder that nobody else changes in the meantime. Whatever
// ends the process leaves files that are whole, and the lock goes with it.
type locked struct {
	dir  string
	heir *owner // whom the files are given to, nil if they stay ours
	lock *flock.Flock
	step func(string)
}

// lockFolder waits for the lock until ctx ends. The folder has to be there.
// Files that a crash left unfinished are removed: only who has the lock writes
// such, so none of them is in use, and they hold private keys.
func lockFolder(ctx context.Context, dir string, options Options) (*locked, error) {
	heir, err := heirOf(dir)
	if err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	if err := bequeathLock(dir, heir); err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	f := &locked{dir: dir, heir: heir, step: options.step, lock: flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))}
	if _, err := f.lock.TryLockContext(ctx, lockRetry); err != nil {
		_ = f.lock.Close()
		return nil, fmt.Errorf("signer: %s: waiting for the lock: %w", dir, err)
	}
	if err := f.clean(); err != nil {
		f.unlock()
		return nil, fmt.Errorf("signer: %w", err)
	}
	return f, nil
}

// lockNewFolder makes the folder where it is missing, and locks it.
func lockNewFolder(ctx context.Context, dir string, options Options) (*locked, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	return lockFolder(ctx, dir, options)
}

func (f *locked) unlock() { _ = f.lock.Close() }

// before names the next change of the file system to a test that has the
// process end there.
func (f *locked) before(step string) {
	if f.step != nil {
		f.step(step)
	}
}

func (f *locked) clean() error {
	names, err := folderNames(f.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, unfinished) {
			continue
		}
		if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// write makes the file appear under its name with all its content, or leaves
// what was there, a crash included. os.CreateTemp makes it mode 0600 from the
// start. When it returns, the file outlives a loss of power.
func (f *locked) write(name string, content []byte) error {
	f.before("create")
	file, err := os.CreateTemp(f.dir, unfinished+"*")
	if err != nil {
		return err
	}
	f.before("fill")
	_, err = file.Write(content)
	if f.heir != nil {
		err = errors.Join(err, file.Chown(f.heir.uid, f.heir.gid))
	}
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		f.before("rename " + name)
		err = os.Rename(file.Name(), filepath.Join(f.dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return f.sync()
}

// remove removes a file for good. One that is not there is no error.
func (f *locked) remove(name string) error {
	f.before("remove " + name)
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.sync()
}

func (f *locked) sync() error {
	f.before("sync")
	folder, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// writeKey writes a key's file, in the place of the one it had.
func (f *locked) writeKey(key *localKey) error {
	content, err := key.encode()
	if err != nil {
		return err
	}
	if err := f.write(key.kid+extension, content); err != nil {
		return fmt.Errorf("signer: writing a key: %w", err)
	}
	return nil
}

// makeKey makes a key and writes it.
func (f *locked) makeKey(options Options, created, signsFrom time.Time) (*localKey, error) {
	key, err := newKey(options, created, signsFrom)
	if err != nil {
		return nil, err
	}
	return key, f.writeKey(key)
}
