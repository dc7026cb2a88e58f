package policies

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxMembers bounds the members of one object that is read member by member.
const maxMembers = 500

// jsonSplitter reads a text member by member. encoding/json alone would match
// member names without regard to case and keep the last of two equal ones:
// {"status": "off", "Status": "active"} must not be an active client.
type jsonSplitter struct {
	dec     *json.Decoder
	text    []byte
	counted int64 // how far lines have been counted
	line    int
}

func newJSONSplitter(text []byte) *jsonSplitter {
	return &jsonSplitter{dec: json.NewDecoder(bytes.NewReader(text)), text: text, line: 1}
}

// here returns the line up to which the decoder has read.
func (s *jsonSplitter) here() int {
	to := s.dec.InputOffset()
	s.line += bytes.Count(s.text[s.counted:to], []byte("\n"))
	s.counted = to
	return s.line
}

// splitJSON returns the documents of a file, and with a broken file those
// before the break; the last of them is then as far as it could be read.
func splitJSON(file string, data []byte) ([]rawDocument, error) {
	s := newJSONSplitter(data)
	var out []rawDocument
	for {
		token, err := s.dec.Token()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, s.fault(file, err)
		}
		if token == json.Delim('[') {
			out, err = s.array(out)
		} else {
			out, err = s.document(out, token)
		}
		if err != nil {
			return out, s.fault(file, err)
		}
	}
}

func (s *jsonSplitter) fault(file string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file ends within a document")
	}
	return &Fault{File: file, Line: s.here(), Problem: "not JSON: " + withoutInput(err)}
}

// withoutInput keeps an error's words and drops what it quotes of the input.
func withoutInput(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("syntax error at byte %d", syntax.Offset)
	}
	return err.Error()
}

func (s *jsonSplitter) array(out []rawDocument) ([]rawDocument, error) {
	for s.dec.More() {
		token, err := s.dec.Token()
		if err != nil {
			return out, err
		}
		if out, err = s.document(out, token); err != nil {
			return out, err
		}
	}
	_, err := s.dec.Token() // the closing bracket
	return out, err
}

// document reads what follows an opening brace and appends it, or, of a
// Bundle, the resources in it.
func (s *jsonSplitter) document(out []rawDocument, opening json.Token) ([]rawDocument, error) {
	if opening != json.Delim('{') {
		return out, errNotObject
	}
	raw := rawDocument{line: s.here()}
	var err error
	raw.members, raw.fault, err = s.object()
	if err == nil && isBundle(raw.members) {
		return appendBundle(out, raw)
	}
	if err != nil && raw.fault == nil {
		raw.fault = &Fault{Line: s.here(), Problem: "the document is broken off by the file's syntax error"}
	}
	return append(out, raw), err
}

// object reads members up to the closing brace. A repeated member is a fault
// of the document, not of the file: reading goes on.
func (s *jsonSplitter) object() (members []member, fault *Fault, err error) {
	names := make(map[string]bool)
	for s.dec.More() {
		token, err := s.dec.Token()
		if err != nil {
			return members, fault, err
		}
		name, _ := token.(string)
		m := member{name: name, line: s.here()}
		if err := s.dec.Decode(&m.value); err != nil {
			return members, fault, err
		}
		switch {
		case names[name]:
			fault = &Fault{Line: m.line, Field: name, Problem: "stands twice"}
		case len(members) == maxMembers:
			fault = &Fault{Line: m.line, Problem: fmt.Sprintf("has more than %d members", maxMembers)}
		default:
			members = append(members, m)
		}
		names[name] = true
	}
	_, err = s.dec.Token() // the closing brace
	return members, fault, err
}

// splitObject reads a value that is an object on its own.
func splitObject(value json.RawMessage) ([]member, error) {
	s := newJSONSplitter(value)
	if token, err := s.dec.Token(); err != nil || token != json.Delim('{') {
		return nil, errNotObject
	}
	members, fault, err := s.object()
	if err != nil {
		return nil, err
	}
	if fault != nil {
		return nil, fault
	}
	return members, nil
}

func isBundle(members []member) bool {
	for _, m := range members {
		if m.name == "resourceType" {
			return expectText(m.value, "Bundle") == nil
		}
	}
	return false
}

// appendBundle takes entry[].resource of a FHIR Bundle (searchset, collection
// or batch: how they came together says nothing about them). Lines are those
// of the Bundle.
func appendBundle(out []rawDocument, bundle rawDocument) ([]rawDocument, error) {
	for _, m := range bundle.members {
		if m.name != "entry" {
			continue
		}
		var entries []struct {
			Resource json.RawMessage `json:"resource"`
		}
		if json.Unmarshal(m.value, &entries) != nil {
			return out, errors.New("the entry of a Bundle is not a list")
		}
		for _, entry := range entries {
			raw := rawDocument{line: m.line}
			var err error
			if raw.members, err = splitObject(entry.Resource); err != nil {
				raw.fault = &Fault{Line: m.line, Problem: "the resource of a Bundle's entry: " + err.Error()}
			}
			for i := range raw.members {
				raw.members[i].line += m.line - 1
			}
			out = append(out, raw)
		}
	}
	return out, nil
}
