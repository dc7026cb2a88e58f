package docs_test

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/policies/decision"
)

// answered is what a caller gets for a reason.
type answered struct{ Status, Error string }

func TestEveryReasonHasARowWithTheAnswerThatTheCodeGives(t *testing.T) {
	want := answers(t)
	got := make(map[string]answered)
	for _, cells := range rows(read(t, "docs/reasons.md")) {
		reason := strings.Trim(cells[0], "`")
		if len(cells) != 5 || cells[3] == "" || cells[4] == "" {
			t.Errorf("the row of %s has %d cells, or an empty one", reason, len(cells))
			continue
		}
		if _, twice := got[reason]; twice {
			t.Errorf("%s has two rows", reason)
		}
		got[reason] = answered{Status: cells[1], Error: cells[2]}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-code +docs/reasons.md)\n%s", diff)
	}
}

// answers reads the one table of reasons where it stands, for nothing exports
// it: which reasons have which class, and what the classes are.
func answers(t *testing.T) map[string]answered {
	t.Helper()
	file := source(t, "extauthz/answers.go")
	table := function(file, "answerTo")
	if table == nil {
		t.Fatal("extauthz/answers.go has no answerTo")
	}
	classes, texts := values(file), reasonTexts(t)
	out := make(map[string]answered)
	ast.Inspect(table, func(node ast.Node) bool {
		clause, ok := node.(*ast.CaseClause)
		if !ok {
			return true
		}
		class := clause.Body[len(clause.Body)-1].(*ast.ReturnStmt).Results[0].(*ast.Ident).Name
		for _, reason := range clause.List {
			text := texts[reason.(*ast.SelectorExpr).Sel.Name]
			out[text] = classOf(t, classes[class])
		}
		return true
	})
	for _, reason := range decision.Reasons() {
		if _, listed := out[reason.String()]; !listed {
			t.Errorf("extauthz/answers.go has no row for %s", reason)
		}
		if reason.Allows() {
			out[reason.String()] = answered{"-", "-"}
		}
	}
	return out
}

// classOf reads answer{wire.Unauthorized, "invalid_client", …}.
func classOf(t *testing.T, value ast.Expr) answered {
	t.Helper()
	fields := value.(*ast.CompositeLit).Elts
	name := fields[0].(*ast.SelectorExpr).Sel.Name
	status, known := map[string]int{"BadRequest": 400, "Unauthorized": 401, "Forbidden": 403, "ServiceUnavailable": 503}[name]
	code, text := literal(fields[1])
	if !known || !text {
		t.Fatalf("the class with the status %s cannot be read", name)
	}
	return answered{strconv.Itoa(status), code}
}

// reasonTexts returns the texts by the names of the constants.
func reasonTexts(t *testing.T) map[string]string {
	t.Helper()
	list, ok := values(source(t, "policies/decision/reason.go"))["reasonTexts"].(*ast.CompositeLit)
	if !ok {
		t.Fatal("policies/decision/reason.go has no reasonTexts")
	}
	out := make(map[string]string)
	for _, element := range list.Elts {
		pair := element.(*ast.KeyValueExpr)
		out[pair.Key.(*ast.Ident).Name], _ = literal(pair.Value)
	}
	return out
}

func TestTheStatusesThatTheReasonsTestCountsOnAreThoseOfTheWire(t *testing.T) {
	for status, want := range statuses() {
		if got := status.HTTP(); got != want {
			t.Errorf("%d is %d", want, got)
		}
	}
}

func TestEveryStepNamesReasonsThatExistAndEveryReasonHasAStep(t *testing.T) {
	known := make(map[string]bool)
	for _, reason := range decision.Reasons() {
		known[reason.String()] = false
	}
	for _, step := range steps(t) {
		named := step.reasons(t)
		for _, reason := range named {
			if _, exists := known[reason]; !exists {
				t.Errorf("%s names %s, which is no reason", step.title, reason)
			}
			known[reason] = true
		}
		if sorted := slices.Compact(slices.Sorted(slices.Values(named))); len(sorted) != len(named) {
			t.Errorf("%s names a reason twice", step.title)
		}
	}
	for reason, named := range known {
		if !named {
			t.Errorf("no step of docs/request-path.md names %s", reason)
		}
	}
}
