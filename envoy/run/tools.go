package run

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	module       = "module github.com/certbearer/certbearer"
	maxGoModHead = 4 << 10
)

func (o Options) tools() (string, error) {
	if named := os.Getenv(EnvTools); named != "" {
		return filepath.Abs(named)
	}
	if o.Tools != "" {
		return filepath.Abs(o.Tools)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("working directory: %w", err)
	}
	if root, ok := checkoutAround(dir); ok {
		return filepath.Join(root, ".tools"), nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for tools (set %s): %w", EnvTools, err)
	}
	return filepath.Join(cache, "certbearer"), nil
}

// checkoutAround walks up to the go.mod of certbearer itself; another module's
// tree is not ours to put a folder into.
func checkoutAround(dir string) (string, bool) {
	for {
		if isOurModule(filepath.Join(dir, "go.mod")) {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

func isOurModule(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, maxGoModHead))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(head)) {
		if strings.TrimSpace(line) == module {
			return true
		}
	}
	return false
}
