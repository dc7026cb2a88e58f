package policies

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Draft is a document that can be read with other values of its fields, to see
// what would be if they stood there. It is immutable.
type Draft struct {
	file   string
	number int
	alone  bool
	raw    rawDocument
	values map[string]json.RawMessage
}

// DraftOf returns a document of a file, counted from 1, as [ParseFile] reads it. The
// error says that there is no such document.
func DraftOf(name string, data []byte, number int) (Draft, error) {
	raws, err := splitFile(name, data)
	if number < 1 || number > len(raws) {
		return Draft{}, fmt.Errorf("%s: has no document %d", name, number)
	}
	raw := raws[number-1]
	return Draft{file: name, number: number, alone: len(raws) == 1 && (err == nil || raw.fault != nil), raw: raw}, nil
}

// With returns the draft with the field set to a JSON value, or, with nil, without
// the field.
func (d Draft) With(field string, value json.RawMessage) Draft {
	values := maps.Clone(d.values)
	if values == nil {
		values = make(map[string]json.RawMessage)
	}
	values[field] = value
	d.values = values
	return d
}

// Document reads the draft. A value that is no good is a fault of the Document, as
// it would be one of the file.
func (d Draft) Document() Document {
	raw := d.raw
	raw.members = slices.DeleteFunc(slices.Clone(raw.members), func(m member) bool {
		_, changed := d.values[m.name]
		return changed && !m.surplus
	})
	for _, name := range slices.Sorted(maps.Keys(d.values)) {
		if value := d.values[name]; value != nil {
			raw.members = append(raw.members, member{name: name, line: raw.line, from: raw.line, value: value})
		}
	}
	return parseDocument(d.file, d.number, d.alone, raw)
}
