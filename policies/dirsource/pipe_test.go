package dirsource_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certbearer/certbearer/policies/dirsource"
)

// Between the look at a file and its opening it may be replaced.
func TestAFileThatBecomesAPipeIsNotWaitedFor(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	done, swapped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(swapped)
		for {
			for _, make := range []func(string) error{mkfifo, func(path string) error { return os.WriteFile(path, []byte("{}\n"), 0o600) }} {
				next := filepath.Join(other, "next")
				if err := make(next); err != nil {
					t.Error(err)
					return
				}
				if err := os.Rename(next, filepath.Join(dir, "a.json")); err != nil {
					t.Error(err)
					return
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for range 40000 {
			if _, _, err := dirsource.Load(dirsource.Config{Dir: dir}); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	select {
	case <-read:
	case <-time.After(time.Minute):
		t.Error("a pipe is waited for")
	}
	close(done)
	<-swapped
}
