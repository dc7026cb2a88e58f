package signer

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// StatementName is the file of the statement keys in a keys folder.
const StatementName = "statement.key"

// ErrNoStatementKey says that a folder holds no statement key and none was to be
// made.
var ErrNoStatementKey = errors.New("signer: no statement key")

// statementSettles is how long the predecessor goes on signing statements: by
// then every process that shares the folder has read the new key.
const statementSettles = 2 * time.Second

// statementLingers is how long the predecessor is believed. It signs until all
// have settled, its last statement lives for 10 s, and the clocks of replicas
// differ by 5 s either way: 22 s, and room for a folder that is shared slowly.
const statementLingers = time.Minute

// StatementKey is a secret with which replicas of one gateway sign statements to
// each other, by HMAC-SHA-256. Every fmt verb, text encoding and log/slog get
// its ID only. Do not keep one in an unexported field of a struct that is
// printed: fmt calls no methods there. Keep the [*StatementKeys].
type StatementKey struct {
	// ID is the key's name, derived from the secret and telling nothing of it.
	ID      string
	Secret  StatementSecret
	created time.Time
}

// Created is when the key was made.
func (k StatementKey) Created() time.Time { return k.created }

// StatementSecret is the secret of a [StatementKey]. It prints as "[secret]".
type StatementSecret [32]byte

// newStatementKey names a secret. The message cannot be the signing input of a
// JWS, which has a dot in it.
func newStatementKey(secret StatementSecret, created time.Time) StatementKey {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("certbearer statement key id"))
	id := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
	return StatementKey{ID: id, Secret: secret, created: created}
}

// generateStatementKey makes a new secret.
func generateStatementKey(created time.Time) StatementKey {
	var secret StatementSecret
	// crypto/rand.Read never returns an error: it ends the process first.
	_, _ = rand.Read(secret[:])
	return newStatementKey(secret, created)
}

// StatementKeys is the statement key in force and the one before it. It is
// immutable. A nil one has no keys.
type StatementKeys struct{ pair *statementPair }

// statementPair is one pointer further away than fmt follows in a field that it
// may call no methods of.
type statementPair struct {
	current  StatementKey
	previous *StatementKey
}

func (k *StatementKeys) empty() bool { return k == nil || k.pair == nil }

// Current returns the newest key, the zero value if there is none.
func (k *StatementKeys) Current() StatementKey {
	if k.empty() {
		return StatementKey{}
	}
	return k.pair.current
}

// Previous returns the key before the current one.
func (k *StatementKeys) Previous() (StatementKey, bool) {
	if k.empty() || k.pair.previous == nil {
		return StatementKey{}, false
	}
	return *k.pair.previous, true
}

// Signing returns the key that statements are signed with at a time: the
// previous one until the current one is old enough for all replicas to know it.
func (k *StatementKeys) Signing(at time.Time) StatementKey {
	if previous, ok := k.Previous(); ok && at.Before(k.pair.current.created.Add(statementSettles)) {
		return previous
	}
	return k.Current()
}

// ByID returns the key of that ID which is believed at a time: the current one,
// or the previous one for as long as a statement of its may be under way. There is
// none with an empty ID.
func (k *StatementKeys) ByID(id string, at time.Time) (StatementKey, bool) {
	if k.empty() || id == "" {
		return StatementKey{}, false
	}
	if k.pair.current.ID == id {
		return k.pair.current, true
	}
	previous, ok := k.Previous()
	if ok && previous.ID == id && at.Before(k.pair.current.created.Add(statementLingers)) {
		return previous, true
	}
	return StatementKey{}, false
}

// Equal reports whether both hold the same keys.
func (k *StatementKeys) Equal(other *StatementKeys) bool {
	if k.empty() || other.empty() {
		return k.empty() == other.empty()
	}
	mine, _ := k.Previous()
	theirs, _ := other.Previous()
	return k.pair.current.ID == other.pair.current.ID && mine.ID == theirs.ID
}

// OpenStatementKeys reads dir's [StatementName], which has to be of mode 0600 or
// stricter. With Options.Generate and no such file, a key is made under the lock
// that [Open] takes; without, the error is [ErrNoStatementKey].
func OpenStatementKeys(ctx context.Context, dir string, options Options) (*StatementKeys, error) {
	keys, err := loadStatement(dir)
	if !options.Generate || !errors.Is(err, ErrNoStatementKey) {
		return keys, err
	}
	f, err := lockNewFolder(ctx, dir, options)
	if err != nil {
		return nil, err
	}
	defer f.unlock()
	keys, err = loadStatement(dir)
	if !errors.Is(err, ErrNoStatementKey) {
		return keys, err
	}
	return f.rotateStatement(nil, options.second())
}

func loadStatement(dir string) (*StatementKeys, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	content, err := readPrivate(filepath.Join(dir, StatementName), maxStatementFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s", ErrNoStatementKey, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	keys, err := ParseStatementKeys(content)
	if err != nil {
		return nil, fmt.Errorf("signer: %s: %w", filepath.Join(dir, StatementName), err)
	}
	return keys, nil
}

// rotateStatement writes a new key before which the old current one was in force.
func (f *locked) rotateStatement(old *StatementKeys, now time.Time) (*StatementKeys, error) {
	pair := &statementPair{current: generateStatementKey(now)}
	if old != nil {
		pair.previous = &old.pair.current
	}
	next := &StatementKeys{pair}
	content, err := next.encode()
	if err != nil {
		return nil, err
	}
	if err := f.write(StatementName, content); err != nil {
		return nil, fmt.Errorf("signer: writing a statement key: %w", err)
	}
	return next, nil
}

// ReplaceStatement makes a statement key in the place of the ones that there are,
// at once and without a predecessor: what any of these signed is believed no
// more. The file may have any fault; that it is missing is [ErrNoStatementKey].
// Whose folder it may be is as in [Rotate].
func ReplaceStatement(ctx context.Context, dir string, options Options) (*StatementKeys, error) {
	there := func() error {
		_, err := os.Lstat(filepath.Join(dir, StatementName))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w in %s", ErrNoStatementKey, dir)
		case err != nil:
			return fmt.Errorf("signer: %w", err)
		}
		return nil
	}
	if err := errors.Join(there(), mayChange(dir)); err != nil {
		return nil, err
	}
	f, err := lockFolder(ctx, dir, options)
	if err != nil {
		return nil, err
	}
	defer f.unlock()
	if err := errors.Join(there(), checkFolder(dir)); err != nil {
		return nil, err
	}
	return f.rotateStatement(nil, options.second())
}

const hidden = "[secret]"

// String names the key.
func (k StatementKey) String() string { return "statement key " + k.ID + " " + hidden }

// Format answers every fmt verb as String does.
func (k StatementKey) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, k.String()) }

// MarshalText answers as String does; encoding/json uses it as well.
func (k StatementKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue answers as String does.
func (k StatementKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Format answers every fmt verb with "[secret]".
func (StatementSecret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, hidden) }

// MarshalText answers with "[secret]".
func (StatementSecret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue answers with "[secret]".
func (StatementSecret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format answers every fmt verb with the name of the current key.
func (k *StatementKeys) Format(state fmt.State, _ rune) { k.Current().Format(state, 's') }

// MarshalText answers with the name of the current key.
func (k *StatementKeys) MarshalText() ([]byte, error) { return k.Current().MarshalText() }
