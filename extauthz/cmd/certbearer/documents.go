package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/certbearer/certbearer/policies"
)

// eachDocument reads the files of a folder once more, one at a time, for what a
// Snapshot does not keep. number counts the documents of a file from 1. What
// cannot be read is passed over: the report of the source has it already.
func eachDocument(dir string, visit func(file string, number int, document policies.Document)) error {
	return eachDocumentOf(dir, func(string) bool { return true }, visit)
}

// eachDocumentOf is eachDocument for some of the files.
func eachDocumentOf(dir string, wanted func(file string) bool, visit func(file string, number int, document policies.Document)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !holdsDocuments(name) || !wanted(name) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // opening a named pipe would wait for its writer
		}
		data, err := readUpTo(path, policies.MaxFileBytes)
		if err != nil {
			continue
		}
		documents, _ := policies.ParseFile(name, data)
		for i, document := range documents {
			visit(name, i+1, document)
		}
	}
	return nil
}

// holdsDocuments is the rule of package dirsource.
func holdsDocuments(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json", ".yaml", ".yml":
		return name[0] != '.'
	}
	return false
}
