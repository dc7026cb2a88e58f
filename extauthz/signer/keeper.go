package signer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// lookEvery is how often the folder is looked at. A look is a listing and a
	// stat a file, of at most [MaxKeys] files that matter. It sees what a watch
	// misses, links and network file systems, and needs no second way for where
	// there is none.
	lookEvery = 500 * time.Millisecond
	// retryEvery is how often what failed is tried again while nothing changed.
	retryEvery = 10 * time.Second
	// upkeepPatience bounds the wait for another process that has the lock.
	upkeepPatience = 30 * time.Second
	// remakePatience is that of a look: while it waits it sees nothing.
	remakePatience = 250 * time.Millisecond
)

// Set is what is in use of a keys folder.
type Set struct {
	// Keys is empty if the last was removed while the folder had a fault.
	Keys *Keys
	// Statement is nil if there is none and none is to be made, or if it cannot be
	// used.
	Statement *StatementKeys
}

func (s Set) equal(other Set) bool {
	return s.Keys.Equal(other.Keys) && s.Statement.Equal(other.Statement)
}

// Report is something that happened to a folder of keys.
type Report struct {
	// Set is what the folder holds. Where it has a fault, Set has the last good
	// keys, but for those whose files are gone; and no statement keys where these
	// cannot be used. Changed says that it is another than before.
	Set     Set
	Changed bool
	// Read says that the folder was read, and Fault why Set is not what is in it.
	Read  bool
	Fault error
	// Upkeep is what the schedule did, and UpkeepFault why it could not.
	Upkeep      Rotated
	UpkeepFault error
}

// Keeper keeps the keys of a folder: it reads them when they change and, with
// Options.Generate, has them follow each other by schedule. Without Generate it
// writes nothing. Its methods are for one goroutine, but for Reload.
type Keeper struct {
	dir      string
	options  Options
	rotation Rotation

	set         Set
	stated      bool // there has been a statement key
	seen        stamp
	fault       error
	upkeepFault error
	retryRead   time.Time
	retryUpkeep time.Time
	reload      chan struct{}
}

// NewKeeper reads nothing before Open.
func NewKeeper(dir string, options Options, rotation Rotation) *Keeper {
	return &Keeper{dir: dir, options: options, rotation: rotation, reload: make(chan struct{}, 1)}
}

// Open reads the folder, and makes what is missing if Options.Generate says so.
// Nothing is in use with a fault. It is called before Run.
func (k *Keeper) Open(ctx context.Context) (Set, error) {
	report := k.read(ctx, k.options.Generate)
	if report.Fault != nil {
		return Set{}, report.Fault
	}
	return report.Set, nil
}

// Reload has a running Keeper read the folder as Open does.
func (k *Keeper) Reload() {
	select {
	case k.reload <- struct{}{}:
	default: // one is asked for already
	}
}

// Run tells, until ctx ends, whenever the folder was read, and what the schedule
// did. It notices a change within a second. A folder that is emptied while it
// runs is a fault: a key is made in it at a Reload only, for somebody may be
// about to put others there. A statement key that is missing is made at once.
func (k *Keeper) Run(ctx context.Context, tell func(Report)) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var upkeep chan Report // not nil while one is under way
	for {
		select {
		case <-ctx.Done():
			if upkeep != nil {
				<-upkeep
			}
			return
		case <-k.reload:
			tell(k.read(ctx, k.options.Generate))
		case report := <-upkeep:
			upkeep = nil
			k.kept(ctx, report, tell)
		case <-ticker.C:
			k.look(ctx, tell)
			k.settle(tell)
			if upkeep == nil && k.upkeepDue() {
				upkeep = k.startUpkeep(ctx)
			}
		}
	}
}

// look reads the folder if something in it changed, or if the last reading has
// failed and may be tried again.
func (k *Keeper) look(ctx context.Context, tell func(Report)) {
	changed := !stampOf(k.dir).equal(k.seen) || k.lost()
	if !changed && (k.fault == nil || k.options.now().Before(k.retryRead)) {
		return
	}
	before := k.fault
	report := k.read(ctx, false)
	if changed || report.Changed || !sameText(before, report.Fault) {
		tell(report)
	}
}

// lost reports that a key in use has no file any more. A folder that cannot be
// listed has no stamp by which that would be seen.
func (k *Keeper) lost() bool { return k.fault != nil && left(k.dir, k.set.Keys) != k.set.Keys }

