package docs_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
)

// decisionPage is how a page of a decision begins. A decision that was taken back
// stays, and leads to the one that holds.
var decisionPage = regexp.MustCompile(`\A# (\d{4}): .+\n\nStatus: (in force|superseded by \[\d{4}\]\(\d{4}-[a-z0-9-]+\.md\))\.`)

func TestDecisionsAreNumberedWithoutAGap(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs/decisions/*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	for i, file := range files {
		name, number := filepath.Base(file), fmt.Sprintf("%04d", i+1)
		begins := decisionPage.FindStringSubmatch(read(t, "docs/decisions/"+name))
		if name[:4] != number || begins == nil || begins[1] != number {
			t.Errorf("docs/decisions/%s: must be number %s in its name and its title, with its status below", name, number)
		}
	}
}
