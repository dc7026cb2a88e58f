package docs_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/oauthanswer"
	"github.com/certbearer/certbearer/policies/decision"
)

// answered is what a caller gets for a reason.
type answered struct{ Status, Error string }

func TestEveryReasonHasARowWithTheAnswerThatTheCodeGives(t *testing.T) {
	want := answers()
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

// answers is the one table of reasons.
func answers() map[string]answered {
	out := make(map[string]answered)
	for _, reason := range decision.Reasons() {
		a, _ := oauthanswer.Of(reason)
		out[reason.String()] = answered{strconv.Itoa(a.Status), a.Error}
		if reason.Allows() {
			out[reason.String()] = answered{"-", "-"}
		}
	}
	return out
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
