package tokens

import "container/heap"

// order keeps entries by RenewAt, the earliest first: those to be renewed
// already, then those that will be soonest. Adding and removing cost the
// logarithm of its length. place says where an entry remembers its position.
type order struct {
	entries []*entry
	place   func(*entry) *int
}

func byShard(e *entry) *int  { return &e.inShard }
func byClient(e *entry) *int { return &e.inClient }

func (o *order) add(e *entry)    { heap.Push(o, e) }
func (o *order) remove(e *entry) { heap.Remove(o, *o.place(e)) }

// first returns the entry that goes first, or nil.
func (o *order) first() *entry {
	if len(o.entries) == 0 {
		return nil
	}
	return o.entries[0]
}

// Len implements heap.Interface.
func (o *order) Len() int { return len(o.entries) }

// Less implements heap.Interface.
func (o *order) Less(i, j int) bool {
	return o.entries[i].token.RenewAt.Before(o.entries[j].token.RenewAt)
}

// Swap implements heap.Interface.
func (o *order) Swap(i, j int) {
	o.entries[i], o.entries[j] = o.entries[j], o.entries[i]
	*o.place(o.entries[i]) = i
	*o.place(o.entries[j]) = j
}

// Push implements heap.Interface.
func (o *order) Push(x any) {
	e := x.(*entry)
	*o.place(e) = len(o.entries)
	o.entries = append(o.entries, e)
}

// Pop implements heap.Interface.
func (o *order) Pop() any {
	last := len(o.entries) - 1
	e := o.entries[last]
	o.entries[last] = nil
	o.entries = o.entries[:last]
	return e
}
