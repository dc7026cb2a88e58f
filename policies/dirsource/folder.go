package dirsource

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
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
	ignored map[string]string // names that are not read, and why
	lost    *policies.Fault   // the folder itself cannot be read

	working *policies.Snapshot // every document's last good version
	good    *policies.Snapshot // the last that strict reading let out
	claims  map[string][]claim // by client_id

	// What a Report is made of, so that making one costs what is wrong and not
	// what there is.
	documents int
	troubled  map[string]bool // files with a fault or a warning
	contested map[string]bool // ids with more than one claim

	shown policies.Report
	stale bool // working is newer than what result last returned
}

// file is one file as it was last read.
type file struct {
	stamp     stamp
	sum       [sha256.Size]byte
	documents []document
	warnings  []policies.Fault
	fault     *policies.Fault // the file as such cannot be read
}

// document is what the index needs of one document: no text, no certificate.
type document struct {
	id     string
	client *policies.Client // nil if it has a fault
	off    bool
	fault  *policies.Fault
}

// claim says that a file has a document for a client.
type claim struct {
	file string
	*document
}

// stamp tells whether a file may have changed without reading it.
type stamp struct {
	size     int64
	modified time.Time
	inode    uint64
}

func newFolder(config Config) *folder {
	return &folder{
		config:    config,
		files:     make(map[string]*file),
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
	f.ignored = make(map[string]string)
	present := make(map[string]bool, len(entries))
	touched := make(map[string]bool)
	for _, entry := range entries {
		if f.wanted(entry.Name()) {
			present[entry.Name()] = true
			f.read(entry.Name(), true, touched)
		}
	}
	for name := range f.files {
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
		if f.wanted(name) {
			f.read(name, false, touched)
		}
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
	case ".json", ".yaml", ".yml":
		return true
	}
	f.ignored[name] = "is not read: documents are files named .json, .yaml or .yml"
	return false
}

// read reads one file if it has changed and adds to touched the ids whose
// clients may have. If trust is set, an unchanged stamp is enough to pass over.
func (f *folder) read(name string, trust bool, touched map[string]bool) {
	path := filepath.Join(f.config.Dir, name)
	info, err := os.Stat(path) // through symlinks
	if errors.Is(err, fs.ErrNotExist) {
		f.forget(name, touched)
		return
	}
	if err == nil && info.IsDir() {
		f.ignored[name] = "is not read: it is a folder"
		f.forget(name, touched)
		return
	}
	before := f.files[name]
	var now stamp
	if err == nil {
		now = stampOf(info)
		if trust && before != nil && before.stamp == now {
			return
		}
	}
	var data []byte
	if err == nil {
		data, err = readBounded(path, info)
	}
	sum := sha256.Sum256(data)
	if err == nil && before != nil && before.fault == nil && before.sum == sum {
		before.stamp = now
		return
	}
	next := parse(name, data, err)
	next.stamp, next.sum = now, sum
	f.replace(name, before, next, touched)
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), modified: info.ModTime()}
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = system.Ino
	}
	return s
}

// readBounded reads a regular file and no more than a file of documents may
// have.
func readBounded(path string, info fs.FileInfo) ([]byte, error) {
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	opened, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return io.ReadAll(io.LimitReader(opened, policies.MaxFileBytes+1))
}

// parse never fails: what is wrong is in the file's faults.
func parse(name string, data []byte, readErr error) *file {
	next := &file{}
	if readErr != nil {
		next.fault = &policies.Fault{File: name, Problem: readErr.Error()}
		return next
	}
	parsed, err := policies.ParseFile(name, data)
	if err != nil {
		fault := &policies.Fault{}
		if !errors.As(err, &fault) {
			fault = &policies.Fault{File: name, Problem: err.Error()}
		}
		next.fault = fault
	}
	for _, p := range parsed {
		next.documents = append(next.documents, document{
			id: p.ID, client: p.Client, off: p.HasStatus && p.Status != policies.StatusActive, fault: p.Fault,
		})
		next.warnings = append(next.warnings, p.Warnings...)
	}
	return next
}

// replace takes a file's new content in. Where part of it cannot be read, the
// clients that it had and that are not seen now keep a claim without content.
func (f *folder) replace(name string, before, next *file, touched map[string]bool) {
	if before != nil && next.hides() {
		for _, old := range before.documents {
			if old.id != "" && !next.has(old.id) {
				next.documents = append(next.documents, document{id: old.id})
			}
		}
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

func (f *file) troubled() bool {
	return f.fault != nil || len(f.warnings) > 0 ||
		slices.ContainsFunc(f.documents, func(d document) bool { return d.fault != nil })
}

// hides reports whether the file may hold documents whose id cannot be seen.
func (f *file) hides() bool {
	return f.fault != nil || slices.ContainsFunc(f.documents, func(d document) bool {
		return d.fault != nil && !policies.ValidID(d.id)
	})
}

func (f *file) has(id string) bool {
	return slices.ContainsFunc(f.documents, func(d document) bool { return d.id == id })
}

// forget takes a file out.
func (f *folder) forget(name string, touched map[string]bool) {
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

// reconcile brings the touched clients of the working Snapshot up to date.
func (f *folder) reconcile(touched map[string]bool) {
	if len(touched) == 0 {
		return
	}
	builder := f.working.Edit()
	for id := range touched {
		claims := f.claims[id]
		switch {
		case len(claims) == 0:
			builder.Remove(id)
		case len(claims) == 1 && claims[0].client != nil:
			// Kept as it was put, so that putting it again is putting the same.
			claims[0].client = builder.Put(claims[0].client)
		case slices.ContainsFunc(claims, func(c claim) bool { return c.off }):
			builder.TurnOff(id)
		}
	}
	f.working = builder.Snapshot()
	f.stale = true
}

// changed reports whether result would return something new.
func (f *folder) changed() bool {
	return f.stale || !reflect.DeepEqual(f.shown, f.makeReport())
}

// result returns the Snapshot to publish, nil if strict reading has none.
func (f *folder) result() (*policies.Snapshot, policies.Report) {
	report := f.makeReport()
	f.stale = false
	if !f.config.Strict || len(report.Faults) == 0 {
		f.good = f.working
	} else {
		report.Kept = true
		f.good = f.turnOff(f.good)
	}
	f.shown = report
	return f.good, report
}

// turnOff applies to a kept set what must not wait for a good one.
func (f *folder) turnOff(kept *policies.Snapshot) *policies.Snapshot {
	if kept == nil {
		return nil
	}
	builder := kept.Edit()
	for client := range kept.All() {
		off := func(c claim) bool { return c.off }
		if client.Status() != policies.StatusOff && slices.ContainsFunc(f.claims[client.ID()], off) {
			builder.TurnOff(client.ID())
		}
	}
	return builder.Snapshot()
}
