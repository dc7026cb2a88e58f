package docs_test

import (
	"fmt"
	"os"
	"testing"
)

// buildFolder is where the program is built; it outlives a single test.
var buildFolder string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "certbearer-docs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildFolder = folder
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}
