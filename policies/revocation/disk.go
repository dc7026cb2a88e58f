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
	"syscall"
)

// fileSuffix ends the name of a file that is kept, tempSuffix that of one that is
// being written.
const (
	fileSuffix = ".der"
	tempSuffix = ".tmp"
	// maxFiles bounds the files, most of which are small: certificates come and go, and
	// with each the answer about it. It is twice what is kept fresh.
	maxFiles = 20_000
)

// disk keeps what was fetched. Its files are believed no more than the location:
// they are read and proven like an answer.
type disk struct {
	folder string // "" keeps nothing
	quota  int64

	mu   sync.Mutex
	read bool             // the folder was
	size map[string]int64 // of every regular file in it
	used int64
	// index has the files by the source and by the CA in their names.
	index map[string]map[string]bool
}

// kept returns the names of the files of a source, of few kinds.
func (d *disk) kept(source string) ([]string, error) {
	names, err := d.of(source)
	return names[:min(len(names), maxKinds)], err
}

// of returns the names of the files of a source, or of a CA.
func (d *disk) of(source string) ([]string, error) {
	if d.folder == "" {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.read {
		if _, err := d.look(); err != nil {
			return nil, err
		}
	}
	return sortedKeys(d.index[source]), nil
}

// content reads one of at most limit bytes.
func (d *disk) content(name string, limit int64) ([]byte, error) {
	return readRegular(filepath.Join(d.folder, name), limit)
}

// readRegular follows no link and waits for no pipe, whatever comes into the place
// of a file.
func readRegular(path string, limit int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > limit:
		return nil, fmt.Errorf("%s is no regular file of at most %d bytes", path, limit)
	}
	return io.ReadAll(io.LimitReader(file, limit))
}

// look reads the folder anew. It is called with the lock held, as what follows.
func (d *disk) look() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(d.folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	d.read, d.used, d.size, d.index = true, 0, make(map[string]int64, len(entries)), make(map[string]map[string]bool)
	var files []fs.FileInfo
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
			d.note(info.Name(), info.Size())
		}
	}
	return files, nil
}

// note says what size a file has now, 0 for none.
func (d *disk) note(name string, size int64) {
	d.used += size - d.size[name]
	d.size[name] = size
	of, is := splitFile(name)
	for _, key := range []string{of.source, of.ca} {
		switch {
		case !is:
		case size > 0 && d.index[key] == nil:
			d.index[key] = map[string]bool{name: true}
		case size > 0:
			d.index[key][name] = true
		default:
			if delete(d.index[key], name); len(d.index[key]) == 0 {
				delete(d.index, key)
			}
		}
	}
	if size == 0 {
		delete(d.size, name)
	}
}

// write replaces a file whole or not at all. Files that nobody wants make room.
func (d *disk) write(name string, content []byte, wanted func(name string) bool) error {
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
	file, err := os.CreateTemp(d.folder, name+".*"+tempSuffix)
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
	d.note(name, int64(len(content)))
	return nil
}

func (d *disk) makeRoom(name string, size int64, wanted func(name string) bool) error {
	needed := func() int64 { return d.used - d.size[name] + size }
	most := maxFiles
	fits := func() bool { return needed() <= d.quota && len(d.size) < most }
	if d.read && fits() {
		return nil
	}
	files, err := d.look()
	if err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	if !fits() && len(files) >= maxFiles {
		most = maxFiles * 3 / 4 // not for each file that comes is the folder to be read
	}
	for _, info := range files {
		if fits() {
			return nil
		}
		// What is being written is written by us alone, and one after the other.
		left := strings.HasSuffix(info.Name(), tempSuffix) || strings.HasSuffix(info.Name(), fileSuffix) && !wanted(info.Name())
		if info.Name() != name && left && os.Remove(filepath.Join(d.folder, info.Name())) == nil {
			d.note(info.Name(), 0)
		}
	}
	most = maxFiles
	switch {
	case needed() > d.quota:
		return fmt.Errorf("the quota of %d bytes is used up", d.quota)
	case !fits():
		return fmt.Errorf("there are %d files", maxFiles)
	}
	return nil
}

// forget takes a file away.
func (d *disk) forget(name string) {
	if d.folder == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if os.Remove(filepath.Join(d.folder, name)) == nil && d.read {
		d.note(name, 0)
	}
}
