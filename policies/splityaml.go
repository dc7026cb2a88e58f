package policies

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxYAMLBytes is less than MaxFileBytes: a tree of YAML nodes takes many times
// its text.
const maxYAMLBytes = 16 << 20

// maxYAMLDepth bounds how deep values nest.
const maxYAMLDepth = 50

// splitYAML returns the documents of a file. It works on nodes, not on decoded
// values: there a plain `off` is still the text off, as a status must be, and
// every member has its line. Aliases and merge keys are refused: they make a
// small text large, and a reviewer sees something else than we do.
func splitYAML(file string, data []byte) ([]rawDocument, error) {
	if len(data) > maxYAMLBytes {
		return nil, &Fault{File: file, Problem: fmt.Sprintf("the file has more than %d bytes: split it, or write it as JSON", maxYAMLBytes)}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var out []rawDocument
	var last *yaml.Node
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			if last == nil || bytes.HasSuffix(data, []byte("\n")) {
				return out, nil
			}
			line := 1 + bytes.Count(data, []byte("\n"))
			out[len(out)-1] = cutDocument(last, line)
			return out, &Fault{File: file, Line: line, Problem: "the last line does not end, so the file may be cut short"}
		}
		if err != nil {
			return out, yamlFault(file, err)
		}
		if len(node.Content) == 0 || isNull(node.Content[0]) {
			continue // nothing but comments between two separators
		}
		last = node.Content[0]
		out = append(out, yamlDocument(last))
	}
}

// cutDocument reads the last document of a file of which the last line may be
// cut short. What stands there may be the beginning of an id, or of active.
func cutDocument(node *yaml.Node, line int) rawDocument {
	raw := yamlDocument(node)
	if raw.fault == nil {
		raw.fault = &Fault{Line: line, Problem: "the document is broken off: the last line of the file does not end"}
	}
	if node.Style&yaml.FlowStyle == 0 { // which ends with a bracket
		raw.members = slices.DeleteFunc(raw.members, func(m member) bool {
			return m.from == line && (m.name == "id" || m.name == "status" && beginsActive(m.value))
		})
	}
	return raw
}

func beginsActive(value json.RawMessage) bool {
	var code string
	return string(value) == "null" || readText(value, &code) == nil && strings.HasPrefix("active", code)
}

// yamlFault keeps the words of a syntax error and its line. One of the errors
// quotes the input: a plain value that begins with an asterisk, which is an
// alias to YAML and may have been meant as a secret.
func yamlFault(file string, err error) *Fault {
	problem := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.HasPrefix(problem, "unknown anchor") {
		problem = "an alias without an anchor: a value that begins with * stands in quotes"
	}
	return &Fault{File: file, Problem: "not YAML: " + problem}
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" }

func yamlDocument(node *yaml.Node) rawDocument {
	raw := rawDocument{line: node.Line}
	if node.Kind != yaml.MappingNode {
		raw.fault = &Fault{Line: node.Line, Problem: "is not a mapping of fields to values"}
		return raw
	}
	names := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		m := member{name: key.Value, line: key.Line, from: value.Line}
		var err error
		m.value, err = yamlJSON(value, 0)
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
			err = errors.New("is no plain field name")
		case names[m.name]:
			err = errors.New("stands twice")
		case len(raw.members) >= maxMembers:
			err = fmt.Errorf("is one of more than %d fields", maxMembers)
		}
		names[m.name] = true
		if err != nil {
			m.surplus = true
			if raw.fault == nil {
				raw.fault = &Fault{Line: key.Line, Field: shownName(m.name), Problem: err.Error()}
			}
		}
		if key.Kind == yaml.ScalarNode {
			raw.members = appendMember(raw.members, m)
		}
	}
	return raw
}

// yamlJSON writes a node as JSON. Errors never quote a value.
func yamlJSON(node *yaml.Node, depth int) (json.RawMessage, error) {
	if depth > maxYAMLDepth {
		return nil, fmt.Errorf("nests deeper than %d", maxYAMLDepth)
	}
	switch node.Kind {
	case yaml.ScalarNode:
		return scalarJSON(node)
	case yaml.SequenceNode:
		return sequenceJSON(node, depth)
	case yaml.MappingNode:
		return mappingJSON(node, depth)
	}
	return nil, errors.New("is an alias, which documents do not use")
}

func scalarJSON(node *yaml.Node) (json.RawMessage, error) {
	switch node.ShortTag() {
	case "!!bool", "!!null":
		var value any
		if err := node.Decode(&value); err != nil {
			return nil, errors.New("is no YAML scalar")
		}
		return json.Marshal(value)
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) {
			return json.RawMessage(node.Value), nil
		}
		return json.Marshal(node.Value)
	case "!!str", "!!timestamp":
		return json.Marshal(node.Value)
	}
	return nil, errors.New("has a YAML tag that documents do not use: a value that begins with ! stands in quotes")
}

func sequenceJSON(node *yaml.Node, depth int) (json.RawMessage, error) {
	items := make([]json.RawMessage, len(node.Content))
	for i, item := range node.Content {
		var err error
		if items[i], err = yamlJSON(item, depth+1); err != nil {
			return nil, err
		}
	}
	return json.Marshal(items)
}

func mappingJSON(node *yaml.Node, depth int) (json.RawMessage, error) {
	out := []byte{'{'}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			return nil, errors.New("has a key that is no plain field name")
		}
		name, err := json.Marshal(key.Value)
		if err != nil {
			return nil, err
		}
		text, err := yamlJSON(value, depth+1)
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), text...)
	}
	return append(out, '}'), nil
}
