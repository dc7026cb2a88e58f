package revocation

import (
	"hash/maphash"
	"maps"
)

// tableBuckets is in how many parts a table is copied: of ten thousand entries one
// that changes has some forty others copied with it.
const tableBuckets = 256

// tableSeed is one for all tables, for they share their parts.
var tableSeed = maphash.MakeSeed()

// table is an immutable map. What it was made from and what is made from it share all
// but what differs, so that a change costs next to nothing however much there is. The
// zero value is empty.
type table[K comparable, V any] struct {
	buckets *[tableBuckets]map[K]V
	count   int
}

func bucketOf[K comparable](key K) int {
	return int(maphash.Comparable(tableSeed, key) % tableBuckets)
}

func (t table[K, V]) get(key K) (V, bool) {
	if t.buckets == nil {
		var none V
		return none, false
	}
	value, found := t.buckets[bucketOf(key)][key]
	return value, found
}

// each calls visit with every entry, in no order.
func (t table[K, V]) each(visit func(K, V)) {
	if t.buckets == nil {
		return
	}
	for _, bucket := range t.buckets {
		for key, value := range bucket {
			visit(key, value)
		}
	}
}

// editor makes a table from another.
type editor[K comparable, V any] struct {
	table[K, V]
	written bool               // the array is not shared with another table
	own     [tableBuckets]bool // nor the bucket
}

func (t table[K, V]) edit() *editor[K, V] { return &editor[K, V]{table: t} }

// bucket returns the one of the key, to be written to.
func (e *editor[K, V]) bucket(key K) map[K]V {
	i := bucketOf(key)
	if !e.written {
		var buckets [tableBuckets]map[K]V
		if e.buckets != nil {
			buckets = *e.buckets
		}
		e.buckets, e.written = &buckets, true
	}
	if !e.own[i] {
		e.own[i] = true
		if e.buckets[i] = maps.Clone(e.buckets[i]); e.buckets[i] == nil {
			e.buckets[i] = make(map[K]V)
		}
	}
	return e.buckets[i]
}

func (e *editor[K, V]) put(key K, value V) {
	if _, found := e.get(key); !found {
		e.count++
	}
	e.bucket(key)[key] = value
}

func (e *editor[K, V]) remove(key K) {
	if _, found := e.get(key); found {
		delete(e.bucket(key), key)
		e.count--
	}
}
