package dirsource

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/certbearer/certbearer/policies"
)

// folder is what is known of the folder's files, and the Snapshot made of it.
type folder struct {
	config  Config
	files   map[string]*file
	lists   map[string]*listFile
	links   map[string]bool   // names of symbolic links: a watch does not see what they lead to
	ignored map[string]string // names that are not read, and why
	lost    *policies.Fault   // the folder itself cannot be read

	working *policies.Snapshot // every document's last good version, or what is left of it
	good    *policies.Snapshot // the last that strict reading let out
	claims  map[string][]claim // by client_id

	// What a Report is made of, so that making one costs what is wrong and not
	// what there is.
	documents int
	troubled  map[string]bool // files with a fault or a warning
	contested map[string]bool // ids with more than one claim

	shown policies.Report
	stale bool // working is newer than what result last returned

	unproven  bool               // lists are newer than their warnings
	provenFor *policies.Snapshot // whose CAs those were
}

func newFolder(config Config) *folder {
	return &folder{
		config:    config,
		files:     make(map[string]*file),
		lists:     make(map[string]*listFile),
		links:     make(map[string]bool),
		ignored:   make(map[string]string),
		working:   policies.Empty(config.Options),
		claims:    make(map[string][]claim),
		troubled:  make(map[string]bool),
		contested: make(map[string]bool),
		stale:     true,
	}
}

func relativeName(dir, path string) string {
	name, err := filepath.Rel(dir, path)
	if err != nil || name == "." || strings.ContainsRune(name, filepath.Separator) {
		return ""
	}
	return name
}

// scan looks at every file. The error is that the folder cannot be listed:
// then nothing has changed.
func (f *folder) scan() error {
	entries, err := os.ReadDir(f.config.Dir)
	if err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	f.links = make(map[string]bool)
	f.ignored = make(map[string]string)
	present := make(map[string]bool, len(entries))
	touched := make(map[string]bool)
	for _, entry := range entries {
		if f.wanted(entry.Name()) {
			present[entry.Name()] = true
			f.noteLink(entry.Name(), entry.Type())
			f.read(entry.Name(), true, touched)
		}
	}
	for name := range f.files {
		if !present[name] {
			f.forget(name, touched)
		}
	}
	for name := range f.lists {
		if !present[name] {
			f.forget(name, touched)
		}
	}
	f.reconcile(touched)
	return nil
}

// rescan is scan with the last good set kept if the folder cannot be listed.
func (f *folder) rescan() {
	f.lost = nil
	if err := f.scan(); err != nil {
		f.lost = &policies.Fault{File: f.config.Dir, Problem: "cannot be read, so its last clients stay: " + err.Error()}
	}
}

// update looks at the named files.
func (f *folder) update(names map[string]bool) {
	touched := make(map[string]bool)
	for name := range names {
		if !f.wanted(name) {
			continue
		}
		delete(f.links, name)
		if info, err := os.Lstat(filepath.Join(f.config.Dir, name)); err == nil {
			f.noteLink(name, info.Mode())
		}
		f.read(name, false, touched)
	}
	f.reconcile(touched)
}

func (f *folder) noteLink(name string, mode fs.FileMode) {
	if mode.Type() == fs.ModeSymlink {
		f.links[name] = true
	}
}

// hasLinks reports whether there is something to poll.
func (f *folder) hasLinks() bool { return len(f.links) > 0 && f.lost == nil }

// poll looks at the files that are symbolic links: what they lead to may be
// written to without an event in the folder.
func (f *folder) poll() {
	touched := make(map[string]bool)
	for name := range f.links {
		f.read(name, true, touched)
	}
	f.reconcile(touched)
}

// wanted reports whether a file of this name is read, and remembers those that
// somebody may have expected to be.
func (f *folder) wanted(name string) bool {
	if name == "" || name[0] == '.' {
		return false
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json", ".yaml", ".yml", listExtension:
		return true
	}
	f.ignored[name] = "is not read: documents are files named .json, .yaml or .yml, revocation lists are named .crl"
	return false
}

// read reads one file if it has changed and adds to touched the ids whose
// clients may have. If trust is set, an unchanged stamp is enough to pass over.
func (f *folder) read(name string, trust bool, touched map[string]bool) {
	path := filepath.Join(f.config.Dir, name)
	info, err := os.Stat(path) // through symlinks
	if errors.Is(err, fs.ErrNotExist) {
		if !f.links[name] {
			f.forget(name, touched)
			return
		}
		err = errors.New("is a link to nothing")
	}
	if err == nil && info.IsDir() {
		f.ignored[name] = "is not read: it is a folder"
		f.forget(name, touched)
		return
	}
	before := f.version(name)
	var now version
	if err == nil {
		now.stamp = stampOf(info, time.Now())
		if trust && before != nil && before.stamp == now.stamp && !now.stamp.fresh {
			return
		}
	}
	var data []byte
	if err == nil {
		data, err = f.readBounded(name, info)
	}
	now.sum = sha256.Sum256(data)
	if err != nil {
		now.unread = err.Error()
	}
	if before != nil && before.sum == now.sum && before.unread == now.unread {
		before.stamp = now.stamp
		return
	}
	if isList(name) {
		f.replaceList(name, now, data, err)
		return
	}
	next := parse(name, data, err)
	next.version = now
	f.replace(name, f.files[name], next, touched)
}

// readBounded reads a regular file and no more than one of its kind may have.
func (f *folder) readBounded(name string, info fs.FileInfo) ([]byte, error) {
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	limit := int64(policies.MaxFileBytes)
	if isList(name) {
		limit = maxListBytes
		if err := f.checkList(name, info.Size()); err != nil {
			return nil, err
		}
	}
	// It may have become a pipe since, which would be waited for.
	opened, err := os.OpenFile(filepath.Join(f.config.Dir, name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	if info, err = opened.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("is no regular file"))
	}
	return io.ReadAll(io.LimitReader(opened, limit+1))
}

// replace takes a file's new content in.
func (f *folder) replace(name string, before, next *file, touched map[string]bool) {
	if before != nil {
		next.carry(before)
	}
	f.forget(name, touched)
	f.files[name] = next
	f.documents += len(next.documents)
	if next.troubled() {
		f.troubled[name] = true
	}
	for i := range next.documents {
		if d := &next.documents[i]; d.id != "" {
			f.setClaims(d.id, append(f.claims[d.id], claim{file: name, document: d}), touched)
		}
	}
	f.stale = true
}

func (f *folder) setClaims(id string, claims []claim, touched map[string]bool) {
	touched[id] = true
	delete(f.contested, id)
	switch len(claims) {
	case 0:
		delete(f.claims, id)
		return
	case 1:
	default:
		f.contested[id] = true
	}
	f.claims[id] = claims
}

// forget takes a file out.
func (f *folder) forget(name string, touched map[string]bool) {
	if f.lists[name] != nil {
		delete(f.lists, name)
		f.stale, f.unproven = true, true
		return
	}
	before, known := f.files[name]
	if !known {
		return
	}
	for _, d := range before.documents {
		if d.id != "" {
			f.setClaims(d.id, slices.DeleteFunc(f.claims[d.id], func(c claim) bool { return c.file == name }), touched)
		}
	}
	f.documents -= len(before.documents)
	delete(f.troubled, name)
	delete(f.files, name)
	f.stale = true
}
