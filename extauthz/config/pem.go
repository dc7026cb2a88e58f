package config

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	pemMark    = "-----BEGIN"
	pemProblem = "PEM text; keys and certificates are given as file paths, never inline"
)

// refusePEMLines looks at the raw bytes, comments included, before any other
// message could quote a part of them.
func (d *document) refusePEMLines(data []byte) {
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if bytes.Contains(text, []byte(pemMark)) && !d.full() {
			d.fail(line, "", pemProblem)
		}
	}
}

// refusePEMValues looks at the values: an escape in quotes can hide the mark
// from refusePEMLines.
func (d *document) refusePEMValues(node *yaml.Node, depth int) {
	if strings.Contains(node.Value, pemMark) {
		d.fail(node.Line, "", pemProblem)
	}
	if depth > maxDepth {
		return
	}
	for _, child := range node.Content {
		d.refusePEMValues(child, depth+1)
	}
}
