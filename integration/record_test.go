package integration_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// record is an audit record as far as tests look at it.
type record struct {
	RequestID  string `json:"request_id"`
	Decision   string `json:"decision"`
	Mode       string `json:"mode"`
	Proxy      string `json:"proxy"`
	Evidence   string `json:"evidence"`
	Reason     string `json:"reason"`
	Detail     string `json:"detail"`
	Revocation string `json:"revocation"`
	Client     string `json:"client"`
	Route      string `json:"route"`
	Path       string `json:"path"`
	Thumbprint string `json:"thumbprint"`
	Subject    string `json:"subject"`
	TokenID    string `json:"token_id"`
	Cached     bool   `json:"token_cached"`
}

// record waits for the audit record of a request and returns it.
func (w *world) record(t *testing.T, id string) record {
	t.Helper()
	if id == "" {
		t.Fatal("the answer has no x-request-id, so certbearer was not asked")
	}
	var found []record
	eventually(t, "an audit record has the request id "+id, func() bool {
		found = w.recordsOf(t, id)
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%d audit records have the request id %s", len(found), id)
	}
	return found[0]
}

func (w *world) recordsOf(t *testing.T, id string) []record {
	t.Helper()
	var found []record
	for _, r := range w.records(t) {
		if r.RequestID == id {
			found = append(found, r)
		}
	}
	return found
}

func (w *world) records(t *testing.T) []record {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.folder, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []record
	for line := range bytes.Lines(text) {
		var r record
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("audit record %q: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}
