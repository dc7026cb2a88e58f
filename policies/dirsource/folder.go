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

// file is one file of documents as it was last read.
type file struct {
	version
	documents []document
	warnings  []policies.Fault
	fault     *policies.Fault // the file as such cannot be read
}

// document is what the index needs of one document: no text, no certificate.
type document struct {
	id string
	// record is the client's, if usable is set. Otherwise it is what the
	// document claims in spite of its fault, or what it claimed when it could
	// last be read; it may be nil.
	record *policies.Client
	usable bool
	off    bool
	// nameless is a document with a fault of which the id is not to be seen. Its
	// id is that of the file's name, or no client's.
	nameless bool
	fault    *policies.Fault
}

// claim says that a file has a document for a client.
type claim struct {
	file string
	*document
}

// version tells whether a file is still what it was.
type version struct {
	stamp  stamp
	sum    [sha256.Size]byte
	unread string // why it could not be read, if it could not
}

// stamp tells whether a file may have changed without reading it.
type stamp struct {
	size     int64
	modified time.Time
	inode    uint64
	fresh    bool // it may change once more without a change of the rest
}

// freshFor is how coarsely file systems count the time of a change: two seconds
// on FAT, less elsewhere.
const freshFor = 2 * time.Second

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

// version returns what the file was when it was last read, nil if it never was.
func (f *folder) version(name string) *version {
	if read := f.lists[name]; read != nil {
		return &read.version
	}
	if read := f.files[name]; read != nil {
		return &read.version
	}
	return nil
}

func stampOf(info fs.FileInfo, at time.Time) stamp {
	s := stamp{size: info.Size(), modified: info.ModTime(), fresh: at.Sub(info.ModTime()) < freshFor}
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = system.Ino
	}
	return s
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
	opened, err := os.Open(filepath.Join(f.config.Dir, name))
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return io.ReadAll(io.LimitReader(opened, limit+1))
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
	for i, p := range parsed {
		next.documents = append(next.documents, documentOf(name, i+1, p))
		next.warnings = append(next.warnings, p.Warnings...)
	}
	return next
}

func documentOf(file string, number int, p policies.Document) document {
	d := document{
		id: p.ID, record: p.Client, usable: p.Client != nil, fault: p.Fault,
		off: p.HasStatus && p.Status != policies.StatusActive,
	}
	if p.Fault == nil {
		return d
	}
	d.record, d.nameless = p.Remnant, !p.OwnID
	if d.id == "" && len(d.record.Pins())+len(d.record.Anchors()) > 0 {
		d.id = fmt.Sprintf("%s#%d", file, number) // no client_id has this form
	}
	return d
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

func (f *file) troubled() bool {
	return f.fault != nil || len(f.warnings) > 0 ||
		slices.ContainsFunc(f.documents, func(d document) bool { return d.fault != nil })
}

// carry takes over the clients that the file had before and that are not seen
// now, if part of it cannot be read: they keep what they claimed. So do those
// that are seen in part only.
func (f *file) carry(before *file) {
	if !f.hides() {
		return
	}
	var carried []document
	for _, old := range before.documents {
		switch {
		case old.id == "":
		case !f.has(old.id):
			carried = append(carried, document{id: old.id, record: old.record, off: old.off})
		case f.fault != nil && old.record != nil:
			f.addClaims(old)
		}
	}
	if len(carried) == 0 {
		return
	}
	// A document without an id is one of them. Which one shows if there is one.
	nameless := f.takeNameless(before)
	if len(carried) == 1 && len(nameless) == 1 {
		carried[0].off = carried[0].off || nameless[0].off
	}
	f.documents = append(f.documents, carried...)
}

// addClaims has the documents of the id, where they are broken, claim besides
// what an older one did.
func (f *file) addClaims(old document) {
	for i := range f.documents {
		if d := &f.documents[i]; d.id == old.id && d.fault != nil {
			d.record = policies.Remnant(d.id, d.off, d.record, old.record)
		}
	}
}

// takeNameless has the documents without an id, except those that the file's
// name gave an id before, claim nothing, and returns what they were.
func (f *file) takeNameless(before *file) []document {
	var nameless []document
	for i := range f.documents {
		d := &f.documents[i]
		if !d.nameless || d.id != "" && before.has(d.id) {
			continue
		}
		nameless = append(nameless, *d)
		d.id, d.record = "", nil
	}
	return nameless
}

// hides reports whether the file may hold documents whose id cannot be seen.
func (f *file) hides() bool {
	return f.fault != nil || slices.ContainsFunc(f.documents, func(d document) bool { return d.nameless })
}

func (f *file) has(id string) bool {
	return slices.ContainsFunc(f.documents, func(d document) bool { return d.id == id })
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
		case len(claims) == 1 && claims[0].usable:
			// Kept as it was put, so that putting it again is putting the same.
			claims[0].record = builder.Put(claims[0].record)
		default:
			f.degrade(builder, id, claims)
		}
	}
	f.working = builder.Snapshot()
	f.stale = true
}

// degrade is about a client whose documents cannot be used. Its last good
// version stays. If it has none, nobody is let in as it, and its certificates
// are kept from being taken for those of others.
func (f *folder) degrade(builder *policies.Builder, id string, claims []claim) {
	off := slices.ContainsFunc(claims, func(c claim) bool { return c.off })
	if current := f.working.Client(id); current != nil && !current.IsRemnant() {
		if off {
			builder.TurnOff(id)
		}
		return
	}
	var records []*policies.Client
	for _, c := range claims {
		if c.record != nil {
			records = append(records, c.record)
		}
	}
	builder.Put(policies.Remnant(id, off, records...))
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
	report.CRLs.Files = f.listFiles()
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
