package policies

import (
	"cmp"
	"crypto/sha256"
	"iter"
	"slices"

	"github.com/certbearer/certbearer/policies/truststore"
)

// Snapshot is an immutable index of all clients. The zero value is not usable:
// begin with [Empty].
type Snapshot struct {
	clients   table[string, *Client]
	pins      table[Thumbprint, *Client]
	contested table[Thumbprint, []*Client] // pins of more than one client
	authority table[[32]byte, *authority]  // by truststore.Anchor.ID
	named     table[[32]byte, [][32]byte]  // authorities by name, and by name and key identifier
	bound     table[[32]byte, []*Client]   // by authority and subject
	byStatus  [3]int
	byMode    [3]int

	allowSharedAnchors bool
	requireBinding     bool
}

// authority is one CA, by name and key, and who trusts it. Immutable.
type authority struct {
	id      [32]byte
	holders int       // clients that have it as an anchor
	unbound []*Client // those of them that bind no subject
	// someBound are a few of the others, to be named to the operator; there may be a
	// million of them.
	someBound []*Client
	names     [][32]byte // under which it is in Snapshot.named
	// anchors are the certificates under which clients hold it: one, or more
	// while a renewed one spreads. Records share them.
	anchors []heldAnchor
}

type heldAnchor struct {
	*truststore.Anchor
	clients int
}

// Options are what a Snapshot is told besides its documents.
type Options struct {
	// AllowSharedAnchors accepts clients without a subject binding by chain
	// even if other clients hold the same anchor.
	AllowSharedAnchors bool
	// RequireBinding accepts nobody by chain without a subject binding.
	RequireBinding bool
}

// Empty returns a Snapshot without clients.
func Empty(options Options) *Snapshot {
	return &Snapshot{
		clients:            table[string, *Client]{shard: shardOfText},
		pins:               table[Thumbprint, *Client]{shard: shardOfHash},
		contested:          table[Thumbprint, []*Client]{shard: shardOfHash},
		authority:          table[[32]byte, *authority]{shard: shardOfHash},
		named:              table[[32]byte, [][32]byte]{shard: shardOfHash},
		bound:              table[[32]byte, []*Client]{shard: shardOfHash},
		allowSharedAnchors: options.AllowSharedAnchors,
		requireBinding:     options.RequireBinding,
	}
}

// Under returns the same clients under other options, to see what would be. It is
// not for a Source: the options of a running server do not change.
func (s *Snapshot) Under(options Options) *Snapshot {
	other := *s
	other.allowSharedAnchors, other.requireBinding = options.AllowSharedAnchors, options.RequireBinding
	return &other
}

// Client returns the record of a client_id, nil if there is none.
func (s *Snapshot) Client(id string) *Client {
	client, _ := s.clients.get(id)
	return client
}

// Len returns the number of clients of every status.
func (s *Snapshot) Len() int { return s.byStatus[0] + s.byStatus[1] + s.byStatus[2] }

// Count returns the number of clients of one status.
func (s *Snapshot) Count(status Status) int { return s.byStatus[status] }

// All calls yield with every client, in no order.
func (s *Snapshot) All() iter.Seq[*Client] {
	return func(yield func(*Client) bool) {
		for _, part := range s.clients.parts {
			for _, client := range part {
				if !yield(client) {
					return
				}
			}
		}
	}
}

// Sorted returns every client, by id: for people, not for requests.
func (s *Snapshot) Sorted() []*Client {
	return slices.SortedFunc(s.All(), func(a, b *Client) int { return cmp.Compare(a.id, b.id) })
}

// PinnedBy returns the clients that pin a certificate.
func (s *Snapshot) PinnedBy(thumbprint Thumbprint) []*Client {
	if clients, found := s.contested.get(thumbprint); found {
		return slices.Clone(clients)
	}
	if client, found := s.pins.get(thumbprint); found {
		return []*Client{client}
	}
	return nil
}

// AnchorHolders returns how many clients trust the CA of an anchor.
func (s *Snapshot) AnchorHolders(anchor *truststore.Anchor) int {
	held, found := s.authority.get(anchor.ID)
	if !found {
		return 0
	}
	return held.holders
}

// mayChain reports whether the client may be accepted by a chain to the anchor.
func (s *Snapshot) mayChain(c *Client, anchor *truststore.Anchor) bool {
	return !c.Binding().IsZero() || !s.requireBinding && (s.allowSharedAnchors || s.AnchorHolders(anchor) == 1)
}

func boundKey(authority [32]byte, subject truststore.BindingKey) [32]byte {
	return sha256.Sum256(append(authority[:], subject[:]...))
}
