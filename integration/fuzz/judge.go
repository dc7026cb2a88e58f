package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// result is what came of one target.
type result struct {
	problem string // "" if it found nothing
	output  string
	found   []string // files with failing inputs
	inputs  int
	took    time.Duration
	remark  string
}

var (
	// progress is what go test prints every three seconds: first of the corpus, then of
	// its own inputs.
	progress = regexp.MustCompile(`(?m)^fuzz: elapsed: [^,]+, (?:gathering baseline coverage|execs): (\d+)\b.*$`)
	// clock is all that a failing run prints, beside its progress, if nothing failed but
	// the clock. When the time is up, Go's coordinator may see its own deadline before
	// its workers do, and then takes it for an error of the target.
	clock = regexp.MustCompile(`^--- FAIL: Fuzz\w* \([\d.]+s\)\n\s+context deadline exceeded\nFAIL\n?$`)
	// chatter is what a run without findings prints beside.
	chatter = regexp.MustCompile(`(?m)^(fuzz: elapsed: .*|=== RUN .*)\n`)
)

// still is how many lines of progress in a row without another input, of three
// seconds each, make a target one that hangs: go test would kill it at the end and
// say nothing.
const still = 4

// judge tells from what a run printed, how it ended and which inputs it left in
// the tree whether it found something. Everything is a finding that is not known
// to be none.
func judge(output string, err error, found []string, took time.Duration) result {
	got := result{output: output, found: found, took: took}
	lines := progress.FindAllStringSubmatch(output, -1)
	if len(lines) > 0 {
		got.inputs, _ = strconv.Atoi(lines[len(lines)-1][1])
	}
	switch {
	case len(found) > 0 || strings.Contains(output, "Failing input written"):
		got.problem = "an input fails"
	case err != nil && !clock.MatchString(chatter.ReplaceAllString(output, "")):
		got.problem = err.Error()
	case got.inputs == 0:
		got.problem = "no input was tried"
	case standsStill(lines):
		got.problem = "an input hangs: none was finished in the last seconds"
	case strings.Contains(lines[len(lines)-1][0], "baseline"):
		got.remark = ", which are its corpus: it came no further"
	case err != nil:
		got.remark = ", ended by the clock"
	}
	return got
}

// standsStill reports that the number of inputs has not changed for long.
func standsStill(lines [][]string) bool {
	if len(lines) <= still {
		return false
	}
	for _, line := range lines[len(lines)-1-still:] {
		if line[1] != lines[len(lines)-1][1] {
			return false
		}
	}
	return true
}
