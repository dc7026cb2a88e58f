package signer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// operation is something that changes a folder, which lay prepares.
type operation struct {
	lay func(t *testing.T, f *folder)
	do  func(ctx context.Context, f *folder, options signer.Options) error
}

func operations() map[string]operation {
	remove := func(ctx context.Context, f *folder, options signer.Options) error {
		// The first key of the folder, by the order of its files.
		files, err := filepath.Glob(filepath.Join(f.dir, "*.first"))
		if err != nil || len(files) != 1 {
			return fmt.Errorf("%q, %w", files, err)
		}
		_, err = signer.RemoveCompromised(ctx, f.dir, strings.TrimSuffix(filepath.Base(files[0]), ".first"), options)
		return err
	}
	mark := func(t *testing.T, f *folder) { writeFile(t, f.dir, f.kids(t)[0]+".first", "", 0o600) }
	rotate := func(ctx context.Context, f *folder, options signer.Options) error {
		_, err := signer.Rotate(ctx, f.dir, options, daily)
		return err
	}
	return map[string]operation{
		"a rotation": {func(*testing.T, *folder) {}, rotate},
		"a rotation that removes an old key": {func(t *testing.T, f *folder) {
			f.now = f.rotate(t).Made.SignsFrom().Add(25 * time.Hour)
		}, rotate},
		"the removal of the only key": {mark, remove},
		"the removal of a key that another waits to follow": {func(t *testing.T, f *folder) {
			mark(t, f)
			f.rotate(t)
		}, remove},
	}
}

// stopped is what a step panics with that ends the process.
type stopped struct{}

// crashAt does the operation until the given step, which does not happen, and
// returns the steps that there were. No code of ours runs after a crash but what
// the kernel would do as well, which is to give the lock back.
func crashAt(ctx context.Context, f *folder, op operation, last int) (steps []string, err error) {
	defer func() {
		if value := recover(); value != nil && value != any(stopped{}) {
			panic(value)
		}
	}()
	return steps, op.do(ctx, f, signer.Stepping(f.options(), func(step string) {
		if len(steps) == last {
			panic(stopped{})
		}
		steps = append(steps, step)
	}))
}

func TestACrashAtAnyStepLeavesAWorkingSet(t *testing.T) {
	for sentence, op := range operations() {
		t.Run(sentence, func(t *testing.T) {
			for last := 0; ; last++ {
				f := newFolder(t)
				op.lay(t, f)
				before := f.keys(t)
				crashAt(t.Context(), f, op, last)
				mustWork(t, f, before)
				steps, err := crashAt(t.Context(), f, op, -1)
				mustWork(t, f, before)
				if left, _ := filepath.Glob(filepath.Join(f.dir, ".new-*")); len(left) > 0 {
					t.Errorf("step %d: %q is left", last, left)
				}
				if last > 100 {
					t.Fatalf("%q, %v", steps, err)
				}
				whole := newFolder(t)
				op.lay(t, whole)
				all, err := crashAt(t.Context(), whole, op, -1)
				if err != nil {
					t.Fatal(err)
				}
				if last == len(all) {
					return
				}
			}
		})
	}
}

// mustWork has the folder hold keys of which one signs now, and which verifiers
// know if it was possible: it is published since before, or there was no other.
func mustWork(t *testing.T, f *folder, before *signer.Keys) {
	t.Helper()
	signs := f.signing(t)
	if _, known := before.Key(signs); !known && len(before.All()) > 1 {
		t.Errorf("%s signs, which nobody knows", signs)
	}
	if _, err := signer.OpenStatementKeys(t.Context(), f.dir, f.options()); err != nil {
		t.Error(err)
	}
}

func TestAKeyIsRemovedWhenWhatFollowsIsOnTheDisk(t *testing.T) {
	for sentence, op := range operations() {
		t.Run(sentence, func(t *testing.T) {
			f := newFolder(t)
			op.lay(t, f)
			steps, err := crashAt(t.Context(), f, op, -1)
			if err != nil {
				t.Fatal(err)
			}
			for i, step := range steps {
				if strings.HasPrefix(step, "rename") && steps[i+1] != "sync" {
					t.Errorf("%s is followed by %s", step, steps[i+1])
				}
			}
			last := len(steps) - 1
			if strings.HasPrefix(sentence, "the removal") && (!strings.HasPrefix(steps[last-1], "remove") || !slices.ContainsFunc(steps[:last-2], func(s string) bool {
				return strings.HasPrefix(s, "rename")
			})) {
				t.Errorf("steps %q", steps)
			}
		})
	}
}

// rotateDirVariable makes the test binary a process that rotates and removes
// keys for as long as it lives.
const rotateDirVariable = "SIGNER_TEST_ROTATE_DIR"

// rotateForEver is that process. Each key signs a second after it was made.
func rotateForEver(dir string) {
	now := time.Now()
	options := signer.Options{Generate: true, Now: func() time.Time { return now }}
	rotation := signer.Rotation{PublishAhead: time.Second, LongestLife: time.Second}
	for i := 0; ; i++ {
		if _, err := signer.Rotate(context.Background(), dir, options, rotation); err != nil {
			if _, waits := err.(*signer.WaitingError); !waits {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		now = now.Add(2 * time.Second)
		if i%3 != 0 {
			continue
		}
		keys, err := signer.Open(context.Background(), dir, options)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for _, key := range keys.All() { // of which another may have removed some
			_, _ = signer.RemoveCompromised(context.Background(), dir, key.KID(), options)
		}
	}
}

// Two processes rotate at once and are killed at any moment, again and again.
func TestProcessesThatAreKilledLeaveAWorkingSet(t *testing.T) {
	dir := t.TempDir()
	if _, err := signer.Open(t.Context(), dir, signer.Options{Generate: true}); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond+rand.N(120*time.Millisecond))
		var running []*exec.Cmd
		for range 2 {
			command := exec.CommandContext(ctx, os.Args[0])
			command.Env = append(os.Environ(), rotateDirVariable+"="+dir)
			command.Stdout = t.Output()
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			running = append(running, command)
		}
		for _, command := range running {
			if err := command.Wait(); command.ProcessState.Exited() {
				t.Errorf("a process ended by itself: %v", err)
			}
		}
		cancel()
		keys, err := signer.Open(t.Context(), dir, signer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		// The clocks of those processes ran ahead, so one signs by then.
		if _, err := keys.Signing(time.Now().AddDate(1, 0, 0)); err != nil {
			t.Error(err)
		}
		if _, err := signer.OpenStatementKeys(t.Context(), dir, signer.Options{Generate: true}); err != nil {
			t.Error(err)
		}
	}
}

func TestOfTwoThatRotateAtOnceOneMakesTheKey(t *testing.T) {
	f := newFolder(t)
	const callers = 6
	results := make(chan error, callers)
	for range callers {
		go func() {
			_, err := signer.Rotate(t.Context(), f.dir, f.options(), daily)
			results <- err
		}()
	}
	made := 0
	for range callers {
		err := <-results
		if _, waits := err.(*signer.WaitingError); err != nil && !waits {
			t.Error(err)
		}
		if err == nil {
			made++
		}
	}
	if kids := f.kids(t); made != 1 || len(kids) != 2 {
		t.Errorf("%d keys were made, there are %q", made, kids)
	}
}
