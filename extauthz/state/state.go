// Package state holds what changes while certbearer runs: the clients, the
// signing keys, and what is revoked of certificates and of tokens.
//
// All of it is one immutable State behind one pointer. A request loads it once
// and uses nothing else, so that it never sees the clients of one moment with
// the keys of another.
package state

import (
	"sync"
	"sync/atomic"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/revocation"
)

// State is what a decision is made by.
type State struct {
	// Generation counts the States of this process from 1; 0 is the empty one.
	// Whatever is cached carries the Generation that it was proved under.
	Generation uint64
	// Clients is nil until a source has published.
	Clients *policies.Snapshot
	// CRLs is what is known of revoked certificates; nil is nothing.
	CRLs *revocation.View
	// Keys is nil until they have been loaded.
	Keys *signer.Keys
	// Statement is nil until the statement keys have been loaded, and where there
	// are none. It is not a matter of [State.Ready]: only what believes statements
	// needs it, and refuses them without.
	Statement *signer.StatementKeys
	// Revoked are the tokens of ours that count no more; nil is none.
	Revoked *tokens.Revoked
}

// Ready reports whether certificates can be judged and tokens signed.
func (s *State) Ready() bool { return s.Clients != nil && s.Keys != nil }

// Holder is the one place that the current State is in. The zero value holds an
// empty State. It is safe for concurrent use.
type Holder struct {
	current atomic.Pointer[State]
	writing sync.Mutex
}

var empty State

// Load returns the current State, never nil. It is not to be changed.
func (h *Holder) Load() *State {
	if current := h.current.Load(); current != nil {
		return current
	}
	return &empty
}

// Publish replaces the State by what change makes of it and returns the new
// Generation. Changes come one after the other; whoever loads in between sees
// the State before or after, never half.
func (h *Holder) Publish(change func(State) State) (generation uint64) {
	h.writing.Lock()
	defer h.writing.Unlock()
	current := h.Load()
	next := change(*current)
	next.Generation = current.Generation + 1
	h.current.Store(&next)
	return next.Generation
}
