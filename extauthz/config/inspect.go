package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// inspect reports what is wrong with a node whatever it stands for.
func (d *document) inspect(node *yaml.Node, path string, depth int) {
	if d.full() {
		return
	}
	if problem := structureFault(node, depth); problem != "" {
		d.fault(node, path, problem)
		return
	}
	switch node.Kind {
	case yaml.MappingNode:
		d.inspectMapping(node, path, depth)
	case yaml.SequenceNode:
		for i, child := range node.Content {
			d.inspect(child, path+"["+strconv.Itoa(i)+"]", depth+1)
		}
	}
}

// fault reports a node and marks it as reported.
func (d *document) fault(node *yaml.Node, path, problem string) {
	d.faulty[node] = true
	d.fail(node.Line, path, problem)
}

func structureFault(node *yaml.Node, depth int) string {
	switch {
	case depth > maxDepth:
		return "nested too deeply"
	case node.Kind == yaml.AliasNode:
		return starHint
	case node.Anchor != "":
		return "an anchor, which is not accepted; put a value that begins with & in quotes"
	case node.Style&yaml.TaggedStyle != 0:
		return "a tag, which is not accepted; put a value that begins with ! in quotes"
	case node.Kind == yaml.SequenceNode && len(node.Content) > maxItems:
		return fmt.Sprintf("more than %d items", maxItems)
	case len(node.Value) > maxText:
		return fmt.Sprintf("longer than %d bytes", maxText)
	case strings.ContainsFunc(node.Value, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "a line break, tab or other character that cannot be printed"
	}
	return ""
}

// inspectMapping reports keys that are no keys and keys that stand twice, and
// inspects the values.
func (d *document) inspectMapping(node *yaml.Node, path string, depth int) {
	firstLine := make(map[string]int, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if problem := keyFault(key, depth); problem != "" {
			d.fault(key, path, problem)
			continue
		}
		field := join(path, key.Value)
		if line, twice := firstLine[key.Value]; twice {
			d.faulty[key] = true
			d.fail(key.Line, field, fmt.Sprintf("given twice, first on line %d", line))
			continue
		}
		firstLine[key.Value] = key.Line
		d.inspect(value, field, depth+1)
	}
}

func keyFault(key *yaml.Node, depth int) string {
	if problem := structureFault(key, depth+1); problem != "" {
		return "a key is " + problem
	}
	if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
		return "a key is " + kindOf(key) + "; keys are names"
	}
	return ""
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// join extends a dotted path. A key that is no plain name is quoted and cut, so
// that a message stays one readable line.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// quote returns text for a message: in quotes, escaped, 64 bytes of it at most.
func quote(text string) string {
	if len(text) > 64 {
		return strconv.Quote(strings.ToValidUTF8(text[:64], "")) + "…"
	}
	return strconv.Quote(text)
}

// kindOf says what a node is, for "want A, got B".
func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	case "!!merge":
		return "a merge (<<)"
	}
	return "text"
}
