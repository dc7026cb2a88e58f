package config

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

var (
	syntaxLine    = regexp.MustCompile(`^line ([0-9]{1,7}): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

const starHint = "an alias, which is not accepted; put a value that begins with * in quotes"

// syntaxFault turns an error of the YAML parser into the arguments of fail. The
// parser names no line for the first one, nor for an unknown alias, which is
// what `host: *.example.com` without quotes becomes.
func syntaxFault(data []byte, err error) (line int, field, problem string) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if found := unknownAnchor.FindStringSubmatch(text); found != nil {
		return lineOf(data, "*"+found[1]), "", starHint
	}
	line = 1
	if found := syntaxLine.FindStringSubmatch(text); found != nil {
		line, _ = strconv.Atoi(found[1])
		text = text[len(found[0]):]
	}
	if text == "did not find expected alphabetic or numeric character" {
		return line, "", starHint
	}
	return line, "", "not YAML: " + text
}

// lineOf returns the line on which text first stands.
func lineOf(data []byte, text string) int {
	before, _, found := bytes.Cut(data, []byte(text))
	if !found {
		return 0
	}
	return bytes.Count(before, []byte("\n")) + 1
}
