package policies

import "maps"

// shardCount keeps a change cheap: what is copied is one part in 256 of a map,
// a million clients or not.
const shardCount = 256

// table is an immutable map in parts. The zero value is empty.
type table[K comparable, V any] struct {
	parts [shardCount]map[K]V
	shard func(K) uint8
}

func (t *table[K, V]) get(key K) (V, bool) {
	value, found := t.parts[t.shard(key)][key]
	return value, found
}

// tableEditor changes a copy of a table, copying each part when it is first
// written to.
type tableEditor[K comparable, V any] struct {
	table[K, V]
	owned [shardCount]bool
}

func edit[K comparable, V any](t *table[K, V]) *tableEditor[K, V] {
	return &tableEditor[K, V]{table: *t}
}

func (e *tableEditor[K, V]) own(shard uint8) {
	if e.owned[shard] {
		return
	}
	e.parts[shard] = maps.Clone(e.parts[shard])
	if e.parts[shard] == nil {
		e.parts[shard] = make(map[K]V)
	}
	e.owned[shard] = true
}

func (e *tableEditor[K, V]) set(key K, value V) {
	shard := e.shard(key)
	e.own(shard)
	e.parts[shard][key] = value
}

func (e *tableEditor[K, V]) remove(key K) {
	shard := e.shard(key)
	if _, found := e.parts[shard][key]; !found {
		return
	}
	e.own(shard)
	delete(e.parts[shard], key)
}

func shardOfText(text string) uint8 {
	sum := uint32(2166136261) // FNV-1a
	for i := range len(text) {
		sum = (sum ^ uint32(text[i])) * 16777619
	}
	return uint8(sum ^ sum>>8)
}

// shardOfHash takes a byte of a SHA-256. Somebody may choose inputs so that
// one part grows: it stays a map.
func shardOfHash(hash [32]byte) uint8 { return hash[0] }
