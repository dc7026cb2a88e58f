// Package dirsource reads client documents from the files of one folder and
// follows its changes, the symlink swap of a Kubernetes volume included.
//
// It reads files named .json, .yaml and .yml that do not begin with a dot, and
// no subfolders. What it cannot read never takes a client away: a bad document
// keeps its client's last good version, unless it says that the client is off,
// and a folder that cannot be read keeps all of them. Where there is no good
// version yet, a bad document lets nobody in, but the certificates in it are
// kept from being taken for another client's. A file that is gone removes its
// clients.
//
// Files named .crl beside them are revocation lists, in PEM or one in DER. The same
// holds for them: a file that cannot be read keeps the lists that it had.
package dirsource

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/certbearer/certbearer/policies"
)

const (
	// quiet is how long the folder must rest after a change: an editor's or a
	// copy's next write should not find us reading half a file.
	quiet = 25 * time.Millisecond
	// patience bounds that wait, so that a busy folder is read all the same.
	patience = 250 * time.Millisecond
	// pollEvery is how often the folder is looked through where it cannot be
	// watched, and how often its links are where it can.
	pollEvery = 500 * time.Millisecond
	// rescanEvery catches what a watch misses, such as changes made on another
	// machine to a network folder.
	rescanEvery = 10 * time.Second
	// rescanShare bounds what rescans and polls cost of a large folder: one part
	// in 20 each.
	rescanShare = 20
)

// Config says what to read.
type Config struct {
	Dir string
	// Strict keeps the whole last good set while any document has a fault.
	// Clients whose document says off are turned off even then.
	Strict  bool
	Options policies.Options
}

// Source is a policies.Source over a folder.
type Source struct {
	config Config
	reload chan struct{}
}

var _ policies.Source = (*Source)(nil)

// New returns a Source. Nothing is read before Run.
func New(config Config) *Source {
	return &Source{config: config, reload: make(chan struct{}, 1)}
}

// Reload has a running Source look at every file now.
func (s *Source) Reload() {
	select {
	case s.reload <- struct{}{}:
	default: // one is under way already
	}
}

// Load reads the folder once. In strict reading with faults the Snapshot is nil.
func Load(config Config) (*policies.Snapshot, policies.Report, error) {
	folder := newFolder(config)
	if err := folder.scan(); err != nil {
		return nil, policies.Report{}, err
	}
	snapshot, report := folder.result()
	return snapshot, report, nil
}

// Run implements policies.Source. Its error is that the folder cannot be read
// at the start.
func (s *Source) Run(ctx context.Context, publish func(*policies.Snapshot, policies.Report)) error {
	watch := newWatch(s.config.Dir)
	defer watch.close()
	folder := newFolder(s.config)
	began := time.Now()
	if err := folder.scan(); err != nil {
		return err
	}
	publish(folder.result())
	due := newDue(watch, began)
	for {
		names, all := watch.wait(ctx, due.next(folder), s.reload)
		if ctx.Err() != nil {
			return nil
		}
		began = time.Now()
		folder.update(names)
		switch {
		case all || !began.Before(due.rescan):
			watch.renew()
			folder.rescan()
			due = newDue(watch, began)
		case folder.hasLinks() && !began.Before(due.poll):
			folder.poll()
			due.poll = after(began, pollEvery)
		}
		if folder.changed() {
			publish(folder.result())
		}
	}
}

// due is when to look at files that no event tells of.
type due struct {
	rescan time.Time // at all of them
	poll   time.Time // at links
}

// newDue is for after a look at all of them that began at the given time.
func newDue(w *watch, began time.Time) due {
	return due{rescan: after(began, w.interval()), poll: after(began, pollEvery)}
}

func (d due) next(f *folder) time.Time {
	if f.hasLinks() && d.poll.Before(d.rescan) {
		return d.poll
	}
	return d.rescan
}

// after returns when to do again what began at the given time and is done: in
// the interval, or later if it took long.
func after(began time.Time, interval time.Duration) time.Time {
	now := time.Now()
	return now.Add(max(interval, now.Sub(began)*rescanShare))
}

// watch tells which files changed.
type watch struct {
	dir     string
	watcher *fsnotify.Watcher // nil where the folder cannot be watched
}

func newWatch(dir string) *watch {
	w := &watch{dir: dir}
	w.renew()
	return w
}

// renew watches what is at the path now: the folder may have been replaced.
func (w *watch) renew() {
	if w.watcher == nil {
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			return // the system's limit is reached: poll
		}
		w.watcher = watcher
	}
	if err := w.watcher.Add(w.dir); err != nil {
		w.close()
	}
}

func (w *watch) close() {
	if w.watcher != nil {
		w.watcher.Close()
		w.watcher = nil
	}
}

// interval returns how long nobody need look through the folder.
func (w *watch) interval() time.Duration {
	if w.watcher == nil {
		return pollEvery
	}
	return rescanEvery
}

// wait returns when files have changed, with their names, when all of them are
// to be looked at, when ctx ends, or at the given time, unless the folder is
// changing just then.
func (w *watch) wait(ctx context.Context, until time.Time, reload <-chan struct{}) (names map[string]bool, all bool) {
	var events <-chan fsnotify.Event
	var errs <-chan error
	if w.watcher != nil {
		events, errs = w.watcher.Events, w.watcher.Errors
	}
	names = make(map[string]bool)
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	var settle <-chan time.Time
	var first time.Time
	for {
		select {
		case <-ctx.Done():
			return nil, false
		case <-timer.C:
			if settle == nil {
				return names, all
			}
			continue // the folder rests soon
		case <-reload:
			return names, true
		case <-settle:
			return names, all
		case event := <-events:
			name := relativeName(w.dir, event.Name)
			if name == "" || name[0] == '.' {
				all = true // ..data was swapped, or the folder itself moved
			}
			names[name] = true
		case <-errs:
			all = true // events were lost
		}
		if first.IsZero() {
			first = time.Now()
		}
		settle = time.After(min(quiet, max(0, patience-time.Since(first))))
	}
}
