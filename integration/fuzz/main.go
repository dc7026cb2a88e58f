// Command fuzz runs the fuzz targets of packages for a time each, and says what
// they found. It builds each package once, which go test would do again for each
// target, and tells a finding from Go's own clock, whose end go test reports now
// and then as if it were one.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := runner{out: os.Stdout}
	flag.StringVar(&r.fuzzTime, "time", "20s", "how long each target runs, as -fuzztime of go test")
	flag.IntVar(&r.jobs, "jobs", 2, "how many targets run at a time, on a core each")
	flag.DurationVar(&r.patience, "patience", 3*time.Minute, "how much longer than its time a target may take before it counts as hanging")
	only := flag.String("run", "", "run only the targets with this in their name")
	flag.Parse()
	if err := r.run(ctx, *only, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// runner runs targets and prints a line for each.
type runner struct {
	out      io.Writer
	fuzzTime string
	jobs     int
	patience time.Duration
	cache    string // of the inputs that reach something new

	mu     sync.Mutex
	failed []string
	found  []string
}

func (r *runner) run(ctx context.Context, only string, packages []string) error {
	if r.jobs < 1 {
		return fmt.Errorf("-jobs %d: want 1 or more", r.jobs)
	}
	targets, err := list(ctx, packages)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if r.cache, err = cacheDir(ctx); err != nil {
		return err
	}
	work := make(chan target)
	var running sync.WaitGroup
	for range r.jobs {
		running.Go(func() {
			for t := range work {
				r.take(t, t.run(ctx, r))
			}
		})
	}
	ran := r.feed(ctx, work, targets, only, dir)
	close(work)
	running.Wait()
	return r.outcome(ctx, ran)
}

// feed builds the packages, one after another, while the targets of those before
// are running.
func (r *runner) feed(ctx context.Context, work chan<- target, targets []target, only, dir string) (ran int) {
	binaries := make(map[string]string)
	for _, t := range targets {
		if !strings.Contains(t.name, only) || ctx.Err() != nil {
			continue
		}
		ran++
		binary, built := binaries[t.pkg]
		if !built {
			binary = filepath.Join(dir, fmt.Sprint(len(binaries))+".test")
			if err := build(ctx, t.pkg, binary); err != nil {
				r.take(target{pkg: t.pkg, name: "(build)"}, result{problem: "does not build", output: err.Error()})
				binary = ""
			}
			binaries[t.pkg] = binary
		}
		if t.binary = binary; binary != "" {
			work <- t
		}
	}
	return ran
}

// take prints a result.
func (r *runner) take(t target, got result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = append(r.found, got.found...)
	if got.problem != "" {
		r.failed = append(r.failed, t.String())
		fmt.Fprintf(r.out, "FAIL %s: %s\n%s\n", t, got.problem, strings.TrimRight(got.output, "\n"))
		return
	}
	fmt.Fprintf(r.out, "ok   %s: %d inputs in %.1fs%s\n", t, got.inputs, got.took.Seconds(), got.remark)
}

// outcome is the last word: which targets failed, and where the inputs are.
func (r *runner) outcome(ctx context.Context, ran int) error {
	for _, path := range r.found {
		fmt.Fprintf(r.out, "found: %s\n  It stays in the tree, and joins the corpus with the mend.\n", path)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(r.failed) > 0:
		return fmt.Errorf("%d of %d targets failed: %s", len(r.failed), ran, strings.Join(r.failed, ", "))
	case ran == 0:
		return fmt.Errorf("no target was run")
	}
	fmt.Fprintf(r.out, "%d targets found nothing\n", ran)
	return nil
}
