package listener

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

const (
	socketMode = 0o660
	folderMode = 0o750
	// asideMode keeps everyone else out of the folder in which a socket is born.
	asideMode = 0o700
	// asideName and socketName are what a socket is called until it is renamed:
	// ".abcdef/s". They are short because the system's limit counts them too.
	asideRandom = 6
	asideLength = len(".") + asideRandom + len("/s")
)

// maxSocketPath is the longest path the system binds, without the closing NUL:
// 107 bytes on Linux, 103 on macOS.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// listenUnix binds path so that at no moment anybody but owner and group could
// have connected: umask belongs to the whole process and chmod comes after bind,
// so the socket is made in a private folder and renamed into place.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := checkSocketPath(path); err != nil {
		return nil, err
	}
	folder := filepath.Dir(path)
	if err := prepareFolder(folder); err != nil {
		return nil, err
	}
	// Two processes that start at once must not both find the old socket dead.
	unlock, err := lockFolder(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := checkVacant(ctx, path); err != nil {
		return nil, err
	}
	return bind(ctx, path)
}

func checkSocketPath(path string) error {
	longest := max(len(path), len(filepath.Join(filepath.Dir(path), "x"))-1+asideLength)
	if longest <= maxSocketPath {
		return nil
	}
	return fmt.Errorf("socket %s: the path takes %d bytes and this system allows %d; choose a shorter folder", path, longest, maxSocketPath)
}

// prepareFolder creates a missing folder and refuses one in which anybody, or
// another user who owns it, may replace our socket by their own: Envoy would
// then ask them.
func prepareFolder(folder string) error {
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return fmt.Errorf("socket folder: %w", err)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("socket folder: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("socket folder %s: everybody may replace files in it (mode %v); remove the right to write or set the sticky bit", folder, info.Mode())
	}
	if system, ok := info.Sys().(*syscall.Stat_t); ok && system.Uid != 0 && int(system.Uid) != os.Geteuid() {
		return fmt.Errorf("socket folder %s: it belongs to user %d, who may replace files in it; make it root's or ours", folder, system.Uid)
	}
	return nil
}

func bind(ctx context.Context, path string) (net.Listener, error) {
	aside, err := makeAside(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	defer func() { _ = os.Remove(aside) }()
	temporary := filepath.Join(aside, "s")
	var config net.ListenConfig
	open, err := config.Listen(ctx, "unix", temporary)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	listener := open.(*net.UnixListener)
	listener.SetUnlinkOnClose(false)
	placed, err := place(listener, temporary, path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("socket %s: %w", path, err), listener.Close(), removeIfThere(temporary))
	}
	return placed, nil
}

func makeAside(folder string) (string, error) {
	for {
		name := filepath.Join(folder, "."+rand.Text()[:asideRandom])
		err := os.Mkdir(name, asideMode)
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

func place(listener *net.UnixListener, temporary, path string) (*socket, error) {
	if err := os.Chmod(temporary, socketMode); err != nil {
		return nil, err
	}
	born, err := os.Lstat(temporary)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(temporary, path); err != nil {
		return nil, err
	}
	return &socket{UnixListener: listener, path: path, born: born}, nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
