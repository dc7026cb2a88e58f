package integration_test

import (
	"os"
	"strings"
	"testing"
)

// TestConformance goes through docs/conformance.md by number. A number that holds
// is shown, most of them over the wire; of the others the page says why, and the
// test says it too.
func TestConformance(t *testing.T) {
	realEnvoy(t)
	s := openStand(t)
	for _, section := range []struct {
		name string
		show func(*testing.T, *stand)
	}{
		{"A client authentication by TLS", conformanceA},
		{"B certificate-bound tokens", conformanceB},
		{"C token endpoint", conformanceC},
		{"D metadata", conformanceD},
		{"E keys and JWT", conformanceE},
		{"F access-token profile", conformanceF},
		{"G bearer use", conformanceG},
		{"H client-certificate headers", conformanceH},
		{"I introspection and revocation", conformanceI},
		{"J FAPI 2.0", conformanceJ},
	} {
		t.Run(section.name, func(t *testing.T) { section.show(t, s) })
	}
}

// The results that docs/conformance.md knows.
const (
	resultHolds     = "holds"
	resultOtherwise = "chosen otherwise"
	resultNone      = "does not apply"
)

// holds runs what shows a number, named "A1 what is so".
func holds(t *testing.T, name string, show func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		expectRow(t, name, resultHolds)
		show(t)
	})
}

// otherwise runs what shows that something else was chosen, and says why.
func otherwise(t *testing.T, name string, show func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Log(resultOtherwise + ": " + expectRow(t, name, resultOtherwise))
		show(t)
	})
}

// without says why a number does not apply, and shows as much of that as there is.
func without(t *testing.T, name string, show func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Log(resultNone + ": " + expectRow(t, name, resultNone))
		show(t)
	})
}

// expectRow holds the page to the test, and returns the row's last cell.
func expectRow(t *testing.T, name, result string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	number, _, _ := strings.Cut(name, " ")
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if strings.TrimSpace(cells[0]) != number {
			continue
		}
		if got := strings.TrimSpace(cells[len(cells)-2]); got != result {
			t.Errorf("docs/conformance.md says that %s %s, and the test that it %s", number, got, result)
		}
		if result == resultHolds && !strings.Contains(line, "`"+name+"`") {
			t.Errorf("docs/conformance.md does not name %q", name)
		}
		return strings.TrimSpace(cells[len(cells)-1])
	}
	t.Fatalf("docs/conformance.md has no row for %s", number)
	return ""
}
