package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var errEmpty = errors.New("must not be empty")

// oneOf accepts the values of a closed set. later holds those that the design
// has and this version has not: whoever writes one should learn that it is no
// misspelling.
func oneOf[T ~string](now []T, later ...string) parser[T] {
	return func(text string) (T, error) {
		if slices.Contains(now, T(text)) {
			return T(text), nil
		}
		if slices.Contains(later, text) {
			return "", fmt.Errorf("%s is not available in this version; want %s", text, orList(now))
		}
		return "", fmt.Errorf("want %s, got %s", orList(now), quote(text))
	}
}

func orList[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, value := range values {
		words[i] = string(value)
	}
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// matching accepts what the pattern describes; shape says it in words.
func matching(pattern *regexp.Regexp, shape string) parser[string] {
	return func(text string) (string, error) {
		if !pattern.MatchString(text) {
			return "", fmt.Errorf("want %s, got %s", shape, quote(text))
		}
		return text, nil
	}
}

// orEmpty accepts "" besides.
func orEmpty(parse parser[string]) parser[string] {
	return func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		return parse(text)
	}
}

// orWord accepts the words besides, exactly as they are.
func orWord(parse parser[string], words ...string) parser[string] {
	return func(text string) (string, error) {
		if slices.Contains(words, text) {
			return text, nil
		}
		return parse(text)
	}
}

func parseDuration(least, most time.Duration) parser[time.Duration] {
	return func(text string) (time.Duration, error) {
		value, err := time.ParseDuration(text)
		if err != nil {
			return 0, fmt.Errorf("want %s, got %s", durationKind.want, quote(text))
		}
		if value < least || value > most {
			return 0, fmt.Errorf("want %s to %s, got %s", brief(least), brief(most), quote(text))
		}
		return value, nil
	}
}

// brief writes a whole number of hours, minutes and so on without zero parts.
func brief(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

// decimal leaves out what YAML also takes for a number and people misread:
// 0o17, 017, 1_000.
var decimal = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})$`)

func parseInt(least, most int) parser[int] {
	return func(text string) (int, error) {
		value, err := strconv.Atoi(text)
		if err != nil || !decimal.MatchString(text) || value < least || value > most {
			return 0, fmt.Errorf("want a whole number of %d to %d, got %s", least, most, quote(text))
		}
		return value, nil
	}
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("want true or false, got %s", quote(text))
}

// filePath resolves a file path against the folder of the configuration.
func (d *document) filePath(text string) (string, error) {
	switch {
	case text == "":
		return "", errEmpty
	case filepath.IsAbs(text):
		return filepath.Clean(text), nil
	}
	return filepath.Join(d.baseDir, text), nil
}
