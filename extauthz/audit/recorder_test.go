package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/certbearer/certbearer/extauthz/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pages is an output that keeps each write apart and does as it is told.
type pages struct {
	mu      sync.Mutex
	written [][]byte
	gate    chan struct{} // a write waits until it is closed
	answers []answer      // of the next writes
}

type answer struct {
	takes int
	err   error
}

func (p *pages) Write(page []byte) (int, error) {
	if p.gate != nil {
		<-p.gate
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := answer{takes: len(page)}
	if len(p.answers) > 0 {
		taken, p.answers = p.answers[0], p.answers[1:]
	}
	p.written = append(p.written, bytes.Clone(page[:taken.takes]))
	return taken.takes, taken.err
}

func (p *pages) all() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written
}

// events returns what each line says: a request id, or the missing count.
func events(t *testing.T, text []byte) []any {
	t.Helper()
	var all []any
	for line := range bytes.Lines(text) {
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil {
			all = append(all, "torn")
			continue
		}
		if got["event"] == "audit_dropped" {
			all = append(all, got["count"])
			continue
		}
		all = append(all, got["request_id"])
	}
	return all
}

func wantEvents(t *testing.T, text []byte, want ...any) {
	t.Helper()
	if diff := cmp.Diff(want, events(t, text)); diff != "" {
		t.Errorf("lines (-want +got)\n%s", diff)
	}
}

func record(id string) *audit.Record { return &audit.Record{RequestID: id} }

func lengthOf(r *audit.Record) int { return len(r.AppendJSON(nil)) + 1 }

func closeRecorder(t *testing.T, r *audit.Recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestARecordWaitsAHundredMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pages)
		r := audit.New(p, audit.Limits{})
		defer closeRecorder(t, r)
		time.Sleep(time.Hour)
		r.Write(record("first"))
		time.Sleep(60 * time.Millisecond)
		r.Write(record("second"))
		time.Sleep(39 * time.Millisecond)
		synctest.Wait()
		if len(p.all()) != 0 {
			t.Fatal("written before 100 ms")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if len(p.all()) != 1 {
			t.Fatalf("%d writes after 100 ms, want 1", len(p.all()))
		}
		wantEvents(t, p.all()[0], "first", "second")
		r.Write(record("third"))
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		wantEvents(t, bytes.Join(p.all(), nil), "first", "second", "third")
	})
}

func TestAFullBufferDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pages)
		r := audit.New(p, audit.Limits{FlushBytes: 2 * lengthOf(record("a"))})
		defer closeRecorder(t, r)
		for range 3 {
			began := time.Now()
			r.Write(record("a"))
			r.Write(record("b"))
			synctest.Wait()
			if time.Since(began) != 0 {
				t.Fatal("time went by")
			}
		}
		wantEvents(t, bytes.Join(p.all(), nil), "a", "b", "a", "b", "a", "b")
	})
}

func TestWhatDoesNotFitIsDroppedAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pages{gate: make(chan struct{})}
		r := audit.New(p, audit.Limits{BufferBytes: 2 * lengthOf(record("1"))})
		r.Write(record("0"))
		time.Sleep(time.Second)
		synctest.Wait() // the output is stuck with 0
		for _, id := range []string{"1", "2", "3", "4", "5"} {
			r.Write(record(id))
		}
		if got := r.Counts(); got.Dropped != 3 {
			t.Errorf("counts %+v, want 3 dropped", got)
		}
		close(p.gate)
		closeRecorder(t, r)
		wantEvents(t, bytes.Join(p.all(), nil), "0", "1", "2", 3.0)
		if diff := cmp.Diff(audit.Counts{Written: 3, Dropped: 3}, r.Counts()); diff != "" {
			t.Errorf("counts (-want +got)\n%s", diff)
		}
		r.Write(record("late"))
		if got := r.Counts(); got.Dropped != 4 {
			t.Errorf("after Close: counts %+v, want 4 dropped", got)
		}
	})
}

func TestAWriteThatFails(t *testing.T) {
	full := errors.New("disk full")
	length := lengthOf(record("1"))
	for name, test := range map[string]struct {
		answers   []answer
		want      []any
		counts    audit.Counts
		wantFault error
	}{
		"loses its records and says so": {
			answers: []answer{{0, full}},
			want:    []any{"3", 2.0}, counts: audit.Counts{Written: 1, Dropped: 2, WriteErrors: 1},
		},
		"keeps what was taken whole": {
			answers: []answer{{length, full}},
			want:    []any{"1", "3", 1.0}, counts: audit.Counts{Written: 2, Dropped: 1, WriteErrors: 1},
		},
		"begins a new line after half of one": {
			answers: []answer{{length + 10, full}},
			want:    []any{"1", "torn", "3", 1.0}, counts: audit.Counts{Written: 2, Dropped: 1, WriteErrors: 1},
		},
		"is one, too, if the output does not say so": {
			answers: []answer{{length, nil}},
			want:    []any{"1", "3", 1.0}, counts: audit.Counts{Written: 2, Dropped: 1, WriteErrors: 1},
		},
		"does not forget what an earlier one lost": {
			answers: []answer{{0, full}, {length, full}},
			want:    []any{"3"}, counts: audit.Counts{Written: 1, Dropped: 2, WriteErrors: 2}, wantFault: full,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pages{answers: test.answers}
				r := audit.New(p, audit.Limits{})
				r.Write(record("1"))
				r.Write(record("2"))
				time.Sleep(time.Second)
				if r.Fault() == nil {
					t.Error("no fault after a failed write")
				}
				r.Write(record("3"))
				time.Sleep(time.Second)
				if err := r.Fault(); !errors.Is(err, test.wantFault) {
					t.Errorf("fault %v, want %v", err, test.wantFault)
				}
				wantEvents(t, bytes.Join(p.all(), nil), test.want...)
				if diff := cmp.Diff(test.counts, r.Counts()); diff != "" {
					t.Errorf("counts (-want +got)\n%s", diff)
				}
				closeRecorder(t, r)
				if test.wantFault != nil {
					wantEvents(t, bytes.Join(p.all(), nil), append(test.want, 2.0)...)
				}
			})
		})
	}
}

