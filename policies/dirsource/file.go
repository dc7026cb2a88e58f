package dirsource

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"github.com/certbearer/certbearer/policies"
)

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
