// Command summary reads `go test -json` and prints what a person wants of it:
// a line a package, the output of what failed, what tests have counted (their
// attributes, testing.T.Attr), and every test that was left out with the reason that
// it gave. It exits with 1 if anything failed or nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	envoyrun "github.com/certbearer/certbearer/envoy/run"
)

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string // of a build's output
	Key, Value                    string // of an attribute
}

func main() {
	if !summarize(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

// summary is what has been read so far.
type summary struct {
	out                     io.Writer
	output                  map[string][]string // by package and test
	counted                 []string            // what tests say they have counted
	leftOut                 map[string][]string // tests by reason
	noEnvoy                 []string            // tests that failed for want of one
	advice                  string              // what to do about it
	passed, failed, skipped int
}

func summarize(in io.Reader, out io.Writer) (ok bool) {
	s := summary{out: out, output: make(map[string][]string), leftOut: make(map[string][]string)}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(out, lines.Text()) // what go itself has to say
			continue
		}
		s.take(e)
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(out, "summary:", err)
		s.failed++
	}
	s.close()
	return s.failed == 0 && s.passed > 0
}

func (s *summary) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		s.output[key] = append(s.output[key], e.Output)
	case "attr":
		s.counted = append(s.counted, e.Key+": "+e.Value)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "build-fail":
		s.failed++
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e, key)
		} else {
			s.endTest(e, key)
		}
	}
}

func (s *summary) endTest(e event, key string) {
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		s.endFailure(e, s.output[key])
	case "skip":
		s.skipped++
		why := reason(s.output[key])
		s.leftOut[why] = append(s.leftOut[why], e.Test)
	}
	delete(s.output, key)
}

// endFailure prints what a test said that failed. Those that fail for want of an
// Envoy, which package envoytest says in the same words everywhere, are told of
// together.
func (s *summary) endFailure(e event, lines []string) {
	said := strings.Join(lines, "")
	_, why, found := strings.Cut(said, "no Envoy: ")
	if !found {
		fmt.Fprint(s.out, said)
		return
	}
	s.noEnvoy = append(s.noEnvoy, e.Test)
	if s.advice == "" && strings.Contains(why, envoyrun.EnvEnvoy) {
		why, _, _ = strings.Cut(why, "--- FAIL")
		s.advice = strings.TrimSpace(why)
	}
}

// endPackage prints go test's own line about the package, and everything if
// it failed outside of its tests.
func (s *summary) endPackage(e event, key string) {
	lines := s.output[key]
	if e.Action == "fail" {
		s.failed++
		fmt.Fprint(s.out, strings.Join(lines, ""))
		return
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "? ") {
			fmt.Fprint(s.out, line)
		}
	}
}

// reason is what a test said when it was skipped: "file_test.go:12: reason".
func reason(lines []string) string {
	for _, line := range slices.Backward(lines) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "===") {
			continue
		}
		if _, text, found := strings.Cut(line, ".go:"); found {
			if _, text, found = strings.Cut(text, ": "); found {
				return text
			}
		}
		return line
	}
	return "no reason was given"
}

func (s *summary) close() {
	for _, line := range s.counted {
		fmt.Fprintln(s.out, line)
	}
	for _, why := range slices.Sorted(maps.Keys(s.leftOut)) {
		fmt.Fprintf(s.out, "LEFT OUT (%s):\n", why)
		for _, test := range s.leftOut[why] {
			fmt.Fprintf(s.out, "  %s\n", test)
		}
	}
	if len(s.noEnvoy) > 0 {
		fmt.Fprintf(s.out, "NO ENVOY, and %d tests failed for want of one: %s\n", len(s.noEnvoy), s.advice)
		for _, test := range s.noEnvoy {
			fmt.Fprintf(s.out, "  %s\n", test)
		}
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
}
