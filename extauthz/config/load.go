package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// MaxSize is the most bytes a configuration file may have.
const MaxSize = 1 << 20

// Load reads the file at path. Relative paths in it are resolved against its
// folder, so the Config does not depend on the working directory. The error is
// [Errors] if the file could be read, and wraps the system's error if not.
func Load(path string) (*Config, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, data, filepath.Dir(absolute))
}

// readBounded returns at most one byte more than MaxSize: enough for Parse to
// see that the file is too large.
func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, MaxSize+1))
}

// Parse reads a configuration from data, at most [MaxSize] bytes of UTF-8. name
// is what errors call the file; baseDir, which should be absolute, is what
// relative paths are resolved against. The error is [Errors].
func Parse(name string, data []byte, baseDir string) (*Config, error) {
	doc := &document{file: name, baseDir: baseDir}
	root := doc.open(data)
	if root == nil {
		return nil, doc.errors.asError()
	}
	config := readConfig(root)
	if err := doc.errors.asError(); err != nil {
		return nil, err
	}
	return config, nil
}
