package main

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
)

const (
	// maxWays bounds what is shown of what would make a request pass.
	maxWays = 6
	// maxWhatIfs bounds the decisions that are made to find it.
	maxWhatIfs = 300
)

// world is what a decision hangs on and somebody could change.
type world struct {
	clients   *policies.Snapshot
	drafts    map[string]policies.Draft // of the clients nearby, by id
	presented []*x509.Certificate       // leaf first
	clientID  string                    // that the request names
	at        time.Time

	known knownRevocations
	above []*x509.Certificate // CAs that are stored and, by name, stand above what is presented
	view  *revocation.View    // what is known of those and at that time
}

func newWorld(clients *policies.Snapshot, known knownRevocations, presented []*x509.Certificate, clientID string, at time.Time) world {
	w := world{clients: clients, presented: presented, clientID: clientID, at: at, known: known, above: storedAbove(clients, presented)}
	return w.seen()
}

// seen is the world with what is known of revocations in it.
func (w world) seen() world {
	w.view = w.known.about(w.presented, w.above, w.at)
	return w
}

func (w world) state() *state.State { return &state.State{Clients: w.clients, CRLs: w.view} }

// change is one thing that could be otherwise. Its JSON is an interface:
// docs/verify.md has each member.
type change struct {
	// Kind says what is changed, such as "pin".
	Kind changeKind `json:"kind"`
	// Client and Field are the document and its field, where it is one of a document.
	Client string `json:"client,omitempty"`
	Field  string `json:"field,omitempty"`
	// Value is what the field would be, null for none; Add are certificates, PEM, that
	// would stand in it, or be presented, besides those that do.
	Value json.RawMessage `json:"value,omitempty"`
	Add   string          `json:"add,omitempty"`
	// Do says it in a sentence, Risk what it opens besides, "" if nothing.
	Do   string `json:"do"`
	Risk string `json:"risk,omitempty"`

	make func(world) (world, bool)
}

// way is a way for the request to pass: changes that do it together.
type way struct {
	Changes []change `json:"changes"`
}

// whatIf decides the request in other worlds.
type whatIf struct {
	decide func(world) extauthz.Explanation
	left   int
}

// waysOut returns what would make a refused request pass, what opens least first.
// Each way was tried: the request was decided once more with it, and allowed. Where
// nothing does it alone, two changes may do it together.
func (w *whatIf) waysOut(start world, refused extauthz.Explanation, near []nearby) []way {
	var ways []way
	passing, further := w.single(start, refused, near)
	for _, one := range passing {
		ways = append(ways, wayOf(start, one.told, one.change))
	}
	if len(ways) == 0 {
		for _, first := range further {
			second, _ := w.single(first.world, first.told, near)
			for _, then := range second {
				ways = append(ways, wayOf(start, then.told, first.change, then.change))
			}
		}
	}
	ways = onceEach(ways)
	slices.SortStableFunc(ways, func(a, b way) int {
		return cmp.Or(cmp.Compare(a.opens(), b.opens()), cmp.Compare(a.Changes[0].Client, b.Changes[0].Client))
	})
	return ways[:min(len(ways), maxWays)]
}

// wayOf is a way that leads to what was accepted.
func wayOf(start world, accepted extauthz.Explanation, changes ...change) way {
	for i := range changes {
		if changes[i].Kind == changeTime {
			changes[i].Do = timeSentence(start.at, accepted)
		}
	}
	return way{changes}
}

// step is a change and what is decided with it.
type step struct {
	change change
	world  world
	told   extauthz.Explanation
}

// single makes each change alone: which suffice, and which lead to another refusal.
func (w *whatIf) single(start world, refused extauthz.Explanation, near []nearby) (passing, further []step) {
	for _, one := range changesIn(start, refused, near) {
		changed, possible := one.make(start)
		if !possible || w.left == 0 {
			continue
		}
		w.left--
		switch told := w.decide(changed); {
		case told.Err == nil && told.Reason.Allows():
			passing = append(passing, step{one, changed, told})
		case told.Err != nil && told.Err.Error() != refused.Err.Error():
			further = append(further, step{one, changed, told})
		}
	}
	return passing, further
}

// onceEach keeps the first way of those whose changes are of the same kinds and
// clients, in whatever order: of several subjects or times that would do, one is
// enough. Certificates are told apart.
func onceEach(all []way) []way {
	seen := make(map[string]bool)
	return slices.DeleteFunc(all, func(one way) bool {
		var keys []string
		for _, c := range one.Changes {
			keys = append(keys, string(c.Kind)+" "+c.Client+" "+c.Add)
		}
		slices.Sort(keys)
		key := strings.Join(keys, "\n")
		again := seen[key]
		seen[key] = true
		return again
	})
}

// opens is how much the way opens to others, 0 for nothing.
func (w way) opens() int {
	sum := 0
	for _, one := range w.Changes {
		sum += one.Kind.opens()
	}
	return sum
}

// withDraft is the world in which the draft is the client's document.
func (w world) withDraft(draft policies.Draft) (world, bool) {
	document := draft.Document()
	if document.Fault != nil || document.Client == nil {
		return w, false
	}
	builder := w.clients.Edit()
	builder.Put(document.Client)
	w.clients = builder.Snapshot()
	w.drafts = maps.Clone(w.drafts)
	w.drafts[document.ID] = draft
	return w, true
}

// mayBeMended tells the refusals for which a way out is looked for: those that hang
// on the certificate and the clients. Nothing is said to get around a revocation.
func mayBeMended(reason decision.Reason) bool {
	switch reason {
	case decision.RevocationUnavailable, decision.RevocationStale:
		return true
	case decision.CertificateMissing, decision.RouteUnmatched, decision.PathAmbiguous, decision.CertificateRevoked:
		return false
	}
	return decidedByCertificate(reason)
}
