package policies

import "context"

// Report says what a Source found when it made a Snapshot.
type Report struct {
	Documents int
	// Faults are of the documents that are not in the Snapshot, or are in it
	// with their last good version. Warnings are of those that are.
	Faults   []Fault
	Warnings []Fault
	// Kept is true if strict reading kept the whole last good set.
	Kept bool
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
