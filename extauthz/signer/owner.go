package signer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// LooseFolderError says that a keys folder is not its owner's alone to change.
// Whoever may write it can put a key there that we publish.
type LooseFolderError struct {
	Dir  string
	Mode fs.FileMode
}

func (e *LooseFolderError) Error() string {
	return fmt.Sprintf("signer: %s: mode %04o lets others put keys there; run chmod go-w on it, and look for keys that are not yours", e.Dir, e.Mode.Perm())
}

// checkFolder refuses a folder that group or others can write. A sticky bit does
// not help: it keeps them from taking files away, and not from adding some. Links
// are followed. A folder that is not there has no fault.
func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("signer: %w", err)
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 {
		return &LooseFolderError{dir, mode}
	}
	return nil
}

// owner is who has a folder.
type owner struct{ uid, gid int }

func ownerOf(dir string) (owner, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return owner{}, err
	}
	system, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}, fmt.Errorf("%s: its owner cannot be told", dir)
	}
	return owner{int(system.Uid), int(system.Gid)}, nil
}

// heirOf is whom root has to give its files to: in another user's folder they
// would be of no use to who serves from it. It is nil if they stay our own.
func heirOf(dir string) (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	has, err := ownerOf(dir)
	if err != nil || has.uid == 0 {
		return nil, err
	}
	return &has, nil
}

// bequeathLock makes the lock's file if it has to be another's. One that is there
// stays whose it is: to change that by name could be turned at any file.
func bequeathLock(dir string, heir *owner) error {
	if heir == nil {
		return nil
	}
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(file.Chown(heir.uid, heir.gid), file.Close())
}

// mayChange refuses an operator who is neither root nor the owner of the folder,
// before anything is made in it. A folder that is not there becomes ours.
func mayChange(dir string) error {
	has, err := ownerOf(dir)
	uid := os.Geteuid()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("signer: %w", err)
	case uid != 0 && uid != has.uid:
		return fmt.Errorf("signer: %s belongs to user %d and this process runs as user %d, whose keys the owner could not read; run it as user %d, or as root", dir, has.uid, uid, has.uid)
	}
	return nil
}
