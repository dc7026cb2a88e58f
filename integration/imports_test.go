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

// mayImport is the design's table: each package of the module and what of the
// module it may import outside of its tests. A package appears here when it
// appears in the tree.
func mayImport() map[string][]string {
	return map[string][]string{
		"policies/decision":           {},
		"policies/truststore":         {"policies/decision"},
		"policies":                    {"policies/decision", "policies/truststore"},
		"policies/sourcetest":         {"policies"},
		"policies/dirsource":          {"policies", "policies/decision"},
		"extauthz/peercert":           {"policies/decision"},
		"extauthz/signer":             {},
		"extauthz/tokens":             {"extauthz/signer", "policies", "policies/decision"},
		"extauthz/state":              {"policies", "extauthz/signer", "extauthz/tokens"},
		"extauthz/authn":              {"extauthz/peercert", "extauthz/state", "policies", "policies/decision"},
		"extauthz/wire":               {"policies"},
		"extauthz/audit":              {"policies/decision"},
		"extauthz":                    {"extauthz/wire", "extauthz/authn", "extauthz/tokens", "extauthz/state", "extauthz/audit", "policies"},
		"extauthz/oauthanswer":        {"policies/decision"},
		"extauthz/tokenendpoint":      {"extauthz/authn", "extauthz/tokens", "extauthz/state", "extauthz/signer", "extauthz/audit", "extauthz/oauthanswer"},
		"extauthz/discovery":          {"extauthz/authn", "extauthz/tokens", "extauthz/state", "extauthz/signer", "extauthz/audit"},
		"extauthz/listener":           {},
		"extauthz/config":             {},
		"extauthz/cmd/certbearer":     {everything},
		"envoy":                       {},
		"envoy/run":                   {},
		"extauthz/testca":             {},
		"docs":                        {},
		"integration":                 {},
		"integration/bench":           {},
		"integration/bench/donothing": {},
		"integration/summary":         {},
	}
}

// everything may be imported by the one place where packages meet.
const everything = "everything"

// beyond is what is imported beyond the table, and why that is sound. All of it
// is below what the table has for the importer already.
func beyond() map[string]map[string]string {
	return map[string]map[string]string{
		"extauthz/authn": {"policies/truststore": "policies takes the presented chain as a truststore.Chain"},
		"extauthz/wire":  {"policies/decision": "a malformed check is a Denial"},
		"extauthz": {
			"policies/decision":    "every step's error is a Denial",
			"extauthz/peercert":    "authn takes what was presented as a peercert.Presented",
			"extauthz/oauthanswer": "gateway and endpoints answer by one table of reasons (docs/decisions/0013)",
		},
		"extauthz/tokenendpoint": {
			"extauthz/peercert": "authn takes what was presented as a peercert.Presented",
			"policies":          "authn gives the client as a policies.Client",
			"policies/decision": "every step's error is a Denial",
		},
	}
}

// goPackage is a package as `go list` has it.
type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestPackagesImportWhatTheDesignSays(t *testing.T) {
	table, exceptions := mayImport(), beyond()
	used := map[string]map[string]string{}
	for _, p := range listPackages(t, modulePath+"/...") {
		name := local(p.ImportPath)
		allowed, known := table[name]
		if !known {
			t.Errorf("package %s is not in the table", name)
			continue
		}
		if slices.Contains(allowed, everything) {
			continue
		}
		for _, imported := range p.Imports {
			imported := local(imported)
			if imported == "" || slices.Contains(allowed, imported) {
				continue
			}
			why, excepted := exceptions[name][imported]
			if !excepted {
				t.Errorf("%s imports %s, which the table does not have", name, imported)
				continue
			}
			if used[name] == nil {
				used[name] = map[string]string{}
			}
			used[name][imported] = why
		}
	}
	if diff := cmp.Diff(exceptions, used); diff != "" {
		t.Errorf("exceptions that nobody needs any more (-listed +used):\n%s", diff)
	}
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
