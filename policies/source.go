package policies

import (
	"context"

	"github.com/certbearer/certbearer/policies/revocation"
)

// Report says what a Source found when it made a Snapshot.
type Report struct {
	Documents int
	// Faults are of the documents that are not in the Snapshot, or are in it
	// with their last good version. Warnings are of those that are.
	Faults   []Fault
	Warnings []Fault
	// Kept is true if strict reading kept the whole last good set.
	Kept bool
	// CRLs are beside the documents.
	CRLs CRLs
}

// CRLs is what a Source found of revocation lists. They are no part of a Snapshot:
// when a list comes, no client changes, and what was decided by other lists holds.
type CRLs struct {
	// Files are in the order of their names. One that cannot be read has the lists
	// that it had before, and one that has not changed has the same pointers.
	Files []CRLFile
	// Faults are of files that are not in use, or are with their last good lists.
	// They keep no document from being used, in strict reading too.
	Faults []Fault
	// Warnings are of lists that are in use.
	Warnings []Fault
}

// CRLFile is one file of lists, each signed by whoever: what is believed of them is
// decided with each path.
type CRLFile struct {
	Name  string
	Lists []*revocation.CRL
}

// Source reads documents and keeps reading until ctx ends. It calls publish,
// from one goroutine, with the first Snapshot once it has one and then with
// each new one; with the last one again if only the Report changed. A Snapshot
// of nil in strict reading means that there is no good set yet.
//
// Run returns nil when ctx ends, and an error if it cannot read at all.
type Source interface {
	Run(ctx context.Context, publish func(*Snapshot, Report)) error
}
