package tokens

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
)

const (
	// MaxRevocations bounds the tokens that are remembered. One takes about 150
	// bytes of the file, and is forgotten when it has expired, after a day at most.
	MaxRevocations = 100_000
	// MaxRevocationsPerClient keeps one client from using them up.
	MaxRevocationsPerClient = 1000
	// maxRevocationBytes bounds the file; what has expired is in it for a while.
	maxRevocationBytes = 64 << 20
	// compactFrom is how many lines have to be of no use before the file is
	// written anew.
	compactFrom = 1000
	// lookEvery is how soon a revocation that another process wrote is known here.
	lookEvery = 250 * time.Millisecond
	lockRetry = 10 * time.Millisecond
)

// ErrTooManyRevocations says that no more can be remembered.
var ErrTooManyRevocations = fmt.Errorf("tokens: at most %d revoked tokens that have not expired are remembered, and %d of one client", MaxRevocations, MaxRevocationsPerClient)

// Revocations is the file in which revocations are kept: one JSON object a line,
// appended to, so that several processes may share it and a crash loses nothing but
// a line that nobody was told of.
type Revocations struct {
	path string
	// MaxRevocations and MaxRevocationsPerClient, but for tests.
	most, mostOfOne int
	mu              sync.Mutex  // among the goroutines of this process; the lock file is among processes
	seen            atomic.Bool // there was a file: one that is gone was lost
}

// OpenRevocations makes the folder, if it is not there, and returns the file. It
// does not read it.
func OpenRevocations(path string) (*Revocations, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	return &Revocations{path: path, most: MaxRevocations, mostOfOne: MaxRevocationsPerClient}, nil
}

// Add keeps a revocation. When it returns nil the line is on the disk. It returns
// what is revoked now. Whatever else the caller knows to be revoked, and the file
// has lost, is written again with it.
func (r *Revocations) Add(ctx context.Context, one Revocation, known *Revoked) (*Revoked, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	content, err := r.content()
	if err != nil {
		return nil, err
	}
	all, lines, err := r.parse(content, one.At)
	if err != nil {
		return nil, err
	}
	kept := all.Len()
	all = all.With(known, one.At)
	lost := all.Len() > kept
	if !all.Has(one.ID) {
		if all.Len() >= r.most || all.ofClient(one.ClientID) >= r.mostOfOne {
			return nil, ErrTooManyRevocations
		}
		all.byID[one.ID] = one
	} else if !lost {
		return all, nil
	}
	if lost || lines-all.Len() > compactFrom+all.Len() {
		return all, r.rewrite(all)
	}
	return all, r.append(one, content)
}

// Load reads what is revoked and has not expired at the given time.
func (r *Revocations) Load(at time.Time) (*Revoked, error) {
	content, err := r.content()
	if err != nil {
		return nil, err
	}
	all, _, err := r.parse(content, at)
	return all, err
}

// Run calls publish with what is revoked whenever the file has changed, by
// whomever, and once at the start: it may have changed since it was loaded. A file
// that cannot be read, or is gone, is published as an error, once as long as it
// stays the same: what was published before then stays in force.
func (r *Revocations) Run(ctx context.Context, publish func(*Revoked, error)) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var look look
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-ticker.C:
			if all, err, news := look.again(r, at); news {
				publish(all, err)
			}
		}
	}
}

// look is what was last seen of the file.
type look struct {
	file  os.FileInfo // nil: none so far
	fault string      // "": it could be read
}

func (l *look) again(r *Revocations, at time.Time) (all *Revoked, err error, news bool) {
	now, err := os.Stat(r.path)
	if errors.Is(err, fs.ErrNotExist) && !r.seen.Load() || l.fault == "" && sameFile(l.file, now) {
		return nil, nil, false
	}
	if err != nil {
		err = fmt.Errorf("revocations: %w", err)
	} else {
		l.file = now
		all, err = r.Load(at)
	}
	if err == nil {
		l.fault = ""
		return all, nil, true
	}
	news = l.fault != err.Error()
	l.fault = err.Error()
	return nil, err, news
}

func sameFile(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// lock keeps other processes, and other goroutines, from writing.
func (r *Revocations) lock(ctx context.Context) (unlock func(), err error) {
	r.mu.Lock()
	lock := flock.New(r.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		r.mu.Unlock()
		return nil, fmt.Errorf("revocations: %s: waiting for the lock: %w", r.path, err)
	}
	return func() { _ = lock.Close(); r.mu.Unlock() }, nil
}

func (r *Revocations) content() ([]byte, error) {
	file, err := os.Open(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	defer func() { _ = file.Close() }()
	r.seen.Store(true)
	content, err := io.ReadAll(io.LimitReader(file, maxRevocationBytes+1))
	if err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	if len(content) > maxRevocationBytes {
		return nil, fmt.Errorf("revocations: %s: has more than %d bytes", r.path, maxRevocationBytes)
	}
	return content, nil
}

// append writes one line. A part of a line that a crash has left is taken off
// first: whatever it is (a file system may have made zeros of it), behind it the
// next line would make it a whole one, which nobody could read.
func (r *Revocations) append(one Revocation, content []byte) error {
	line, err := json.Marshal(one)
	if err != nil {
		return fmt.Errorf("revocations: %w", err)
	}
	file, err := os.OpenFile(r.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("revocations: %w", err)
	}
	if end := wholeLines(content); end < len(content) {
		err = file.Truncate(int64(end))
	}
	if err == nil {
		_, err = file.Write(append(line, '\n'))
	}
	err = errors.Join(err, file.Sync(), file.Close())
	r.seen.Store(true)
	if err == nil && len(content) == 0 {
		err = r.syncFolder() // the file may be a new one
	}
	if err != nil {
		return fmt.Errorf("revocations: %w", err)
	}
	return nil
}

// syncFolder makes the file's name last as its content does.
func (r *Revocations) syncFolder() error {
	folder, err := os.Open(filepath.Dir(r.path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// rewrite replaces the file by one without what has expired.
func (r *Revocations) rewrite(all *Revoked) error {
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	for _, one := range all.byID {
		if err := encoder.Encode(one); err != nil {
			return fmt.Errorf("revocations: %w", err)
		}
	}
	// Nobody else writes, so that what a crash has left there is of no use.
	file, err := os.OpenFile(r.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("revocations: %w", err)
	}
	_, err = file.Write(content.Bytes())
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), r.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("revocations: %w", err), os.Remove(file.Name()))
	}
	if err := r.syncFolder(); err != nil {
		return fmt.Errorf("revocations: %w", err)
	}
	return nil
}

// parse reads the lines and counts them. A line that is no revocation
// is an error that names it: it may be one that somebody counts on. Only a last
// line without its end is passed over, for whoever wrote it was never told that
// it is kept.
func (r *Revocations) parse(content []byte, at time.Time) (all *Revoked, lines int, err error) {
	all = NewRevoked()
	for line := range bytes.Lines(content[:wholeLines(content)]) {
		lines++
		text := bytes.TrimSpace(line)
		if len(text) == 0 {
			continue
		}
		var one Revocation
		if json.Unmarshal(text, &one) != nil || one.ID == "" || len(one.ID) > maxID || one.Expires.IsZero() {
			return nil, 0, fmt.Errorf("revocations: %s: line %d is no revocation", r.path, lines)
		}
		if at.Before(one.forgottenAt()) {
			all.byID[one.ID] = one
		}
	}
	return all, lines, nil
}

// wholeLines is how many bytes of the content are lines with their ends.
func wholeLines(content []byte) int { return bytes.LastIndexByte(content, '\n') + 1 }
