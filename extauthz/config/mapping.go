package config

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// mapping is a YAML mapping being read. Asking for a key makes it a known one;
// close reports those that nobody asked for. So no key can be accepted and then
// not read.
type mapping struct {
	doc   *document
	path  string
	line  int
	pairs []pair
	known []string
	// broken: the node was reported, so what it lacks is not missing.
	broken bool
}

type pair struct{ key, value *yaml.Node }

// mapping opens node. One that is no mapping is reported and read as empty.
func (d *document) mapping(node *yaml.Node, path string) *mapping {
	m := &mapping{doc: d, path: path, line: node.Line}
	if m.broken = d.faulty[node]; m.broken {
		return m
	}
	if m.broken = node.Kind != yaml.MappingNode; m.broken {
		d.fault(node, path, noMapping(path, kindOf(node)))
		return m
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if !d.faulty[node.Content[i]] {
			m.pairs = append(m.pairs, pair{node.Content[i], node.Content[i+1]})
		}
	}
	return m
}

// take returns the value of the key, or nil if it is absent.
func (m *mapping) take(name string) *yaml.Node {
	if !slices.Contains(m.known, name) {
		m.known = append(m.known, name)
	}
	for _, p := range m.pairs {
		if p.key.Value == name {
			return p.value
		}
	}
	return nil
}

// has reports that the key is there, whatever its value.
func (m *mapping) has(name string) bool { return m.take(name) != nil }

// sound reports that the key, if it is there, was read without a fault: a rule
// between several keys holds its tongue until each is good on its own.
func (m *mapping) sound(name string) bool { return !m.doc.faulty[m.take(name)] }

// fail records a fault of one key, on its value's line; a key that is absent
// has the line of the mapping.
func (m *mapping) fail(name, problem string) {
	line := m.line
	if node := m.take(name); node != nil {
		line = node.Line
		m.doc.faulty[node] = true
	}
	m.doc.fail(line, join(m.path, name), problem)
}

// require reports a key that is absent.
func (m *mapping) require(names ...string) {
	for _, name := range names {
		if !m.has(name) && !m.broken {
			m.fail(name, "required")
		}
	}
}

// close reports the keys that nobody asked for.
func (m *mapping) close() {
	for _, p := range m.pairs {
		name := p.key.Value
		if slices.Contains(m.known, name) || m.doc.full() {
			continue
		}
		problem := "unknown key"
		if elsewhere := misplaced(m.path, name); elsewhere != "" {
			problem += "; " + elsewhere
		} else if near := nearest(name, m.known); near != "" {
			problem += " (did you mean " + near + "?)"
		}
		m.doc.fail(p.key.Line, join(m.path, name), problem)
	}
}

// section reads the mapping under the key. An absent one is read as empty, so
// that its defaults have one place.
func section[T any](m *mapping, name string, read func(*mapping) T) T {
	inner := &mapping{doc: m.doc, path: join(m.path, name), line: m.line, broken: m.broken}
	if node := m.take(name); node != nil {
		inner = m.doc.mapping(node, inner.path)
	}
	value := read(inner)
	inner.close()
	return value
}

// element is one item of a list, with its path.
type element struct {
	node *yaml.Node
	path string
}

// elements returns the items of the list under the key.
func (m *mapping) elements(name string) []element {
	node := m.take(name)
	if node == nil || m.doc.faulty[node] {
		return nil
	}
	if node.Kind != yaml.SequenceNode {
		m.fail(name, "want a list, got "+kindOf(node))
		return nil
	}
	path := join(m.path, name)
	items := make([]element, len(node.Content))
	for i, child := range node.Content {
		items[i] = element{child, path + "[" + strconv.Itoa(i) + "]"}
	}
	return items
}
