package policies_test

import (
	"strings"
	"testing"

	"github.com/certbearer/certbearer/policies"
)

// marker stands for a secret: the fuzzer puts it where it likes. It has a
// character that neither a client_id nor a field's name has.
const marker = "Xk9_s3cret"

func FuzzParseFileJSON(f *testing.F) {
	for _, text := range []string{
		`{"resourceType":"ClientApplication","secret":"` + marker + `"}`,
		`[{"resourceType":"ClientApplication","id":"a"},{"id":"` + marker + `"}]`,
		`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"ClientApplication","id":"a","` + marker + `":1}}]}`,
		`{"resourceType":"ClientApplication","tlsClientAuth":{"subjectDn":"CN=` + marker + `"},"scope":["` + marker + ` x"]}`,
		`{"status":"off","Status":"active"}`, `{"accessTokenLifetime":"99999999999999999999y"}`, `{"a":1,"a":2}`, `{"a" ` + marker, "[[", "",
		`{"resourceType":"ClientApplication","certificateTrustStore":"-----BEGIN CERTIFICATE-----\n` + marker + `\n-----END CERTIFICATE-----"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkParsed(t, "f.json", text) })
}

func FuzzParseFileYAML(f *testing.F) {
	for _, text := range []string{
		"resourceType: ClientApplication\nstatus: off\nsecret: " + marker + "\n",
		"resourceType: ClientApplication\nid: a\n---\nid: b\n", "secret: *" + marker, "secret: !" + marker + " x", "a: &a [*a]", "<<: {a: b}",
		"? [a]\n: b", "name: |\n  x\n y", "- " + marker, "%YAML 1.1\n---\n", "a: {b: {c: 1e400}}", "secret: !!int " + marker, "a: !!binary x", "\xef\xbb\xbfa: b",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkParsed(t, "f.yaml", text) })
}

func checkParsed(t *testing.T, file string, text []byte) {
	documents, err := policies.ParseFile(file, text)
	if err != nil && strings.Contains(err.Error(), marker) {
		t.Errorf("shown: %v", err)
	}
	for _, d := range documents {
		switch {
		case (d.Client == nil) != (d.Fault != nil) || (d.Remnant == nil) != (d.Fault == nil):
			t.Errorf("client %v, remnant %v and fault %v", d.Client, d.Remnant, d.Fault)
		case d.Remnant != nil && (d.Remnant.Status() == policies.StatusActive || !d.Remnant.IsRemnant()):
			t.Errorf("a remnant that is %s", d.Remnant.Status())
		case d.Fault != nil && (strings.Contains(d.Fault.Error(), marker) || strings.Contains(d.Fault.Error(), "\n")):
			t.Errorf("shown: %v", d.Fault)
		case d.Client != nil && (!policies.ValidID(d.Client.ID()) || d.ID != d.Client.ID() || d.Client.Status() != d.Status):
			t.Errorf("client %q, document %q", d.Client.ID(), d.ID)
		case d.ID != "" && !policies.ValidID(d.ID):
			t.Errorf("the id %q is none", d.ID)
		}
		for _, w := range d.Warnings {
			if strings.Contains(w.Error(), marker) {
				t.Errorf("shown: %v", &w)
			}
		}
	}
}
