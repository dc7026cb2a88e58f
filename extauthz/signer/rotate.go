package signer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WaitingError says that no key is made because one waits already.
type WaitingError struct {
	KID       string
	SignsFrom time.Time
}

func (e *WaitingError) Error() string {
	return fmt.Sprintf("key %s is waiting already: it signs from %s", e.KID, e.SignsFrom.UTC().Format(time.RFC3339))
}

// Rotated is what [Rotate] or the schedule did.
type Rotated struct {
	// Made is the new key, nil if none was made.
	Made Key
	// Before signs until Made does; nil if Made signs at once.
	Before Key
	// Removed are the keys whose time was over.
	Removed []Key
	// Statement is the pair after its rotation, nil if none was made.
	Statement *StatementKeys
}

// Rotate makes a key that signs PublishAhead from now, a statement key beside
// it, and removes the keys whose time is over. In a folder without keys the new
// one signs at once. If a key waits already, the error is a [*WaitingError].
//
// In a folder of another user's, root gives what it makes to that user, and
// anybody else is refused: nobody but who makes a key may read it.
//
// Where it does not finish, the folder holds a working set: files are whole, and
// nothing is removed that verifiers need.
func Rotate(ctx context.Context, dir string, options Options, rotation Rotation) (Rotated, error) {
	if err := mayChange(dir); err != nil {
		return Rotated{}, err
	}
	f, err := lockNewFolder(ctx, dir, options)
	if err != nil {
		return Rotated{}, err
	}
	defer f.unlock()
	keys, err := load(dir, options)
	if err != nil && !errors.Is(err, ErrNoKeys) {
		return Rotated{}, err
	}
	now := options.now()
	if key, waits := waiting(keys, now); waits {
		return Rotated{}, &WaitingError{key.KID(), key.SignsFrom()}
	}
	from := rotation.earliest(now)
	if keys == nil {
		from = options.second()
	}
	return f.follow(options, rotation, keys, now, from)
}

// keepUp does what the schedule asks for at this time. It makes no folder and no
// first key. Whoever comes second finds the work done.
func keepUp(ctx context.Context, dir string, options Options, rotation Rotation) (Rotated, error) {
	f, err := lockFolder(ctx, dir, options)
	if err != nil {
		return Rotated{}, err
	}
	defer f.unlock()
	keys, err := load(dir, options)
	if err != nil {
		return Rotated{}, err
	}
	now := options.now()
	if from, due := rotation.next(keys, now); due {
		return f.follow(options, rotation, keys, now, from)
	}
	removed, err := f.retire(rotation, keys, now)
	return Rotated{Removed: removed}, err
}

// follow makes the key after keys. What is over goes first, so that there is
// room; everything that can fail without a trace comes before that.
func (f *locked) follow(options Options, rotation Rotation, keys *Keys, now, from time.Time) (Rotated, error) {
	statement, err := loadStatement(f.dir)
	if err != nil && !errors.Is(err, ErrNoStatementKey) {
		return Rotated{}, err
	}
	// RSA keys take a while. Whatever that takes is not time of publication.
	key, err := newKey(options, options.second(), from)
	if err != nil {
		return Rotated{}, err
	}
	var done Rotated
	if done.Removed, err = f.retire(rotation, keys, now); err != nil {
		return done, err
	}
	if len(keys.All())-len(done.Removed) >= MaxKeys {
		return done, fmt.Errorf("signer: %s: holds %d keys, and no more are allowed; the next can go %s", f.dir, MaxKeys,
			rotation.until(keys.All()[len(done.Removed)+1]).UTC().Format(time.RFC3339))
	}
	if earliest := rotation.earliest(options.now()); keys != nil && key.signsFrom.Before(earliest) {
		key = key.from(earliest)
	}
	if err := f.writeKey(key); err != nil {
		return done, err
	}
	done.Made = key
	done.Before, _ = keys.Signing(now)
	done.Statement, err = f.rotateStatement(statement, options.second())
	return done, err
}

// retire removes the keys whose time is over. What took their place is in the
// folder already.
func (f *locked) retire(rotation Rotation, keys *Keys, now time.Time) ([]Key, error) {
	var removed []Key
	for _, key := range rotation.retired(keys, now) {
		if err := f.remove(key.KID() + extension); err != nil {
			return removed, fmt.Errorf("signer: removing an old key: %w", err)
		}
		removed = append(removed, key)
	}
	return removed, nil
}
