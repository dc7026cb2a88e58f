package policies

import (
	"iter"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/policies/truststore"
)

// Remnant makes the record of a client whose documents are there and cannot be
// used: one has a fault, or several have its id. Nobody is let in by it. But
// clients of every status count, and what the client had before it was broken
// does not fall to others: each certificate that one of the given records pins
// stays this client's, each of their CAs counts as trusted by it, and it is
// bound to the subject of each of them.
func Remnant(id string, off bool, of ...*Client) *Client {
	out := &Client{id: strings.Clone(id), status: StatusError, more: &clientExtra{remnant: true}}
	if off {
		out.status = StatusOff
	}
	pinned := make(map[Thumbprint]bool)
	for _, c := range of {
		for thumbprint, end := range c.pinsAndEnds() {
			if !pinned[thumbprint] {
				pinned[thumbprint] = true
				out.addPin(thumbprint, end)
			}
		}
		out.more.add(c)
	}
	return out
}

// addPin does not look whether the pin is there.
func (c *Client) addPin(thumbprint Thumbprint, end uint32) {
	if !c.pinned {
		c.pin, c.pinEnd, c.pinned = thumbprint, end, true
		return
	}
	c.more.pins = append(c.more.pins, thumbprint)
	c.more.pinEnds = append(c.more.pinEnds, end)
}

// add takes over the CAs and the subjects that count with them.
func (e *clientExtra) add(c *Client) {
	if len(c.extra().anchors) == 0 {
		return
	}
	first := len(e.anchors) == 0
	for _, anchor := range c.extra().anchors {
		if !hasAnchor(e.anchors, anchor.Thumbprint) {
			e.anchors = append(e.anchors, anchor)
		}
	}
	for binding := range c.bindings() {
		if first {
			e.binding, first = binding, false
			continue
		}
		e.alsoBound = append(e.alsoBound, binding)
	}
	e.alsoBound = distinct(e.binding, e.alsoBound)
}

// distinct returns the bindings that are neither the first nor there twice.
func distinct(first truststore.Binding, others []truststore.Binding) []truststore.Binding {
	seen := map[truststore.BindingKey]bool{first.Key(): true}
	return slices.DeleteFunc(others, func(binding truststore.Binding) bool {
		known := seen[binding.Key()]
		seen[binding.Key()] = true
		return known
	})
}

// bindings yields the subjects that the client is bound to: one, which is the
// zero Binding if it is bound to none. Only a remnant may have more.
func (c *Client) bindings() iter.Seq[truststore.Binding] {
	return func(yield func(truststore.Binding) bool) {
		if !yield(c.extra().binding) {
			return
		}
		for _, binding := range c.extra().alsoBound {
			if !yield(binding) {
				return
			}
		}
	}
}
