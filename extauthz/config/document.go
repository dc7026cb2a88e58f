package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// maxErrors ends the collecting: a file with more faults is not one that a
	// person corrects by the list.
	maxErrors = 100
	// maxDepth is more than any key needs, and keeps hostile nesting cheap.
	maxDepth = 16
	// maxText bounds one value and one key.
	maxText = 4096
	// maxItems bounds one list.
	maxItems = 1000
)

// document is a file being read: where its values come from and which faults
// were found so far.
type document struct {
	file    string
	baseDir string
	errors  Errors
	// faulty holds the nodes that were reported already, so that a reader does
	// not report them a second time in other words.
	faulty map[*yaml.Node]bool
}

// fail records one fault.
func (d *document) fail(line int, field, problem string) {
	switch {
	case len(d.errors) < maxErrors:
		d.errors = append(d.errors, &Error{File: d.file, Line: line, Field: field, Problem: problem})
	case len(d.errors) == maxErrors:
		last := d.errors[maxErrors-1]
		d.errors = append(d.errors, &Error{File: d.file, Line: last.Line, Problem: "too many faults; the rest is not shown"})
	}
}

// hasFault reports a fault of the field or of one within it.
func (d *document) hasFault(field string) bool {
	return slices.ContainsFunc(d.errors, func(e *Error) bool {
		rest, found := strings.CutPrefix(e.Field, field)
		return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// full reports that further faults would not be shown.
func (d *document) full() bool { return len(d.errors) > maxErrors }

// open checks the bytes and the structure of the file and returns its top
// mapping, or nil after a fault that leaves nothing to read.
func (d *document) open(data []byte) *mapping {
	if len(data) > MaxSize {
		d.fail(0, "", fmt.Sprintf("larger than %d bytes", MaxSize))
		return nil
	}
	if !utf8.Valid(data) {
		d.fail(0, "", "not UTF-8 text")
		return nil
	}
	if d.refusePEMLines(data); len(d.errors) > 0 {
		return nil
	}
	node := d.decode(data)
	if node == nil {
		return nil
	}
	if d.refusePEMValues(node, 0); len(d.errors) > 0 {
		return nil
	}
	d.faulty = make(map[*yaml.Node]bool)
	d.inspect(node, "", 0)
	return d.mapping(node, "")
}

// decode parses the one YAML document of the file. Nodes, and not values: they
// keep lines, and aliases in them are never followed.
func (d *document) decode(data []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		d.fail(1, "", "the file is empty")
		return nil
	case err != nil:
		d.fail(syntaxFault(data, err))
		return nil
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
		return first.Content[0]
	case err != nil:
		d.fail(syntaxFault(data, err))
	default:
		d.fail(second.Line, "", "a second YAML document; the file must hold one")
	}
	return nil
}
