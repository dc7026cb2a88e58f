package docs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/policies/decision"
)

// Whoever is called at night finds the reason that the record has.
func TestTheRunbookSaysWhatToDoAboutEveryReason(t *testing.T) {
	want := make(map[string]int)
	for _, reason := range decision.Reasons() {
		want[reason.String()] = 1
	}
	got := make(map[string]int)
	for _, cells := range rows(read(t, "docs/runbook.md")) {
		reason := strings.Trim(cells[0], "`")
		got[reason]++
		if len(cells) != 4 {
			t.Errorf("the row of %s has %d cells", reason, len(cells))
		}
		for _, cell := range cells {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("the row of %s has an empty cell", reason)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows of each reason (-code +docs/runbook.md)\n%s", diff)
	}
}
