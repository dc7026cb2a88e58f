package dirsource

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
)

const (
	listExtension = ".crl"
	// maxListBytes is one list of the largest size in PEM.
	maxListBytes = 2 * revocation.MaxCRLBytes
	// maxListFiles and maxAllListBytes bound what the lists of all files take in
	// memory: read, they have about the size that they have on disk.
	maxListFiles    = 500
	maxAllListBytes = 512 << 20
)

// listFile is one file of CRLs.
type listFile struct {
	version
	size     int64             // of the lists that are in use
	lists    []*revocation.CRL // of the last good version
	fault    *policies.Fault
	warnings []policies.Fault
}

func isList(name string) bool { return strings.EqualFold(filepath.Ext(name), listExtension) }

// checkList is asked before a file is read.
func (f *folder) checkList(name string, size int64) error {
	if size > maxListBytes {
		return fmt.Errorf("has %d bytes, more than %d", size, maxListBytes)
	}
	used, files := size, 1
	for other, read := range f.lists {
		if other != name {
			used, files = used+read.size, files+1
		}
	}
	switch {
	case files > maxListFiles:
		return fmt.Errorf("is one of more than %d files of revocation lists", maxListFiles)
	case used > maxAllListBytes:
		return fmt.Errorf("would have all revocation lists together have %d bytes, more than %d", used, maxAllListBytes)
	}
	return nil
}

// replaceList takes a file's new content in. What cannot be read leaves the lists
// of before where they are: a list that is missing must not look like one that is
// empty.
func (f *folder) replaceList(name string, now version, data []byte, err error) {
	next := &listFile{version: now, size: int64(len(data))}
	before := f.lists[name]
	if err == nil {
		next.lists, err = revocation.ParseCRLs(data)
	}
	switch {
	case err != nil:
		next.fault = &policies.Fault{File: name, Problem: "no revocation list of it is in use: " + err.Error()}
		next.size = 0
		if before != nil && len(before.lists) > 0 {
			next.fault.Problem = "its last good revocation lists stay: " + err.Error()
			next.size, next.lists = before.size, before.lists
		}
	case before != nil:
		next.keep(before.lists)
	}
	f.lists[name] = next
	f.stale, f.unproven = true, true
}

// keep puts lists that were there before in the place of equal ones, for they know
// their signer already.
func (l *listFile) keep(before []*revocation.CRL) {
	for i, list := range l.lists {
		if at := slices.IndexFunc(before, func(other *revocation.CRL) bool { return other.ID == list.ID }); at >= 0 {
			l.lists[i] = before[at]
		}
	}
}

// proveLists has each list know its signer before a request asks, and warns of
// those that none of the clients' CAs signed.
func (f *folder) proveLists() {
	if !f.unproven && f.provenFor == f.working {
		return
	}
	f.unproven, f.provenFor = false, f.working
	for name, read := range f.lists {
		read.warnings = nil
		for _, list := range read.lists {
			if !isSigned(list, f.working) {
				read.warnings = append(read.warnings, policies.Fault{File: name, Problem: fmt.Sprintf(
					"no CA of a client signed the %s: it counts only for a CA that a caller presents", list)})
			}
		}
	}
}

func isSigned(list *revocation.CRL, clients *policies.Snapshot) bool {
	for ca := range clients.CAsNamed(list.RawIssuer()) {
		if list.SignedBy(ca) == nil {
			return true
		}
	}
	return false
}

// reportLists says what is wrong with lists.
func (f *folder) reportLists() policies.CRLs {
	f.proveLists()
	var found policies.CRLs
	for _, read := range f.lists {
		found.Warnings = append(found.Warnings, read.warnings...)
		if read.fault != nil {
			found.Faults = append(found.Faults, *read.fault)
		}
	}
	found.Faults, found.Warnings = ordered(found.Faults), ordered(found.Warnings)
	return found
}

// listFiles returns what is in use, by name.
func (f *folder) listFiles() []policies.CRLFile {
	var files []policies.CRLFile
	for name, read := range f.lists {
		if len(read.lists) > 0 {
			files = append(files, policies.CRLFile{Name: name, Lists: read.lists})
		}
	}
	slices.SortFunc(files, func(a, b policies.CRLFile) int { return strings.Compare(a.Name, b.Name) })
	return files
}
