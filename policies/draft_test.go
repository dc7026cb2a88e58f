package policies_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/policies"
)

func TestADraftIsTheDocumentWithOtherValues(t *testing.T) {
	const file = `{"resourceType": "ClientApplication", "id": "a", "status": "off", "audience": ["https://a.example"]}
{"resourceType": "ClientApplication", "id": "b", "scope": ["read"]}
{"resourceType": "ClientApplication", "id": "c", "status": "off", "status": "off"}`
	const yaml = "resourceType: ClientApplication\nstatus: off\naudience: [https://a.example]\n"
	for sentence, c := range map[string]struct {
		name, data string
		number     int
		values     fields
		want       string
	}{
		"nothing changed":                  {"x.json", file, 1, nil, `a off [https://a.example] []`},
		"a field set":                      {"x.json", file, 1, fields{"status": "active"}, `a active [https://a.example] []`},
		"a field that was not":             {"x.json", file, 2, fields{"audience": []string{"https://b.example"}}, `b active [https://b.example] [read]`},
		"a field taken out":                {"x.json", file, 1, fields{"status": nil, "audience": nil}, `a active [] []`},
		"a field that was not out":         {"x.json", file, 2, fields{"audience": nil}, `b active [] [read]`},
		"of YAML, with the id of the file": {"y.yaml", yaml, 1, fields{"status": "active"}, `y active [https://a.example] []`},
		"a value that is no good":          {"x.json", file, 1, fields{"status": "on"}, `x.json:1: document 1 (client a): status: is none of active, off, error`},
		"a document with another fault":    {"x.json", file, 3, fields{"audience": nil}, `x.json:3: document 3 (client c): status: stands twice`},
		"a document that there is not":     {"x.json", file, 4, nil, `x.json: has no document 4`},
		"the one before the first":         {"x.json", file, 0, nil, `x.json: has no document 0`},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(c.want, drafted(c.name, c.data, c.number, c.values)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// drafted is the client of a document with other values, or its fault.
func drafted(name, data string, number int, values fields) string {
	draft, err := policies.DraftOf(name, []byte(data), number)
	if err != nil {
		return err.Error()
	}
	before := said(draft.Document())
	changed := draft
	for field, value := range values {
		var text json.RawMessage
		if value != nil {
			text, _ = json.Marshal(value)
		}
		changed = changed.With(field, text)
	}
	if said(draft.Document()) != before {
		return "the draft itself has changed"
	}
	return said(changed.Document())
}

func said(document policies.Document) string {
	if document.Fault != nil {
		return document.Fault.Error()
	}
	c := document.Client
	return fmt.Sprintf("%s %s %s %s", c.ID(), c.Status(), c.Audience(), c.Scope())
}

func TestTheSameClientsUnderOtherOptions(t *testing.T) {
	root := selfSigned(t, ca("root"))
	issued := issue(t, root, leaf("leaf"))
	s := snapshotOf(t, clients{"a": {"certificateTrustStore": store(root)}, "b": {"certificateTrustStore": store(root), "tlsClientAuth": fields{"subjectDn": "CN=other"}}})
	now := time.Now()
	for sentence, c := range map[string]struct {
		options policies.Options
		want    string
	}{
		"shared anchors refused": {policies.Options{}, "refused: anchor_shared_unbound"},
		"shared anchors allowed": {policies.Options{AllowSharedAnchors: true}, "a by chain"},
		"bindings required":      {policies.Options{RequireBinding: true}, "refused: subject_mismatch"},
	} {
		if got := decide(s.Under(c.options), chainOf(issued), policies.Hint{}, now); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
	if got := decide(s, chainOf(issued), policies.Hint{}, now); got != "refused: anchor_shared_unbound" {
		t.Errorf("the first has changed: %s", got)
	}
}
