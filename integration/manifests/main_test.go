// Package manifests_test checks the manifests in the repository: that they are what
// their configuration renders, that every field of them exists, and that a
// misspelled one is caught. What the tools of `make verify-manifests` let through,
// the decoding of strict_test.go catches.
package manifests_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite the manifests")

// root is the checkout, as seen from this package's folder.
const root = "../.."

// patience bounds one command.
const patience = 5 * time.Minute

// document is one manifest of a file.
type document struct {
	file string // its path from the root
	kind string
	name string
	// fields are the manifest's, as YAML has them.
	fields map[string]any
}

func (d document) String() string { return filepath.Base(d.file) + " " + d.kind + " " + d.name }

// text returns the document alone, as YAML.
func (d document) text(t *testing.T) []byte {
	t.Helper()
	text, err := yaml.Marshal(d.fields)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// documents returns those of a file of the checkout.
func documents(t *testing.T, file string) []document {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, file, text)
}

// read returns the documents in text; file is what they are called by.
func read(t *testing.T, file string, text []byte) []document {
	t.Helper()
	var all []document
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var fields map[string]any
		if err := decoder.Decode(&fields); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if fields == nil {
			continue
		}
		d := document{file: file, fields: fields}
		d.kind, _ = fields["kind"].(string)
		if metadata, ok := fields["metadata"].(map[string]any); ok {
			d.name, _ = metadata["name"].(string)
		}
		if d.kind == "" || d.name == "" {
			t.Fatalf("%s: a document without kind or name", file)
		}
		all = append(all, d)
	}
}

// allOf returns the documents of all files that the patterns match.
func allOf(t *testing.T, patterns ...string) []document {
	t.Helper()
	var all []document
	for _, file := range filesOf(t, patterns...) {
		all = append(all, documents(t, file)...)
	}
	return all
}

// filesOf returns the manifests that the patterns match. A configuration of
// certbearer's, from which a folder is rendered, is none.
func filesOf(t *testing.T, patterns ...string) []string {
	t.Helper()
	var all []string
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if filepath.Base(name) != "certbearer.yaml" {
				all = append(all, strings.TrimPrefix(filepath.ToSlash(name), root+"/"))
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("no manifests in %v", patterns)
	}
	return all
}

// tool returns the path of a tool of `make verify-manifests`, or leaves the test out.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(tools(), "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		leaveOut(t, "the tools that check manifests are not in .tools, where `make verify-manifests` puts them")
	}
	return path
}

func tools() string {
	if folder := os.Getenv("CERTBEARER_TOOLS"); folder != "" {
		return folder
	}
	return filepath.Join(root, ".tools")
}

// run runs a command and returns all that it prints.
func run(t *testing.T, name string, arguments ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	output, err := exec.CommandContext(ctx, name, arguments...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(output), err
}

// leaveOut skips a test, but not in CI: nothing is left out there.
func leaveOut(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why + ", which CI does not allow")
	}
	t.Skip(why)
}
