package listener_test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/certbearer/certbearer/extauthz/listener"
)

func listenAt(t *testing.T, path string) (net.Listener, error) {
	t.Helper()
	l, err := listener.Listen(t.Context(), mustParse(t, "unix:"+path))
	if err == nil {
		t.Cleanup(func() { _ = l.Close() })
	}
	return l, err
}

func TestSocketHasItsModeAndLeavesNothingBehind(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "made", "extauthz.sock")
	l, err := listenAt(t, path)
	if err != nil {
		t.Fatal(err)
	}
	wantMode(t, path, fs.ModeSocket|0o660)
	wantMode(t, filepath.Dir(path), fs.ModeDir|0o750)
	wantEntries(t, filepath.Dir(path), 1)
	if l.Addr().String() != path {
		t.Errorf("Addr = %v, want %s", l.Addr(), path)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, filepath.Dir(path), 0)
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != want {
		t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
	}
}

func wantEntries(t *testing.T, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != want {
		t.Errorf("%s holds %v, %v; want %d entries", dir, entries, err, want)
	}
}

// abandon leaves a socket file as a killed process does.
func abandon(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
}

func TestWhatIsInTheWay(t *testing.T) {
	for name, test := range map[string]struct {
		arrange   func(t *testing.T, path string)
		wantError string
		wantMode  fs.FileMode
	}{
		"a socket that nobody answers is replaced": {
			arrange:  abandon,
			wantMode: fs.ModeSocket | 0o660,
		},
		"a socket that somebody answers is left alone": {
			arrange: func(t *testing.T, path string) {
				if _, err := listenAt(t, path); err != nil {
					t.Fatal(err)
				}
			},
			wantError: "already in use",
			wantMode:  fs.ModeSocket | 0o660,
		},
		"a socket of another type is left alone": {
			arrange: func(t *testing.T, path string) {
				conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				if err := os.Chmod(path, 0o600); err != nil {
					t.Fatal(err)
				}
			},
			wantError: "cannot tell whether another process uses it",
			wantMode:  fs.ModeSocket | 0o600,
		},
		"a file is never removed": {
			arrange:   func(t *testing.T, path string) { write(t, path, []byte("precious")) },
			wantError: "no socket",
			wantMode:  0o600,
		},
		"a symbolic link is never followed, even to a dead socket": {
			arrange: func(t *testing.T, path string) {
				abandon(t, path+".old")
				if err := os.Symlink(path+".old", path); err != nil {
					t.Fatal(err)
				}
			},
			wantError: "no socket",
			wantMode:  fs.ModeSymlink | 0o777,
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "extauthz.sock")
			test.arrange(t, path)
			_, err := listenAt(t, path)
			if test.wantError != "" {
				wantError(t, err, test.wantError)
			} else if err != nil {
				t.Error(err)
			}
			wantMode(t, path, test.wantMode)
		})
	}
}

func TestCloseRemovesOnlyItsOwnSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "extauthz.sock")
	l, err := listenAt(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	abandon(t, path)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("another one's socket is gone: %v", err)
	}
}

func TestPathLength(t *testing.T) {
	limit := len(syscall.RawSockaddrUnix{}.Path) - 1
	for name, test := range map[string]struct {
		base      string
		length    int
		wantError bool
	}{
		"the longest path the system takes":                 {base: "extauthz.sock", length: limit},
		"one byte more":                                     {base: "extauthz.sock", length: limit + 1, wantError: true},
		"a short name leaves no room for its temporary one": {base: "s", length: limit, wantError: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shortDir(t)
			fill := test.length - len(dir) - len(test.base) - 2
			path := filepath.Join(dir, strings.Repeat("d", fill), test.base)
			_, err := listenAt(t, path)
			if test.wantError {
				wantError(t, err, "this system allows")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFolderThatAnybodyMayChangeIsRefused(t *testing.T) {
	dir := filepath.Join(shortDir(t), "open")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "extauthz.sock")
	_, err := listenAt(t, path)
	wantError(t, err, "everybody may replace files")
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if _, err := listenAt(t, path); err != nil {
		t.Errorf("with the sticky bit: %v", err)
	}
}

func TestOfManyThatStartAtOnceOneWins(t *testing.T) {
	path := filepath.Join(shortDir(t), "extauthz.sock")
	for range 50 {
		abandon(t, path)
		if won := startAtOnce(t, path); won != 1 {
			t.Fatalf("%d listeners opened one path, want 1", won)
		}
	}
}

func startAtOnce(t *testing.T, path string) int {
	t.Helper()
	address := mustParse(t, "unix:"+path)
	var wait sync.WaitGroup
	won := make(chan net.Listener, 8)
	for range cap(won) {
		wait.Go(func() {
			if l, err := listener.Listen(t.Context(), address); err == nil {
				won <- l
			}
		})
	}
	wait.Wait()
	close(won)
	count := 0
	for l := range won {
		count++
		_ = l.Close()
	}
	return count
}

func TestAFolderInWhichAnotherProcessStartsIsWaitedFor(t *testing.T) {
	dir := shortDir(t)
	lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	address := mustParse(t, "unix:"+filepath.Join(dir, "extauthz.sock"))
	_, err := listener.Listen(ctx, address)
	wantError(t, err, "another process is starting there")
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	l, err := listener.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
