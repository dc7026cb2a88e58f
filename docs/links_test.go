package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestEveryLinkToTheCheckoutLeadsToAFileAndAHeading(t *testing.T) {
	for _, p := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
			if target := match[1]; !strings.Contains(target, "://") {
				checkLink(t, p, target)
			}
		}
	}
}

func TestTheREADMELeadsToEveryPage(t *testing.T) {
	list := section(t, read(t, "README.md"), "## Read on")
	for _, p := range pages(t) {
		if path.Dir(p.path) == "docs" && strings.Count(list, "]("+p.path+")") != 1 {
			t.Errorf("%s is not in the README's list, or not once", p.path)
		}
	}
}

func checkLink(t *testing.T, p page, target string) {
	t.Helper()
	file, heading, _ := strings.Cut(target, "#")
	where := p.path
	if file != "" {
		where = path.Join(path.Dir(p.path), file)
	}
	if strings.HasPrefix(where, "../") {
		t.Errorf("%s: %s leads out of the checkout", p.path, target)
		return
	}
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(where))); err != nil {
		t.Errorf("%s: %s: %v", p.path, target, err)
		return
	}
	if heading != "" && !hasHeading(read(t, where), heading) {
		t.Errorf("%s: %s: the page has no such heading", p.path, target)
	}
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9 -]`)

func hasHeading(text, anchor string) bool {
	for line := range strings.Lines(text) {
		if title, found := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); found && line[0] == '#' {
			title = notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			if strings.ReplaceAll(title, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}

// machinePath is a path of somebody's machine, which means nothing to a reader.
var machinePath = regexp.MustCompile(`(?:^|[\s"'=(` + "`" + `])/(?:work|home|root|Users|tmp|private|var/folders)/`)

func TestNoPageNamesAPathOfSomebodysMachine(t *testing.T) {
	for _, p := range pages(t) {
		if found := machinePath.FindString(p.text); found != "" {
			t.Errorf("%s: %q", p.path, found)
		}
	}
}
