package docs_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// step is one numbered step of docs/request-path.md.
type step struct{ title, text string }

func steps(t *testing.T) []step {
	t.Helper()
	var out []step
	parts := strings.Split(read(t, "docs/request-path.md"), "\n## ")
	for _, part := range parts[1:] {
		title, text, _ := strings.Cut(part, "\n")
		out = append(out, step{title, text})
	}
	return out
}

// reasons returns those that stand behind the word "Reasons:".
func (s step) reasons(t *testing.T) []string {
	t.Helper()
	_, rest, found := strings.Cut(s.text, "\nReasons: ")
	if !found {
		t.Errorf("%s names no reasons", s.title)
	}
	list, _, _ := strings.Cut(rest, "\n\n")
	return spans(list)
}

var goFile = regexp.MustCompile(`\]\(\.\./([a-z/_]+\.go)\)`)

func TestEveryStepOfTheRequestPathNamesFunctionsThatAreInItsFiles(t *testing.T) {
	all := steps(t)
	if len(all) != 8 {
		t.Fatalf("%d steps", len(all))
	}
	for i, s := range all {
		if !strings.HasPrefix(s.title, fmt.Sprintf("%d. ", i+1)) {
			t.Errorf("step %d is called %q", i+1, s.title)
		}
		files := rows(s.text)
		if len(files) == 0 {
			t.Errorf("%s names no file", s.title)
		}
		for _, cells := range files {
			match := goFile.FindStringSubmatch(cells[0])
			names := spans(cells[1])
			if match == nil || len(names) == 0 {
				t.Errorf("%s: %q names no Go file or no function", s.title, cells)
				continue
			}
			file := source(t, match[1])
			for _, name := range names {
				if function(file, name) == nil {
					t.Errorf("%s: %s has no function %s", s.title, match[1], name)
				}
			}
		}
	}
}
