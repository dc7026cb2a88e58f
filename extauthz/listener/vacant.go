package listener

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const (
	// lockWait bounds how long another process may hold the folder.
	lockWait  = 5 * time.Second
	lockRetry = 10 * time.Millisecond
	// dialWait bounds the question whether anybody answers a socket.
	dialWait = time.Second
)

// lockFolder takes the folder itself as the lock, so that no lock file stays
// behind. The system releases it when the process ends.
func lockFolder(ctx context.Context, folder string) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock := flock.New(folder, flock.SetFlag(os.O_RDONLY))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("socket folder %s: another process is starting there: %w", folder, err)
	}
	return func() { _ = lock.Close() }, nil
}

// checkVacant returns nil if path is free or holds a socket that nobody
// answers. Only a refused connection proves that: a full backlog, a missing
// right or a timeout may well be a live server.
func checkVacant(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("socket %s: something that is no socket is there (%v); it is left alone", path, info.Mode())
	}
	dialer := net.Dialer{Timeout: dialWait}
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("socket %s: already in use: another process answers there", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil
	default:
		return fmt.Errorf("socket %s: cannot tell whether another process uses it: %w", path, err)
	}
}
