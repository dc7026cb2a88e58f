package listener

import (
	"io/fs"
	"net"
	"os"
	"sync"
)

// socket is a Unix listener that knows its final name and which file it is.
type socket struct {
	*net.UnixListener
	path string
	born fs.FileInfo
	once sync.Once
	err  error
}

// Addr returns the path that clients connect to, not the one it was bound by.
func (s *socket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

// Close removes the file and stops listening, in that order: while we still
// answer, nobody else takes the path for vacant, and while the socket is open
// its inode number is not given to another file.
func (s *socket) Close() error {
	s.once.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.born) {
			_ = os.Remove(s.path)
		}
		s.err = s.UnixListener.Close()
	})
	return s.err
}
