package policies

import (
	"slices"

	"github.com/certbearer/certbearer/policies/truststore"
)

// Builder makes the next Snapshot out of one. It costs what changes, not what
// there is. It is not safe for concurrent use.
type Builder struct {
	next      Snapshot
	clients   *tableEditor[string, *Client]
	pins      *tableEditor[Thumbprint, *Client]
	contested *tableEditor[Thumbprint, []*Client]
	authority *tableEditor[[32]byte, *authority]
	named     *tableEditor[[32]byte, [][32]byte]
	bound     *tableEditor[[32]byte, []*Client]

	// What this Builder has made itself it may write to: copying a list once
	// for each of its members would make a large folder of like CAs slow.
	ownAuthority map[[32]byte]bool
	ownNamed     map[[32]byte]bool
}

// Edit begins a Builder; s stays as it is.
func (s *Snapshot) Edit() *Builder {
	return &Builder{
		next:      *s,
		clients:   edit(&s.clients),
		pins:      edit(&s.pins),
		contested: edit(&s.contested),
		authority: edit(&s.authority),
		named:     edit(&s.named),
		bound:     edit(&s.bound),

		ownAuthority: make(map[[32]byte]bool),
		ownNamed:     make(map[[32]byte]bool),
	}
}

// Snapshot returns what was built. The Builder is used up.
func (b *Builder) Snapshot() *Snapshot {
	b.next.clients = b.clients.table
	b.next.pins = b.pins.table
	b.next.contested = b.contested.table
	b.next.authority = b.authority.table
	b.next.named = b.named.table
	b.next.bound = b.bound.table
	return &b.next
}

// Put adds a client or replaces the one with its id. It returns the record that
// the Snapshot has: c itself, or, where others hold CAs of c already, a copy
// that shares the certificates with them. c is never written to: a Snapshot
// that was published may have it. To put the client again, put what Put
// returned, so that its record stays the same one.
func (b *Builder) Put(c *Client) *Client {
	if current, found := b.clients.get(c.id); found && current == c {
		return c
	}
	b.Remove(c.id)
	c = b.share(c)
	b.clients.set(c.id, c)
	b.count(c, 1)
	for _, thumbprint := range c.Pins() {
		b.pin(thumbprint, c)
	}
	b.hold(c)
	return c
}

func (b *Builder) count(c *Client, change int) {
	b.next.byStatus[c.status] += change
	b.next.byMode[c.Mode()] += change
}

// TurnOff makes the client's status off and keeps the rest, so that its
// certificates still are its own. A client that is not known becomes one
// without certificates.
func (b *Builder) TurnOff(id string) {
	current, found := b.clients.get(id)
	if !found {
		b.Put(disabled(id))
		return
	}
	if current.status == StatusOff {
		return
	}
	off := *current
	off.status = StatusOff
	b.Put(&off)
}

// Remove takes a client out. An unknown id is no fault.
func (b *Builder) Remove(id string) {
	c, found := b.clients.get(id)
	if !found {
		return
	}
	b.clients.remove(id)
	b.count(c, -1)
	for _, thumbprint := range c.Pins() {
		b.unpin(thumbprint, c)
	}
	b.release(c)
}

func (b *Builder) pin(thumbprint Thumbprint, c *Client) {
	first, taken := b.pins.get(thumbprint)
	if !taken {
		b.pins.set(thumbprint, c)
		return
	}
	others, found := b.contested.get(thumbprint)
	if !found {
		others = []*Client{first}
	}
	b.contested.set(thumbprint, append(slices.Clone(others), c))
}

func (b *Builder) unpin(thumbprint Thumbprint, c *Client) {
	all, found := b.contested.get(thumbprint)
	if !found {
		b.pins.remove(thumbprint)
		return
	}
	rest := without(all, c)
	b.pins.set(thumbprint, rest[0])
	if len(rest) == 1 {
		b.contested.remove(thumbprint)
		return
	}
	b.contested.set(thumbprint, rest)
}

func without(all []*Client, c *Client) []*Client {
	return slices.DeleteFunc(slices.Clone(all), func(other *Client) bool { return other == c })
}

// share returns a record that has the CAs' certificates in common with the
// records of others.
func (b *Builder) share(c *Client) *Client {
	anchors := c.extra().anchors
	var shared []*truststore.Anchor // a copy, once one differs
	for i, anchor := range anchors {
		common := b.common(anchor)
		if common == anchor {
			continue
		}
		if shared == nil {
			shared = slices.Clone(anchors)
		}
		shared[i] = common
	}
	if shared == nil {
		return c
	}
	more := *c.more
	more.anchors = shared
	out := *c
	out.more = &more
	return &out
}

