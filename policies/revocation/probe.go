package revocation

import (
	"context"
	"fmt"
	"time"
)

// Key is the same for two locations that are asked as one.
func (l Location) Key() string { return l.key() }

// Probe asks the location once and holds its answer to all that a [Fetcher] does, but
// for what was known before. It keeps nothing: it is for who wants to know whether
// the location will do. [ClassOf] tells what was wrong; a list that has ended is
// described by the State all the same.
func (l Location) Probe(ctx context.Context, backend Backend, at time.Time) (State, error) {
	state := State{Name: l.Name(), OCSP: l.Certificate != nil}
	if err := l.check(); err != nil {
		return state, in(Forbidden, err)
	}
	q, err := l.query()
	if err != nil {
		return state, in(Malformed, err)
	}
	der, err := backend.Fetch(ctx, q)
	if err != nil {
		return state, err
	}
	found, err := l.read(der, at)
	if err != nil {
		return state, err
	}
	state.Asked = at
	state.ThisUpdate, state.NextUpdate = found.times()
	if !at.Before(state.NextUpdate) {
		return state, in(Stale, errEnded(state.NextUpdate))
	}
	return state, nil
}

func errEnded(end time.Time) error {
	return fmt.Errorf("what the location has ended at %s", end.UTC().Format(time.RFC3339))
}
