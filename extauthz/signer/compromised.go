package signer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrUnknownKey says that a folder holds no key of that name.
var ErrUnknownKey = errors.New("signer: no such key")

// Replaced is what [RemoveCompromised] did besides removing the key.
type Replaced struct {
	// Signing is the key that signs now.
	Signing Key
	// Made says that Signing was made for this, so that no verifier knows it
	// yet, and Hastened that it waited for its turn, which has come early.
	Made, Hastened bool
}

// RemoveCompromised removes the key at once. If no other can sign now, one that
// waits signs from now on, or else one is made: the folder is never without a
// key that signs. The statement keys stay.
//
// The file of the key itself may have any fault, such as a mode that lets others
// read it; a fault of another file is an error, and then nothing is changed. Whose
// folder it may be is as in [Rotate].
func RemoveCompromised(ctx context.Context, dir, kid string, options Options) (Replaced, error) {
	if digest, ok := octets(kid); !ok || len(digest) != 32 {
		return Replaced{}, errors.New("signer: a kid is an RFC 7638 thumbprint of 43 characters")
	}
	if err := exists(dir, kid); err != nil {
		return Replaced{}, err
	}
	if err := mayChange(dir); err != nil {
		return Replaced{}, err
	}
	f, err := lockFolder(ctx, dir, options)
	if err != nil {
		return Replaced{}, err
	}
	defer f.unlock()
	if err := exists(dir, kid); err != nil {
		return Replaced{}, err // another process was faster
	}
	others, err := loadOnce(dir, kid+extension, options)
	if err != nil && !errors.Is(err, ErrNoKeys) {
		return Replaced{}, err
	}
	done, err := f.replace(options, others)
	if err != nil {
		return Replaced{}, err
	}
	if err := f.remove(kid + extension); err != nil {
		return Replaced{}, fmt.Errorf("signer: removing key %s: %w", kid, err)
	}
	return done, nil
}

func exists(dir, kid string) error {
	_, err := os.Lstat(filepath.Join(dir, kid+extension))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s holds no %s%s", ErrUnknownKey, dir, kid, extension)
	case err != nil:
		return fmt.Errorf("signer: %w", err)
	}
	return nil
}

// replace sees to it that one of others, or a new key, signs now. A key that
// waits comes first: some verifiers know it.
func (f *locked) replace(options Options, others *Keys) (Replaced, error) {
	now := options.second()
	if key, err := others.Signing(options.now()); err == nil {
		return Replaced{Signing: key}, nil
	}
	if key, waits := waiting(others, now); waits {
		hastened := key.(*localKey).from(now) // as all keys of files
		return Replaced{Signing: hastened, Hastened: true}, f.writeKey(hastened)
	}
	made, err := f.makeKey(options, now, now)
	if err != nil {
		return Replaced{}, err
	}
	return Replaced{Signing: made, Made: true}, nil
}
