package docs_test

import (
	"fmt"
	"go/ast"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// numbers are those of the list, by section.
func numbers() []string {
	var all []string
	for _, section := range []struct {
		letter string
		count  int
	}{{"A", 14}, {"B", 10}, {"C", 15}, {"D", 10}, {"E", 7}, {"F", 8}, {"G", 5}, {"H", 7}, {"I", 6}, {"J", 8}} {
		for i := range section.count {
			all = append(all, fmt.Sprintf("%s%d", section.letter, i+1))
		}
	}
	return all
}

// results are what a test of a number can be called by, and the page's word for it.
var results = map[string]string{"holds": "holds", "otherwise": "chosen otherwise", "without": "does not apply"}

// conformanceTest is one call of holds, otherwise or without.
type conformanceTest struct{ result, name string }

// conformanceTests reads the source of the tests, by number.
func conformanceTests(t *testing.T) map[string]conformanceTest {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "integration", "conformance_*_test.go"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	found := make(map[string]conformanceTest)
	for _, file := range files {
		ast.Inspect(source(t, "integration/"+filepath.Base(file)), func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 {
				return true
			}
			function, ok := call.Fun.(*ast.Ident)
			if !ok || results[function.Name] == "" {
				return true
			}
			name, _ := literal(call.Args[1])
			number, _, _ := strings.Cut(name, " ")
			if _, twice := found[number]; twice || name == "" {
				t.Errorf("%s: %q has no number of its own", file, name)
			}
			found[number] = conformanceTest{results[function.Name], name}
			return true
		})
	}
	return found
}

func TestEveryNumberOfTheListHasOneRowAndOneTestThatAgree(t *testing.T) {
	tests := conformanceTests(t)
	page := read(t, "docs/conformance.md")
	var listed []string
	for _, cells := range rows(page) {
		if len(cells) != 6 {
			t.Errorf("the row of %s has %d cells", cells[0], len(cells))
			continue
		}
		number, result, last := cells[0], cells[4], cells[5]
		listed = append(listed, number)
		test, found := tests[number]
		switch {
		case !found:
			t.Errorf("%s has no test in integration", number)
		case test.result != result:
			t.Errorf("%s: the page says %q, the test %q", number, result, test.result)
		case result == results["holds"] && !strings.HasPrefix(last, "`"+test.name+"`"):
			t.Errorf("%s: the page names %s, the test is %q", number, last, test.name)
		case result != results["holds"] && last == "":
			t.Errorf("%s: the page does not say why", number)
		}
		if !slices.Contains([]string{"M", "S", "O"}, cells[1]) {
			t.Errorf("%s: the level is %q", number, cells[1])
		}
	}
	if diff := cmp.Diff(numbers(), listed); diff != "" {
		t.Errorf("(-list +docs/conformance.md)\n%s", diff)
	}
	if len(tests) != len(numbers()) {
		t.Errorf("there are tests of %d numbers, want %d", len(tests), len(numbers()))
	}
}
