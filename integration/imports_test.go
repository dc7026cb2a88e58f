package integration_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const modulePath = "github.com/certbearer/certbearer"

// goPackage is a package as `go list` has it.
type goPackage struct {
	ImportPath string
	Imports    []string
}

// local is the path within the module, "" for others; the module's root, which
// is no package, has none.
func local(importPath string) string {
	rest, ours := strings.CutPrefix(importPath, modulePath+"/")
	if !ours {
		return ""
	}
	return rest
}

func TestPackagesAreNamedForTheirDuties(t *testing.T) {
	taken := map[string]string{}
	for _, name := range []string{"util", "utils", "common", "helpers", "types", "models", "pkg"} {
		taken[name] = "says nothing"
	}
	for _, p := range listPackages(t, "std") {
		if !strings.Contains(p.ImportPath, "internal") && !strings.HasPrefix(p.ImportPath, "vendor/") {
			taken[path.Base(p.ImportPath)] = "is the standard library's"
		}
	}
	for _, p := range listPackages(t, modulePath+"/...") {
		for part := range strings.SplitSeq(local(p.ImportPath), "/") {
			if why, bad := taken[part]; bad {
				t.Errorf("package %s: the name %s %s", local(p.ImportPath), part, why)
			}
		}
	}
}

func TestOnlyTheCommandReadsTheConfigurationAndNobodyJudgesWithTestCertificates(t *testing.T) {
	importers := map[string][]string{}
	for _, p := range listPackages(t, modulePath+"/...") {
		for _, imported := range p.Imports {
			importers[local(imported)] = append(importers[local(imported)], local(p.ImportPath))
		}
	}
	only := []string{"extauthz/cmd/certbearer"}
	for _, guarded := range []string{"extauthz/config", "extauthz/testca"} {
		if diff := cmp.Diff(only, importers[guarded]); diff != "" {
			t.Errorf("who imports %s (-want +got):\n%s", guarded, diff)
		}
	}
	if len(slices.Collect(maps.Keys(importers))) < 10 {
		t.Error("go list shows hardly any imports: this test looks at nothing")
	}
}

// listPackages runs go list. A package that does not compile is listed too.
func listPackages(t *testing.T, pattern string) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", pattern).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pattern, err)
	}
	var all []goPackage
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