// common returns the anchor that the Snapshot has for a certificate, or the
// given one if it has none.
func (b *Builder) common(anchor *truststore.Anchor) *truststore.Anchor {
	held, found := b.authority.get(anchor.ID)
	if !found {
		return anchor
	}
	for _, known := range held.anchors {
		if known.Thumbprint == anchor.Thumbprint {
			return known.Anchor
		}
	}
	return anchor
}

// hold enters the client with each CA that it trusts.
func (b *Builder) hold(c *Client) {
	entered := make(map[[32]byte]bool)
	for _, anchor := range c.extra().anchors {
		held := b.held(anchor)
		held.take(anchor)
		if !entered[anchor.ID] {
			entered[anchor.ID] = true
			held.holders++
			for binding := range c.bindings() {
				if binding.IsZero() {
					held.unbound = append(held.unbound, c)
				} else {
					b.bind(boundKey(anchor.ID, binding.Key()), c)
					held.name(c)
				}
			}
		}
		b.setAuthority(held)
	}
}

func (b *Builder) release(c *Client) {
	left := make(map[[32]byte]bool)
	for _, anchor := range c.extra().anchors {
		held := b.held(anchor)
		held.drop(anchor)
		if !left[anchor.ID] {
			left[anchor.ID] = true
			held.holders--
			held.someBound = without(held.someBound, c)
			for binding := range c.bindings() {
				if binding.IsZero() {
					held.unbound = without(held.unbound, c)
				} else {
					b.unbind(boundKey(anchor.ID, binding.Key()), c)
				}
			}
		}
		b.setAuthority(held)
	}
}

// held returns what is known of the anchor's CA, to be changed.
func (b *Builder) held(anchor *truststore.Anchor) *authority {
	current, found := b.authority.get(anchor.ID)
	if found && b.ownAuthority[anchor.ID] {
		return current
	}
	next := &authority{id: anchor.ID}
	if found {
		*next = *current
		next.unbound = slices.Clone(current.unbound)
		next.someBound = slices.Clone(current.someBound)
		next.anchors = slices.Clone(current.anchors)
	}
	b.ownAuthority[anchor.ID] = true
	return next
}

// setAuthority enters the CA, or takes it out if nobody trusts it any more.
func (b *Builder) setAuthority(next *authority) {
	names := next.findableAs()
	for _, name := range next.names {
		if !slices.Contains(names, name) {
			b.unname(name, next.id)
		}
	}
	for _, name := range names {
		if !slices.Contains(next.names, name) {
			b.name(name, next.id)
		}
	}
	next.names = names
	if len(next.anchors) == 0 {
		b.authority.remove(next.id)
		delete(b.ownAuthority, next.id)
		return
	}
	b.authority.set(next.id, next)
}

func (b *Builder) name(name, id [32]byte) {
	b.named.set(name, append(b.ownedNames(name), id))
}

func (b *Builder) unname(name, id [32]byte) {
	rest := slices.DeleteFunc(b.ownedNames(name), func(other [32]byte) bool { return other == id })
	if len(rest) == 0 {
		b.named.remove(name)
		delete(b.ownNamed, name)
		return
	}
	b.named.set(name, rest)
}

func (b *Builder) ownedNames(name [32]byte) [][32]byte {
	ids, _ := b.named.get(name)
	if b.ownNamed[name] {
		return ids
	}
	b.ownNamed[name] = true
	return slices.Clone(ids)
}

// name keeps a client among the few that are named, while there is room.
func (a *authority) name(c *Client) {
	if len(a.someBound) < MaxCandidates && !slices.Contains(a.someBound, c) {
		a.someBound = append(a.someBound, c)
	}
}

// take counts one more client for the certificate.
func (a *authority) take(anchor *truststore.Anchor) {
	for i := range a.anchors {
		if a.anchors[i].Thumbprint == anchor.Thumbprint {
			a.anchors[i].clients++
			return
		}
	}
	a.anchors = append(a.anchors, heldAnchor{Anchor: anchor, clients: 1})
}

func (a *authority) drop(anchor *truststore.Anchor) {
	a.anchors = slices.DeleteFunc(a.anchors, func(held heldAnchor) bool {
		return held.Thumbprint == anchor.Thumbprint && held.clients == 1
	})
	for i := range a.anchors {
		if a.anchors[i].Thumbprint == anchor.Thumbprint {
			a.anchors[i].clients--
		}
	}
}

func (b *Builder) bind(key [32]byte, c *Client) {
	others, _ := b.bound.get(key)
	b.bound.set(key, append(slices.Clone(others), c))
}

func (b *Builder) unbind(key [32]byte, c *Client) {
	others, _ := b.bound.get(key)
	rest := without(others, c)
	if len(rest) == 0 {
		b.bound.remove(key)
		return
	}
	b.bound.set(key, rest)
}
