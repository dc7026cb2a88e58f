package containers_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// workflow is docs/github-actions/envoy-in-docker.yml, as far as tests look at it.
type workflow struct {
	Jobs map[string]struct {
		Steps []step `yaml:"steps"`
	} `yaml:"jobs"`
}

type step struct {
	Name string            `yaml:"name"`
	Uses string            `yaml:"uses"`
	With map[string]string `yaml:"with"`
	Run  string            `yaml:"run"`
	If   string            `yaml:"if"`
}

func readWorkflow(t *testing.T) []step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "github-actions", "envoy-in-docker.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	job, ok := w.Jobs["envoy-in-docker"]
	if !ok || len(w.Jobs) != 1 {
		t.Fatalf("its jobs are %v", w.Jobs)
	}
	return job.Steps
}

// Every command of the workflow is run, in its order, in a folder that has the
// checkout where the workflow puts it. Its other steps only fetch.
func TestTheWorkflowDoesWhatItSays(t *testing.T) {
	wanted(t)
	folder := t.TempDir()
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(checkout, filepath.Join(folder, "certbearer")); err != nil {
		t.Fatal(err)
	}
	env := append(append(os.Environ(), engine.Env...),
		"PATH="+dockerShim(t)+":"+os.Getenv("PATH"), "PORT="+freePort(t), "TAG="+tag, "COMPOSE_PROJECT_NAME="+project+"-workflow")
	failed, ran := false, 0
	for _, s := range readWorkflow(t) {
		if s.Run == "" || failed && s.If != "always()" {
			continue
		}
		ran++
		if printed, err := shell(folder, env, s.Run); err != nil {
			failed = true
			t.Errorf("%s: %v\n%s", s.Name, err, printed)
		}
	}
	if ran < 6 {
		t.Errorf("%d steps ran", ran)
	}
	if left := asked(t, "ps", "--all", "--quiet", "--filter", "name="+project+"-workflow"); left != "" {
		t.Errorf("containers are left: %s", left)
	}
}

// shell runs a step as GitHub does: bash, ending at the first failure.
func shell(folder string, env []string, script string) (printed string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience) // a step at the end runs whatever was before
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env, cmd.WaitDelay = folder, env, time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// What docs/containers.md has a person type is what the workflow runs, from within the
// checkout.
func TestThePageHasTheCommandsOfTheWorkflow(t *testing.T) {
	var runs strings.Builder
	for _, s := range readWorkflow(t) {
		runs.WriteString(strings.NewReplacer("-C certbearer ", "", "certbearer/", "").Replace(s.Run) + "\n")
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "containers.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "<!-- tried -->\n```sh\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); !strings.Contains(runs.String(), line) {
				t.Errorf("the workflow does not run %q", line)
			}
		}
	}
}

// A step that is not run here may only fetch.
func TestTheWorkflowHasNoOtherSteps(t *testing.T) {
	for _, s := range readWorkflow(t) {
		if (s.Run == "") == (s.Uses == "") {
			t.Errorf("step %q runs %q and uses %q", s.Name, s.Run, s.Uses)
		}
		if s.Uses != "" && !strings.HasPrefix(s.Uses, "actions/checkout@") && !strings.HasPrefix(s.Uses, "actions/setup-go@") {
			t.Errorf("step %q uses %s", s.Name, s.Uses)
		}
		if s.If != "" && s.If != "always()" {
			t.Errorf("step %q has the condition %s", s.Name, s.If)
		}
	}
}
