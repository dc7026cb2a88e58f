package peercert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/certbearer/certbearer/policies/decision"
)

// isJSON tells the form of a header value: Envoy begins JSON with "[", with
// which no element of text can begin.
func isJSON(value string) bool { return strings.HasPrefix(value, "[") }

// isList reports whether Envoy writes an array of strings under the key, and not
// one string.
func (k key) isList() bool {
	return k == keyBy || k == keyChain || k == keyURI || k == keyDNS
}

// jsonReader reads what Envoy 1.40 and newer write with format: JSON, such as
//
//	[{"by":["spiffe://mesh/ingress"],"hash":"…","cert":"-----BEGIN…","chain":["…","…"],"uri":["…"]}]
//
// It goes by token and not by struct: encoding/json would take keys in any case,
// the last of two that are equal, and null for anything. Nothing is nested deeper
// than this, so no deeper level is ever entered.
type jsonReader struct {
	decoder *json.Decoder
}

// parseJSON reads the elements of one header value, to its end.
func parseJSON(value string, before int) ([]element, error) {
	if !utf8.ValidString(value) { // the decoder would mend it
		return nil, decision.Denyf(decision.XFCCMalformed, xfccHeader, "JSON that is not UTF-8")
	}
	r := jsonReader{json.NewDecoder(strings.NewReader(value))}
	if err := r.delimiter('['); err != nil {
		return nil, decision.Deny(decision.XFCCMalformed, xfccHeader, err)
	}
	var elements []element
	for r.decoder.More() {
		if before+len(elements) == MaxElements {
			return nil, tooManyElements()
		}
		e := element{position: before + len(elements) + 1, json: true}
		if err := r.element(&e); err != nil {
			return nil, err
		}
		elements = append(elements, e)
	}
	if err := r.delimiter(']'); err != nil {
		return nil, decision.Deny(decision.XFCCMalformed, xfccHeader, err)
	}
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, decision.Denyf(decision.XFCCMalformed, xfccHeader, "something follows the JSON array")
	}
	return elements, nil
}

func (r jsonReader) element(e *element) error {
	where := field{element: e.position}
	if err := r.delimiter('{'); err != nil {
		return malformed(where, err)
	}
	for where.pair = 1; r.decoder.More(); where.pair++ {
		if err := r.member(e, where); err != nil {
			return err
		}
	}
	where.pair = 0
	if err := r.delimiter('}'); err != nil {
		return malformed(where, err)
	}
	return nil
}

// member reads one "key": value of an element, the pair at where.
func (r jsonReader) member(e *element, where field) error {
	name, err := r.text()
	if err != nil {
		return malformed(where, err)
	}
	k, known := jsonKey(name)
	if !known {
		return malformed(where, fmt.Errorf("unknown key %.20q", name))
	}
	if e.has(k) {
		return decision.Denyf(decision.XFCCDuplicateField, where.String(), "%s stands at pair %d already", name, e.found[k])
	}
	texts, err := r.texts(k.isList())
	if err != nil {
		return malformed(where, fmt.Errorf("%s: %w", name, err))
	}
	for _, text := range texts {
		if swallowsText(text) {
			return decision.Denyf(decision.XFCCAmbiguousSAN, where.String(), "%s holds an element of the text form", name)
		}
	}
	e.found[k] = where.pair
	switch k {
	case keyChain:
		e.chainBlocks = texts
	case keyCert, keyHash:
		e.values[k] = texts[0]
	}
	return nil
}

// swallowsText reports a string in which an element of the text form has ended.
//
// Envoy appends text to a header that does not both begin with "[" and end with
// "]". A caller could leave a string open at the end of what it sends, and where
// the proxy writes neither Cert nor Subject, and so no quote, close it in a name
// of its certificate:
//
//	[{"cert":"(of somebody else)","subject":"
//	,Hash=(the client's);URI="}]
//
// Every element has a Hash, first or behind By.
func swallowsText(text string) bool {
	return strings.Contains(text, ",Hash=") || strings.Contains(text, ";Hash=")
}

// jsonKey takes the names as Envoy writes them, in lower case.
func jsonKey(name string) (key, bool) {
	for k, lower := range lowerKeys {
		if name == lower {
			return key(k), true
		}
	}
	return 0, false
}

// texts reads a string, or the strings of an array.
func (r jsonReader) texts(list bool) ([]string, error) {
	if !list {
		text, err := r.text()
		return []string{text}, err
	}
	if err := r.delimiter('['); err != nil {
		return nil, err
	}
	var texts []string
	for r.decoder.More() {
		text, err := r.text()
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, r.delimiter(']')
}

func (r jsonReader) text() (string, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return "", badJSON(err)
	}
	text, ok := token.(string)
	if !ok {
		return "", errors.New("something else where a string belongs")
	}
	return text, nil
}

// badJSON cuts the decoder's error: it quotes a number, however long.
func badJSON(err error) error { return fmt.Errorf("JSON: %.100s", err.Error()) }

func (r jsonReader) delimiter(want json.Delim) error {
	token, err := r.decoder.Token()
	if err != nil {
		return badJSON(err)
	}
	if token != want {
		return fmt.Errorf("something else where %q belongs", want.String())
	}
	return nil
}
