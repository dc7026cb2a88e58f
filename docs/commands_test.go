package docs_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	// A command is meant in code: a whole line of a block, or a span.
	lineCommand = regexp.MustCompile(`(?m)(?:^|\| |^\$ )certbearer ([a-z]+)((?:[^\n\\]|\\\n)*)`)
	spanCommand = regexp.MustCompile(`^certbearer ([a-z]+)(.*)`)
	word        = regexp.MustCompile(`^ ([a-z-]+)\b`)
	flagName    = regexp.MustCompile(`[ ](--[a-z-]+)`)
	makeTarget  = regexp.MustCompile("(?m)(?:^|`|^\\$ |=none )make ([a-z-]+)")
)

// build makes the program once for all tests.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildFolder, "certbearer")
	command := exec.Command("go", "build", "-o", path, "./extauthz/cmd/certbearer")
	command.Dir = root
	output, err := command.CombinedOutput()
	return path + "\n" + string(output), err
})

// certbearer returns the path of the program.
func certbearer(t *testing.T) string {
	t.Helper()
	answer, err := build()
	path, output, _ := strings.Cut(answer, "\n")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return path
}

func help(t *testing.T, command ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), certbearer(t), append(command, "--help")...).CombinedOutput()
	if err != nil {
		t.Fatalf("certbearer %s --help: %v\n%s", strings.Join(command, " "), err, output)
	}
	return string(output)
}

// commands returns those that the program's own help lists.
func commands(t *testing.T) map[string]bool {
	t.Helper()
	_, list, found := strings.Cut(help(t), "\nCommands:\n")
	if !found {
		t.Fatal("the help lists no commands")
	}
	list, _, _ = strings.Cut(list, "\n\n")
	known := make(map[string]bool)
	for line := range strings.Lines(list) {
		if name := regexp.MustCompile(`^  ([a-z]+(?: [a-z-]+)*)`).FindStringSubmatch(line); name != nil {
			known[name[1]] = true
		}
	}
	return known
}

// mention is a command that a page names, with the flags beside it.
type mention struct {
	page, command string
	flags         []string
}

func mentions(t *testing.T, known map[string]bool) []mention {
	t.Helper()
	var all []mention
	for _, p := range pages(t) {
		matches := lineCommand.FindAllStringSubmatch(code(p.text), -1)
		for _, span := range spans(p.text) {
			matches = append(matches, spanCommand.FindAllStringSubmatch(span, -1)...)
		}
		for _, match := range matches {
			m := mention{page: p.path, command: match[1]}
			if next := word.FindStringSubmatch(match[2]); next != nil && known[m.command+" "+next[1]] {
				m.command += " " + next[1]
			}
			for _, flag := range flagName.FindAllStringSubmatch(match[2], -1) {
				m.flags = append(m.flags, flag[1])
			}
			all = append(all, m)
		}
	}
	return all
}

func TestEveryCommandThatAPageNamesExistsWithItsFlags(t *testing.T) {
	known := commands(t)
	told := make(map[string]string)
	for _, m := range mentions(t, known) {
		if !known[m.command] {
			t.Errorf("%s: there is no certbearer %s", m.page, m.command)
			continue
		}
		if told[m.command] == "" {
			told[m.command] = help(t, strings.Fields(m.command)...)
		}
		for _, flag := range m.flags {
			if !strings.Contains(told[m.command], flag) {
				t.Errorf("%s: certbearer %s has no %s", m.page, m.command, flag)
			}
		}
	}
}

func TestTheREADMEListsEveryCommand(t *testing.T) {
	known := commands(t)
	listed := make(map[string]bool)
	for _, cells := range rows(section(t, read(t, "README.md"), "## Commands")) {
		if name, found := strings.CutPrefix(strings.Trim(cells[0], "`"), "certbearer "); found {
			listed[strings.TrimSuffix(name, " DIR")] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(known)), slices.Sorted(maps.Keys(listed))); diff != "" {
		t.Errorf("(-certbearer --help +README)\n%s", diff)
	}
}

func TestEveryMakeTargetThatAPageNamesExists(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, p := range pages(t) {
		for _, match := range makeTarget.FindAllStringSubmatch(p.text, -1) {
			if !strings.Contains(makefile, "\n"+match[1]+":") {
				t.Errorf("%s: there is no make %s", p.path, match[1])
			}
		}
	}
}

func TestTheTranscriptOfTheREADMETellsScenesOfTheDemo(t *testing.T) {
	var played []string
	for _, match := range regexp.MustCompile(`s\.scene\("([^"]+)"\)`).FindAllStringSubmatch(read(t, "extauthz/cmd/certbearer/demo_story.go"), -1) {
		played = append(played, match[1])
	}
	transcript := fenced(read(t, "README.md"), "")[0]
	told := regexp.MustCompile(`(?m)^([0-9])\. (.*)$`).FindAllStringSubmatch(transcript, -1)
	if len(told) < 3 {
		t.Fatalf("%d scenes", len(told))
	}
	for _, scene := range told {
		number := int(scene[1][0] - '0')
		if number > len(played) || played[number-1] != scene[2] {
			t.Errorf("scene %d of the demo is not %q", number, scene[2])
		}
	}
}