func TestAnOutputThatIsNeverReadHoldsNobodyUp(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r := audit.New(writer, audit.Limits{FlushAfter: time.Millisecond, BufferBytes: 1 << 20})
	// More than a pipe holds waits when the first record is dropped.
	long := record(strings.Repeat("a", 250))
	for r.Counts().Dropped == 0 {
		r.Write(long)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v, want that its time ran out", err)
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	closeRecorder(t, r)
	_ = writer.Close()
}

func TestAFileIsAppendedToAndReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, []byte("{\"request_id\":\"before\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := audit.Open(path, audit.Limits{FlushAfter: time.Hour, FlushBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.Write(record("one"))
	waitUntil(t, func() bool { return r.Counts().Written == 1 })
	moved := path + ".1"
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	r.Write(record("two"))
	closeRecorder(t, r)
	wantFile(t, moved, "before", "one")
	wantFile(t, path, "two")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v, %v; want at most 0640", info.Mode(), err)
	}
	if err := r.Reopen(); err != nil {
		t.Errorf("Reopen after Close: %v", err)
	}
}

func wantFile(t *testing.T, path string, want ...any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, text, want...)
}

func waitUntil(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it never came about")
		}
	}
}

func TestReopenThatFailsKeepsTheFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := audit.Open(filepath.Join(dir, "audit.jsonl"), audit.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".1"); err != nil {
		t.Fatal(err)
	}
	if err := r.Reopen(); err == nil {
		t.Error("Reopen without a folder gave no error")
	}
	r.Write(record("kept"))
	closeRecorder(t, r)
	wantFile(t, filepath.Join(dir+".1", "audit.jsonl"), "kept")
}

func TestOutputs(t *testing.T) {
	for name, test := range map[string]struct {
		to        string
		wantError string
	}{
		"none":             {to: "none"},
		"standard output":  {to: "stdout"},
		"standard error":   {to: "stderr"},
		"nothing is named": {wantError: "no output"},
		"a folder":         {to: t.TempDir(), wantError: "is a directory"},
		"a missing folder": {to: filepath.Join(t.TempDir(), "no", "file"), wantError: "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := audit.Open(test.to, audit.Limits{})
			if test.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantError) {
					t.Errorf("error %v, want %q", err, test.wantError)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Reopen(); err != nil {
				t.Errorf("Reopen: %v", err)
			}
			if test.to == "none" {
				r.Write(record("nowhere"))
			}
			closeRecorder(t, r)
			closeRecorder(t, r)
			if got := r.Counts(); got != (audit.Counts{}) {
				t.Errorf("counts %+v", got)
			}
		})
	}
}

func TestManyWriters(t *testing.T) {
	p := new(pages)
	r := audit.New(p, audit.Limits{FlushBytes: 1000, FlushAfter: time.Millisecond})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 200 {
				r.Write(record("x"))
			}
		})
	}
	wait.Wait()
	closeRecorder(t, r)
	if got := len(events(t, bytes.Join(p.all(), nil))); got != 1600 || r.Counts().Written != 1600 {
		t.Errorf("%d lines, counts %+v; want 1600", got, r.Counts())
	}
}

func TestWritingNeedsNoMemory(t *testing.T) {
	r := audit.New(io.Discard, audit.Limits{FlushAfter: time.Hour, FlushBytes: 1 << 30, BufferBytes: 1 << 10})
	defer closeRecorder(t, r)
	full := whole()
	full.Chain = nil // of a refusal
	if got := testing.AllocsPerRun(1000, func() { r.Write(&full) }); got != 0 {
		t.Errorf("%v allocations a record", got)
	}
}

func BenchmarkWrite(b *testing.B) {
	r := audit.New(io.Discard, audit.Limits{})
	full := whole()
	full.Chain = nil // of a refusal
	b.ReportAllocs()
	for b.Loop() {
		r.Write(&full)
	}
	if err := r.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(r.Counts().Dropped)/float64(b.N), "dropped/op")
}

func BenchmarkWriteParallel(b *testing.B) {
	r := audit.New(io.Discard, audit.Limits{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		full := whole()
		for pb.Next() {
			r.Write(&full)
		}
	})
	if err := r.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
