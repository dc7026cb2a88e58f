package policies

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxMembers bounds the members of one object that is read member by member.
// As many again may be surplus ones.
const maxMembers = 500

func appendMember(members []member, m member) []member {
	if len(members) >= 2*maxMembers {
		return members
	}
	return append(members, m)
}

// jsonSplitter reads a text member by member. encoding/json alone would match
// member names without regard to case and keep the last of two equal ones:
// {"status": "off", "Status": "active"} must not be an active client.
type jsonSplitter struct {
	dec     *json.Decoder
	text    []byte
	counted int64 // how far lines have been counted
	line    int
}

// newJSONSplitter reads a text that begins on the given line of its file.
func newJSONSplitter(text []byte, line int) *jsonSplitter {
	return &jsonSplitter{dec: json.NewDecoder(bytes.NewReader(text)), text: text, line: line}
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
	s := newJSONSplitter(data, 1)
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
		if m.value, m.from, err = s.value(); err != nil {
			if isSyntax(err) {
				m.surplus = true
				members = appendMember(members, m)
			}
			return members, fault, err
		}
		switch {
		case names[name]:
			m.surplus = true
			fault = &Fault{Line: m.line, Field: shownName(name), Problem: "stands twice"}
		case len(members) >= maxMembers:
			m.surplus = true
			fault = &Fault{Line: m.line, Problem: fmt.Sprintf("has more than %d members", maxMembers)}
		}
		members = appendMember(members, m)
		names[name] = true
	}
	_, err = s.dec.Token() // the closing brace
	return members, fault, err
}

// isSyntax reports an error that is no mere end of the file: `"status": off`
// without quotes is one.
func isSyntax(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax)
}

// value reads the next value and the line on which it begins.
func (s *jsonSplitter) value() (value json.RawMessage, line int, err error) {
	if err := s.dec.Decode(&value); err != nil {
		return nil, 0, err
	}
	return value, s.here() - bytes.Count(value, []byte("\n")), nil
}

// membersOf splits an object of the document. The fault of a value that is none shows
// one: whoever writes "revocation: hard" means something.
func membersOf(value json.RawMessage, such string) ([]member, *Fault) {
	members, fault := splitObject(value, 0)
	if fault != nil && fault.Problem == errNotObject.Error() {
		fault.Problem += ", such as " + such
	}
	return members, fault
}

// splitObject reads a value that is an object on its own and begins on the
// given line. With a fault it returns the members that could be read.
func splitObject(value json.RawMessage, line int) ([]member, *Fault) {
	s := newJSONSplitter(value, line)
	if token, err := s.dec.Token(); err != nil || token != json.Delim('{') {
		return nil, &Fault{Line: line, Problem: errNotObject.Error()}
	}
	members, fault, err := s.object()
	if err != nil {
		return members, &Fault{Line: line, Problem: errNotObject.Error()}
	}
	return members, fault
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
// or batch: how they came together says nothing about them).
//
// None of the resources is good in a Bundle with a fault.
func appendBundle(out []rawDocument, bundle rawDocument) ([]rawDocument, error) {
	if bundle.fault != nil {
		before := len(out)
		problem := fmt.Sprintf("a Bundle in which %s %s", cmp.Or(bundle.fault.Field, "an object"), bundle.fault.Problem)
		bundle.fault = nil
		out, _ = appendBundle(out, bundle)
		for i := before; i < len(out); i++ {
			out[i].fault = cmp.Or(out[i].fault, &Fault{Line: out[i].line, Problem: "it stands in " + problem})
		}
		return out, errors.New(problem)
	}
	for _, m := range bundle.members {
		if m.name != "entry" {
			continue
		}
		s := newJSONSplitter(m.value, m.from)
		if opening, err := s.dec.Token(); err != nil || opening != json.Delim('[') {
			return out, errors.New("the entry of a Bundle is not a list")
		}
		for s.dec.More() {
			value, line, err := s.value()
			if err != nil {
				return out, err
			}
			out = append(out, resourceOf(value, line))
		}
	}
	return out, nil
}

// resourceOf reads the document in an entry of a Bundle.
func resourceOf(entry json.RawMessage, line int) rawDocument {
	members, fault := splitObject(entry, line)
	for _, m := range members {
		if m.name != "resource" {
			continue
		}
		inner, innerFault := splitObject(m.value, m.from)
		return rawDocument{line: m.from, members: inner, fault: cmp.Or(fault, innerFault)}
	}
	if fault == nil {
		fault = &Fault{Line: line, Field: "resource", Problem: "is missing in the entry of the Bundle"}
	}
	return rawDocument{line: line, fault: fault}
}
