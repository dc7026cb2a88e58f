// Package docs_test keeps the pages true: what they say of commands, settings,
// reasons, metrics, files and bounds is compared with the code, and what they
// tell a person to type is typed.
package docs_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the pages")

// root is the checkout, as seen from this package's folder.
const root = ".."

// page is a Markdown file by its path from the root, with slashes.
type page struct{ path, text string }

// read returns a file of the checkout.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages returns README and the like, and everything below docs.
func pages(t *testing.T) []page {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []page
	for _, name := range names {
		path, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.ToSlash(path)
		all = append(all, page{path, read(t, path)})
	}
	if len(all) < 10 {
		t.Fatalf("found only %d pages", len(all))
	}
	return all
}

// between returns what stands between two lines, both of which must be there.
func between(t *testing.T, text, begin, end string) string {
	t.Helper()
	_, rest, begins := strings.Cut(text, begin+"\n")
	inner, _, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("the page lacks %s or %s", begin, end)
	}
	return inner
}

// section returns what stands below a heading, up to the next of its level or
// a higher one.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("the page lacks the heading %q", heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	for _, shorter := range []string{level, strings.TrimSuffix(level, "#")} {
		if end := strings.Index(rest, "\n"+shorter+" "); shorter != "" && end >= 0 {
			rest = rest[:end]
		}
	}
	return rest
}

// rows returns the cells of every table row, header rows and rules left out.
func rows(text string) [][]string {
	var out [][]string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		header := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|---")
		if !strings.HasPrefix(line, "| ") || header {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		out = append(out, cells)
	}
	return out
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// spans returns the texts in backquotes.
func spans(text string) []string {
	var out []string
	for _, match := range codeSpan.FindAllStringSubmatch(text, -1) {
		out = append(out, match[1])
	}
	return out
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// fenced returns the blocks of a language, "" for those without one.
func fenced(text, language string) []string {
	var out []string
	for _, match := range fence.FindAllStringSubmatch(text, -1) {
		if match[1] == language {
			out = append(out, match[2])
		}
	}
	return out
}

var indented = regexp.MustCompile(`(?m)^    (\S.*\n)`)

// code returns all that is code by itself, fenced or indented.
func code(text string) string {
	var out strings.Builder
	for _, pattern := range []*regexp.Regexp{fence, indented} {
		for _, match := range pattern.FindAllStringSubmatch(text, -1) {
			out.WriteString(match[len(match)-1])
		}
		text = fence.ReplaceAllString(text, "")
	}
	return out.String()
}
