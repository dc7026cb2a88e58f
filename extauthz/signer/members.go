package signer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// The errors of this file say nothing of the input but its form: what stands in
// the wrong place of a key file may be the key.
var (
	errNotObject = errors.New("is not one JSON object")
	errTwice     = errors.New("has a member that stands twice")
)

type object map[string]json.RawMessage

// readObject reads exactly one JSON object. Unlike encoding/json's own mapping
// to a struct it refuses a repeated member and takes names by their exact case,
// so that no two readers can see different keys in one file.
func readObject(data []byte) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, errNotObject
	}
	found := object{}
	for decoder.More() {
		token, err := decoder.Token()
		name, isName := token.(string)
		var value json.RawMessage
		if err != nil || !isName || decoder.Decode(&value) != nil {
			return nil, errNotObject
		}
		if _, twice := found[name]; twice {
			return nil, errTwice
		}
		found[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errNotObject
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errNotObject
	}
	return found, nil
}

// only refuses members that are not in the list. It does not name them.
func (o object) only(known ...string) error {
	for name := range o {
		if !slices.Contains(known, name) {
			return errors.New("has a member other than " + strings.Join(known, ", "))
		}
	}
	return nil
}

// text returns a member that is a JSON string, or "".
func (o object) text(name string) string {
	raw, ok := o[name]
	if !ok {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}
