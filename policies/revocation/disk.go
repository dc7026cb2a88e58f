package revocation

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// disk keeps what was fetched. Its files are believed no more than the location:
// they are read and proven like an answer. The zero value keeps nothing.
type disk struct {
	folder string
	quota  int64
	mu     *sync.Mutex
}

func openDisk(folder string, quota int64) disk {
	return disk{folder: folder, quota: quota, mu: new(sync.Mutex)}
}

// read returns nil where there is no file.
func (d disk) read(name string, limit int64) ([]byte, error) {
	if d.folder == "" {
		return nil, nil
	}
	path := filepath.Join(d.folder, name)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() > limit {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit+1))
}

// write replaces a file whole or not at all. Files that nobody wants make room.
func (d disk) write(name string, content []byte, wanted map[string]bool) error {
	if d.folder == "" {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// Not before there is something to keep: most have nothing to fetch, and some no
	// place to write to.
	if err := os.MkdirAll(d.folder, 0o700); err != nil {
		return err
	}
	if err := d.makeRoom(name, int64(len(content)), wanted); err != nil {
		return err
	}
	file, err := os.CreateTemp(d.folder, name+".*.tmp")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(d.folder, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

func (d disk) makeRoom(name string, size int64, wanted map[string]bool) error {
	entries, err := os.ReadDir(d.folder)
	if err != nil {
		return err
	}
	var unwanted []fs.FileInfo
	used := size
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || entry.Name() == name {
			continue
		}
		used += info.Size()
		ours := strings.HasSuffix(entry.Name(), ".der") || strings.HasSuffix(entry.Name(), ".tmp")
		if ours && !wanted[entry.Name()] {
			unwanted = append(unwanted, info)
		}
	}
	slices.SortFunc(unwanted, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range unwanted {
		if used <= d.quota {
			break
		}
		if os.Remove(filepath.Join(d.folder, info.Name())) == nil {
			used -= info.Size()
		}
	}
	if used > d.quota {
		return fmt.Errorf("the quota of %d bytes is used up", d.quota)
	}
	return nil
}