// read takes the stamp before it reads: what changes meanwhile is seen by the
// next look. What is missing is made before that. A fault of the keys and one of
// the statement keys do not stand in each other's way.
func (k *Keeper) read(ctx context.Context, generate bool) Report {
	unmadeKeys, unmadeStatement := k.make(ctx, generate)
	k.seen = stampOf(k.dir)
	var next Set
	var keysFault, statementFault error
	next.Keys, keysFault = k.readKeys()
	next.Statement, statementFault = k.readStatement(keysFault)
	keysFault, statementFault = because(keysFault, unmadeKeys), because(statementFault, unmadeStatement)
	if sameText(keysFault, statementFault) { // that of the folder
		statementFault = nil
	}
	k.fault = errors.Join(keysFault, statementFault)
	k.retryRead = k.options.now().Add(retryEvery)
	changed := next.Keys != nil && (k.set.Keys == nil || !k.set.equal(next))
	if changed {
		k.set = next
	}
	return Report{Set: k.set, Changed: changed, Read: true, Fault: k.fault, UpkeepFault: k.upkeepFault}
}

// because says what a fault comes from, if that is known.
func because(fault, cause error) error {
	if fault == nil || cause == nil {
		return fault
	}
	return cause
}

// make makes what is missing: all of it, or no more than the statement key, and
// that only where the folder is in use.
func (k *Keeper) make(ctx context.Context, all bool) (keys, statement error) {
	switch {
	case !k.options.Generate:
		return nil, nil
	case all:
		_, keys = Open(ctx, k.dir, k.options)
	case !inhabited(k.dir):
		return nil, nil
	default:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, remakePatience)
		defer cancel()
	}
	_, statement = OpenStatementKeys(ctx, k.dir, k.options)
	return keys, statement
}

// readKeys returns the keys of the folder; with a fault those in use that were
// not removed.
func (k *Keeper) readKeys() (*Keys, error) {
	keys, err := load(k.dir, k.options)
	if err != nil {
		return left(k.dir, k.set.Keys), err
	}
	return keys, nil
}

// readStatement returns the statement keys of the folder, and none with a fault of
// their own. One of the whole folder, which the keys have told of, leaves those in
// use, but where their file was removed.
func (k *Keeper) readStatement(told error) (*StatementKeys, error) {
	keys, err := loadStatement(k.dir)
	var loose *LooseFolderError
	ofFolder := errors.As(err, &loose)
	if ofFolder && removed(k.dir, StatementName) {
		ofFolder, err = false, fmt.Errorf("%w in %s", ErrNoStatementKey, k.dir)
	}
	switch missing := errors.Is(err, ErrNoStatementKey); {
	case err == nil:
		k.stated = true
		return keys, nil
	case missing && !k.stated:
		return nil, nil // none was ever there, and none is to be made
	case ofFolder, told != nil && !inhabited(k.dir):
		return k.set.Statement, nil
	}
	return nil, err
}

func (k *Keeper) upkeepDue() bool {
	now := k.options.now()
	return k.options.Generate && k.rotation.due(k.set.Keys, now) && !now.Before(k.retryUpkeep)
}

// settle drops the fault of an upkeep that is no longer due: another process has
// done it.
func (k *Keeper) settle(tell func(Report)) {
	if k.upkeepFault == nil || k.rotation.due(k.set.Keys, k.options.now()) {
		return
	}
	k.upkeepFault = nil
	tell(Report{Set: k.set, Fault: k.fault})
}

// startUpkeep works aside, because an RSA key or another's lock may take longer
// than a change may stay unseen.
func (k *Keeper) startUpkeep(ctx context.Context) chan Report {
	done := make(chan Report, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, upkeepPatience)
		defer cancel()
		rotated, err := keepUp(ctx, k.dir, k.options, k.rotation)
		done <- Report{Upkeep: rotated, UpkeepFault: err}
	}()
	return done
}

// kept reads what the upkeep wrote, so that the next look does not find it due
// once more.
func (k *Keeper) kept(ctx context.Context, report Report, tell func(Report)) {
	before := k.upkeepFault
	k.upkeepFault = report.UpkeepFault
	if report.UpkeepFault != nil {
		k.upkeepFault = fmt.Errorf("rotation: %w", report.UpkeepFault)
		k.retryUpkeep = k.options.now().Add(retryEvery)
	}
	report.UpkeepFault = k.upkeepFault
	report.Set, report.Fault = k.set, k.fault
	did := report.Upkeep.Made != nil || len(report.Upkeep.Removed) > 0
	if did || !sameText(before, k.upkeepFault) {
		tell(report)
	}
	k.look(ctx, tell)
}

func sameText(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error()
}
