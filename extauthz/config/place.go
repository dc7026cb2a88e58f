package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// At returns the fault of one field of a file that was loaded, found by somebody
// who uses its value. It reads the file once more for the line: that of the
// value, or else of the mapping in which it is missing.
func At(file, field, problem string) *Error {
	fault := &Error{File: file, Field: field, Problem: problem}
	data, err := readBounded(file)
	if err != nil || len(data) > MaxSize {
		return fault // without its line
	}
	doc := &document{file: file}
	if node := doc.decode(data); node != nil {
		fault.Line = placeOf(node, field)
	}
	return fault
}

// placeOf follows a dotted path as far as it goes; 0 if it does not begin.
func placeOf(node *yaml.Node, field string) int {
	line := 0
	for _, name := range strings.Split(strings.ReplaceAll(field, "[", ".["), ".") {
		if node = child(node, name); node == nil {
			break
		}
		line = node.Line
	}
	return line
}

// child returns the value of a key, or the item of a list for "[2]".
func child(node *yaml.Node, name string) *yaml.Node {
	if number, found := strings.CutPrefix(name, "["); found {
		i, err := strconv.Atoi(strings.TrimSuffix(number, "]"))
		if err != nil || node.Kind != yaml.SequenceNode || i < 0 || i >= len(node.Content) {
			return nil
		}
		return node.Content[i]
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i+1]
		}
	}
	return nil
}
