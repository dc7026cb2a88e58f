package docs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

// aCA is a certificate to stand in the examples of the pages.
func aCA(t *testing.T) string {
	t.Helper()
	issued, err := testca.SelfSigned(testca.Template{CommonName: "Example CA", CA: true})
	if err != nil {
		t.Fatal(err)
	}
	return string(issued.PEM())
}

// withPEM puts a whole certificate where an example has one with an ellipsis.
// Indented PEM stays indented; in JSON the line breaks are escaped.
func withPEM(t *testing.T, example string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(aCA(t)), "\n")
	body := lines[1 : len(lines)-1]
	begin, rest, found := strings.Cut(example, "…")
	if !found {
		t.Fatalf("no ellipsis in the example\n%s", example)
	}
	between := `\n`
	if !strings.HasSuffix(begin, between) {
		between = begin[strings.LastIndex(begin, "\n"):]
	}
	return begin + strings.Join(body, between) + rest
}

func TestTheDocumentsInThePageLoad(t *testing.T) {
	text := read(t, "docs/client-documents.md")
	for language, want := range map[string]string{
		"json": "lab-partner active: 1 pins, 1 anchors, bound by none, scope [], audience []",
		"yaml": "payer active: 0 pins, 1 anchors, bound by sanDns, scope [orders.read orders.write], audience [https://orders.example]",
	} {
		t.Run(language, func(t *testing.T) {
			blocks := fenced(text, language)
			if len(blocks) != 1 {
				t.Fatalf("%d examples", len(blocks))
			}
			documents, err := policies.ParseFile("example."+language, []byte(withPEM(t, blocks[0])))
			if err != nil || len(documents) != 1 {
				t.Fatalf("%d documents: %v", len(documents), err)
			}
			if documents[0].Fault != nil {
				t.Fatal(documents[0].Fault)
			}
			c := documents[0].Client
			got := fmt.Sprintf("%s %s: %d pins, %d anchors, bound by %s, scope %v, audience %v",
				c.ID(), c.Status(), len(c.Pins()), len(c.Anchors()), c.Binding().Kind, c.Scope(), c.Audience())
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// documented returns the fields of the page: those of the table, and those that
// are accepted and not looked at.
func documented(t *testing.T) []string {
	t.Helper()
	fields := section(t, read(t, "docs/client-documents.md"), "## Fields")
	names := firstCells(fields)
	_, foreign, found := strings.Cut(fields, "\nAccepted and not looked at,")
	if !found {
		t.Fatal("the page does not say what is accepted and not looked at")
	}
	foreign, _, _ = strings.Cut(foreign, "\n\n")
	return append(names, spans(foreign)...)
}

func TestThePageNamesEveryFieldThatTheReaderKnows(t *testing.T) {
	known := map[string]bool{}
	for _, place := range []struct{ file, function string }{{"policies/reader.go", "read"}, {"policies/medplum.go", "readForeign"}} {
		reader := function(source(t, place.file), place.function)
		if reader == nil {
			t.Fatalf("%s has no %s", place.file, place.function)
		}
		for _, name := range caseTexts(reader) {
			known[name] = true
		}
	}
	delete(known, "rules") // refused, and the page says so
	want := slices.Sorted(maps.Keys(known))
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(documented(t)))); diff != "" {
		t.Errorf("(-code +docs/client-documents.md)\n%s", diff)
	}
}

// A value that no field takes shows whether the field itself is known.
func TestEveryFieldOfThePageIsAFieldAndNoOtherIs(t *testing.T) {
	problem := func(field string) string {
		text, err := json.Marshal(map[string]any{field: 12345})
		if err != nil {
			t.Fatal(err)
		}
		documents, err := policies.ParseFile("a.json", text)
		if err != nil || len(documents) != 1 || documents[0].Fault == nil {
			t.Fatalf("%s: a number was taken", field)
		}
		return documents[0].Fault.Problem
	}
	unknown := problem("statsu")
	for _, field := range documented(t) {
		if problem(field) == unknown {
			t.Errorf("%s: %s", field, unknown)
		}
	}
	if p := problem("rules"); p == unknown || !strings.Contains(p, "not available") {
		t.Errorf("rules: %s", p)
	}
}
