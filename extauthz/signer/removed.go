package signer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// without returns the set without some of its keys. It may be empty: then nothing
// signs, and nothing verifies.
func (k *Keys) without(gone func(Key) bool) *Keys {
	left := slices.DeleteFunc(k.All(), gone)
	if len(left) == len(k.All()) {
		return k
	}
	if len(left) == 0 {
		return &Keys{jwks: []byte(`{"keys":[]}`)}
	}
	set, err := NewKeys(left...)
	if err != nil { // which they were good for with the others
		return &Keys{jwks: []byte(`{"keys":[]}`)}
	}
	return set
}

// left returns those of the keys whose files are still in dir. A file that is
// gone was removed on purpose, and has to take its key with it whatever else is
// wrong with the folder. But where nothing at all is left, the folder was perhaps
// emptied to be filled again, or is not mounted: then all keys stay. That is
// asked before and after, for a folder may go meanwhile.
func left(dir string, keys *Keys) *Keys {
	if !inhabited(dir) {
		return keys
	}
	remain := keys.without(func(key Key) bool { return removed(dir, key.KID()+extension) })
	if !inhabited(dir) {
		return keys
	}
	return remain
}

// removed reports that there is no such file. A link that leads nowhere counts as
// none: what it led to was removed.
func removed(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return errors.Is(err, fs.ErrNotExist)
}

// inhabited reports that a folder can be listed and has anything in it.
func inhabited(dir string) bool {
	folder, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer func() { _ = folder.Close() }()
	names, err := folder.Readdirnames(1)
	return err == nil && len(names) > 0
}
