package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestTheTableOfFindingsIsTheOneOfTheProgram(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), certbearer(t), "clients", "check", "--codes", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var codes []struct{ Code, Severity, InHardMode, Meaning, Advice string }
	if err := json.Unmarshal(output, &codes); err != nil {
		t.Fatal(err)
	}
	var want [][]string
	for _, c := range codes {
		if c.InHardMode != "" {
			c.Severity += "; " + c.InHardMode + " in hard mode"
		}
		want = append(want, []string{"`" + c.Code + "`", c.Severity, c.Meaning, c.Advice})
	}
	if diff := cmp.Diff(want, rows(section(t, read(t, "docs/clients-check.md"), "## Codes"))); diff != "" {
		t.Errorf("(-certbearer clients check --codes +docs/clients-check.md)\n%s", diff)
	}
}

// Every member that a finding may have is described, in its order.
func TestTheMembersOfAFindingAreDescribed(t *testing.T) {
	weak, err := testca.NewKey(testca.RSA1024)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := testca.SelfSigned(testca.Template{CommonName: "a", Key: weak})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	document(t, dir, "a", string(issued.PEM()))
	nameless, err := testca.SelfSigned(testca.Template{URIs: []string{"urn:b"}, Key: weak})
	if err != nil {
		t.Fatal(err)
	}
	document(t, dir, "b", string(nameless.PEM()))
	output, _ := exec.CommandContext(t.Context(), certbearer(t), "clients", "check", dir, "--json").Output() // it fails, for nobody is let in
	var report struct{ Findings []json.RawMessage }
	if err := json.Unmarshal(output, &report); err != nil || len(report.Findings) != 4 {
		t.Fatalf("%v\n%s", err, output)
	}
	page := firstCells(section(t, read(t, "docs/clients-check.md"), "## JSON"))
	for instead, found := range map[string]json.RawMessage{"subject": report.Findings[3], "san": report.Findings[1]} {
		told := slices.DeleteFunc(slices.Clone(page), func(name string) bool { return name == "location" || name == instead }) // of another kind of finding
		if diff := cmp.Diff(members(t, found), told); diff != "" {
			t.Errorf("(-finding +docs/clients-check.md)\n%s", diff)
		}
	}
}

func document(t *testing.T, dir, id, store string) {
	t.Helper()
	text, err := json.Marshal(map[string]string{"resourceType": "ClientApplication", "id": id, "certificateTrustStore": store})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, id+".json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every command of the workflow is run in a folder that has certbearer and the
// clients where the workflow puts them. Its other steps only fetch.
func TestTheWorkflowForARepositoryOfClientsDoesWhatItSays(t *testing.T) {
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Name, Uses, Run string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "docs/github-actions/clients-check.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	steps := workflow.Jobs["clients-check"].Steps
	folder := t.TempDir()
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	clients := filepath.Join(folder, "clients")
	if err := os.Symlink(checkout, filepath.Join(folder, "certbearer")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(clients, 0o700); err != nil {
		t.Fatal(err)
	}
	failing := func() (failed []string, ran int) {
		for _, step := range steps {
			if step.Run == "" {
				if !strings.HasPrefix(step.Uses, "actions/checkout@") && !strings.HasPrefix(step.Uses, "actions/setup-go@") {
					t.Errorf("step %q uses %s", step.Name, step.Uses)
				}
				continue
			}
			ran++
			command := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
			command.Dir = folder
			if printed, err := command.CombinedOutput(); err != nil {
				t.Logf("%s: %v\n%s", step.Name, err, printed)
				failed = append(failed, step.Name)
			}
		}
		return failed, ran
	}
	good, err := testca.SelfSigned(testca.Template{CommonName: "good"})
	if err != nil {
		t.Fatal(err)
	}
	document(t, clients, "good", string(good.PEM()))
	if failed, ran := failing(); failed != nil || ran != 3 {
		t.Errorf("of %d steps these fail with good clients: %q", ran, failed)
	}
	document(t, clients, "odd", "")
	if failed, _ := failing(); len(failed) != 1 || !strings.Contains(failed[0], "Once a week") {
		t.Errorf("with a warning these fail: %q", failed)
	}
	document(t, clients, "bad", "no certificate")
	if failed, _ := failing(); len(failed) != 2 {
		t.Errorf("with an error these fail: %q", failed)
	}
}
