package listener

import (
	"slices"
	"sync"
)

// draining is the reason that nothing takes away again.
const draining = "draining"

// Readiness says whether requests should be sent here, and why not. The answer
// of /readyz and the gRPC health service both come from it, so they cannot
// disagree. It is safe for concurrent use.
type Readiness struct {
	mu        sync.Mutex
	reasons   map[string]bool
	followers []func(ready bool)
}

// NewReadiness returns a Readiness that is not ready until each of the reasons,
// such as "clients" or "keys", was lifted.
func NewReadiness(reasons ...string) *Readiness {
	r := &Readiness{reasons: make(map[string]bool)}
	for _, reason := range reasons {
		r.reasons[reason] = true
	}
	return r
}

// Block adds a reason not to be ready.
func (r *Readiness) Block(reason string) {
	r.change(func() { r.reasons[reason] = true })
}

// Lift takes a reason away. That we are draining stays.
func (r *Readiness) Lift(reason string) {
	if reason != draining {
		r.change(func() { delete(r.reasons, reason) })
	}
}

// Ready reports whether there is no reason against it.
func (r *Readiness) Ready() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.reasons) == 0
}

// Reasons returns why we are not ready, sorted; none means ready.
func (r *Readiness) Reasons() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	reasons := make([]string, 0, len(r.reasons))
	for reason := range r.reasons {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	return reasons
}

// follow calls f with the answer of now and again whenever it changes, always
// in order. f must not call r.
func (r *Readiness) follow(f func(ready bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.followers = append(r.followers, f)
	f(len(r.reasons) == 0)
}

func (r *Readiness) change(apply func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.reasons) == 0
	apply()
	after := len(r.reasons) == 0
	if before == after {
		return
	}
	for _, f := range r.followers {
		f(after)
	}
}
