package docs_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/certbearer/certbearer/"

// imports returns what each package of the module imports of it, tests aside.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", "./...")
	command.Dir = root
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var listed struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		var ours []string
		for _, imported := range listed.Imports {
			if name, found := strings.CutPrefix(imported, module); found {
				ours = append(ours, name)
			}
		}
		all[strings.TrimPrefix(listed.ImportPath, module)] = ours
	}
}

// mayImport is the table of CONTRIBUTING.
func mayImport(t *testing.T) map[string][]string {
	t.Helper()
	may := make(map[string][]string)
	for _, cells := range rows(section(t, read(t, "CONTRIBUTING.md"), "## Layout")) {
		_, name, _ := strings.Cut(strings.TrimSuffix(cells[0], ")"), "](")
		may[name] = strings.Split(cells[2], ", ")
	}
	return may
}

// beyond is what the table has beyond the design that we set out with, and why
// that is sound. All of it is below what the importer has already.
var beyond = map[string]map[string]string{
	"extauthz/authn": {
		"truststore": "policies takes the presented chain as a truststore.Chain",
		"revocation": "policies takes what is known of revocations as a revocation.View",
	},
	"extauthz/wire": {"decision": "a malformed check is a Denial"},
	"extauthz": {
		"decision":    "every step's error is a Denial",
		"peercert":    "authn takes what was presented as a peercert.Presented",
		"oauthanswer": "gateway and endpoints answer by one table of reasons (docs/decisions/0013)",
	},
	"extauthz/tokenendpoint": {
		"peercert": "authn takes what was presented as a peercert.Presented",
		"policies": "authn gives the client as a policies.Client",
		"decision": "every step's error is a Denial",
	},
}

func TestWhatWasAddedToTheTableOfCONTRIBUTINGIsStillNeeded(t *testing.T) {
	all, may := imports(t), mayImport(t)
	for name, added := range beyond {
		for imported, why := range added {
			needed := slices.ContainsFunc(all[name], func(ours string) bool { return path.Base(ours) == imported })
			if !needed || !slices.Contains(may[name], imported) {
				t.Errorf("%s is no longer in the table with %s, or no longer imports it (%s)", name, imported, why)
			}
		}
	}
}

func TestEveryPackageIsInTheTableOfCONTRIBUTINGAndImportsNoMore(t *testing.T) {
	all, may := imports(t), mayImport(t)
	for name := range may {
		if _, exists := all[name]; !exists {
			t.Errorf("the table has %s, which is no package", name)
		}
	}
	for name, ours := range all {
		allowed, listed := may[name]
		if strings.HasPrefix(name, "integration/") { // what its tests run
			allowed, listed = may["integration"]
		}
		if !listed {
			t.Errorf("the table lacks %s", name)
		}
		for _, imported := range ours {
			if !slices.Contains(allowed, "all") && !slices.Contains(allowed, path.Base(imported)) {
				t.Errorf("%s imports %s, and the table says %v", name, imported, allowed)
			}
		}
	}
}
