package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestARunIsJudgedByWhatItPrintedAndLeft(t *testing.T) {
	const running = "fuzz: elapsed: 0s, gathering baseline coverage: 0/9 completed\nfuzz: elapsed: 3s, execs: 100 (33/sec), new interesting: 1 (total: 10)\n"
	const stuck = "fuzz: elapsed: 6s, execs: 100 (0/sec), new interesting: 1 (total: 10)\n"
	const clockOnly = "--- FAIL: FuzzX (20.05s)\n    context deadline exceeded\nFAIL\n"
	failed := errors.New("exit status 1")
	for sentence, c := range map[string]struct {
		output string
		err    error
		found  []string
		want   string // the problem
	}{
		"nothing found":                            {running + "PASS\n", nil, nil, ""},
		"ended by the clock":                       {running + clockOnly, failed, nil, ""},
		"ended by the clock, with an input left":   {running + clockOnly, failed, []string{"testdata/fuzz/FuzzX/1"}, "an input fails"},
		"an input left, and no word of it":         {running + "PASS\n", nil, []string{"testdata/fuzz/FuzzX/1"}, "an input fails"},
		"a word of an input, and none seen":        {running + "--- FAIL: FuzzX (1.00s)\n    Failing input written to testdata/fuzz/FuzzX/1\nFAIL\n", failed, nil, "an input fails"},
		"a deadline that the target ran into":      {running + "--- FAIL: FuzzX (1.00s)\n    x_test.go:3: dial: context deadline exceeded\nFAIL\n", failed, nil, "exit status 1"},
		"a seed that fails":                        {"failure while testing seed corpus entry: FuzzX/1\n" + running + clockOnly, failed, nil, "exit status 1"},
		"a worker that died":                       {running + "--- FAIL: FuzzX (1.00s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\nFAIL\n", failed, nil, "exit status 1"},
		"the clock's word, and more":               {running + clockOnly + "panic: x\n", failed, nil, "exit status 1"},
		"a failure without a word":                 {running, failed, nil, "exit status 1"},
		"no more than its corpus":                  {"fuzz: elapsed: 20s, gathering baseline coverage: 106/114 completed\nPASS\n", nil, nil, ""},
		"a seed that hangs":                        {strings.Repeat("fuzz: elapsed: 3s, gathering baseline coverage: 7/9 completed\n", 5) + "PASS\n", nil, nil, "an input hangs: none was finished in the last seconds"},
		"no input at all":                          {"PASS\n", nil, nil, "no input was tried"},
		"nothing finished for three looks":         {running + strings.Repeat(stuck, 3) + "PASS\n", nil, nil, ""},
		"nothing finished for longer":              {running + strings.Repeat(stuck, 4) + "PASS\n", nil, nil, "an input hangs: none was finished in the last seconds"},
		"nothing finished for longer, and a clock": {running + strings.Repeat(stuck, 4) + clockOnly, failed, nil, "an input hangs: none was finished in the last seconds"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := judge(c.output, c.err, c.found, time.Second); got.problem != c.want {
				t.Errorf("%q, want %q", got.problem, c.want)
			}
		})
	}
}

// module is one with a package of two targets, and one that does not build.
var module = map[string]string{
	"go.mod": "module example.org/found\n\ngo 1.26\n",
	"p/p_test.go": `package p

import "testing"

func FuzzFinds(f *testing.F) {
	f.Add([]byte("a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 1 {
			t.Fatal("not one")
		}
	})
}

func FuzzSound(f *testing.F) {
	f.Add([]byte("a"))
	f.Fuzz(func(*testing.T, []byte) {})
}
`,
	// The text of a target is none.
	"p/text_test.go":        "package p\n\nconst text = `\nfunc FuzzText(f *testing.F) {\n`\n",
	"broken/broken_test.go": "package broken\n\nimport \"testing\"\n\nfunc FuzzNothing(f *testing.F) {\n\tnothing()\n}\n",
}

func TestWhatIsFoundStaysInTheTreeAndIsNamed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range module {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOWORK", "off")
	run := func(only string, packages ...string) (string, error) {
		var out strings.Builder
		r := runner{out: &out, fuzzTime: "200x", jobs: 2, patience: 5 * time.Minute}
		err := r.run(context.Background(), only, packages)
		return out.String(), err
	}
	out, err := run("", "./p")
	found, _ := filepath.Glob(filepath.Join(dir, "p/testdata/fuzz/FuzzFinds/*"))
	if err == nil || !strings.Contains(err.Error(), "1 of 2 targets failed: example.org/found/p FuzzFinds") {
		t.Errorf("a target found something: %v", err)
	}
	if len(found) != 1 || !strings.Contains(out, "found: "+found[0]) || !strings.Contains(out, "not one") {
		t.Errorf("%d inputs are in the tree; the output is\n%s", len(found), out)
	}
	if !strings.Contains(out, "ok   example.org/found/p FuzzSound: ") {
		t.Errorf("the other target has no line:\n%s", out)
	}
	if out, err = run("Sound", "./p"); err != nil || !strings.Contains(out, "1 targets found nothing") {
		t.Errorf("the sound one alone: %v\n%s", err, out)
	}
	if out, err = run("", "./broken"); err == nil || !strings.Contains(out, "undefined: nothing") {
		t.Errorf("a package that does not build: %v\n%s", err, out)
	}
	if _, err = run("Elsewhere", "./p"); err == nil {
		t.Error("no target was run, and that is no error")
	}
}
