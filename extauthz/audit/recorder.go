package audit

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Limits are a Recorder's bounds. A zero field means the default that stands
// beside it.
type Limits struct {
	FlushAfter time.Duration // the age of a record when it is written; 100 ms
	FlushBytes int           // or the size of the buffer; 64 KiB
	// BufferBytes bounds the records that wait while the output does not keep
	// up; 4 MiB. As many again may be on their way out.
	BufferBytes int
}

func (l Limits) orDefaults() Limits {
	return Limits{
		FlushAfter:  cmp.Or(l.FlushAfter, 100*time.Millisecond),
		FlushBytes:  cmp.Or(l.FlushBytes, 64<<10),
		BufferBytes: cmp.Or(l.BufferBytes, 4<<20),
	}
}

// Recorder writes records, one line of JSON each. It is safe for concurrent
// use. Only its own goroutine meets the output, which may be slow or dead.
type Recorder struct {
	limits Limits
	output *output // nil: records go nowhere

	first chan struct{} // the buffer was empty and is no more, or Reopen
	full  chan struct{} // the buffer has FlushBytes
	end   chan struct{}
	ended chan struct{}

	shown shown // the certificates that the output has

	mu      sync.Mutex
	buffer  []byte
	missing uint64 // dropped and not yet told
	counts  Counts
	fault   error
	closed  bool

	// Only the goroutine uses these.
	spare []byte
	torn  bool // the last write ended within a line
}

// Counts says what became of the records so far.
type Counts struct {
	Written     uint64 // by the output, taken whole
	Dropped     uint64 // lost, because the output did not keep up or failed
	WriteErrors uint64 // failed writes, of many records each
}

// Open starts a Recorder that writes to "stdout", "stderr", a file, which is
// appended to and created with mode 0640, or to "none".
func Open(to string, limits Limits) (*Recorder, error) {
	out, err := openOutput(to)
	if err != nil {
		return nil, err
	}
	return start(out, limits), nil
}

// New starts a Recorder that writes to w, from one goroutine and whole lines
// at a time. It does not close w.
func New(w io.Writer, limits Limits) *Recorder {
	return start(&output{writer: w}, limits)
}

func start(out *output, limits Limits) *Recorder {
	r := &Recorder{
		limits: limits.orDefaults(), output: out,
		first: make(chan struct{}, 1), full: make(chan struct{}, 1),
		end: make(chan struct{}), ended: make(chan struct{}),
	}
	if out == nil {
		close(r.ended)
		return r
	}
	go r.run()
	return r
}

// lineBytes is above almost every record, so that encoding one needs no memory
// of the heap.
const lineBytes = 1536

// Write takes a record. It never waits for the output: what does not fit into
// the buffer, or comes after Close, is dropped and counted.
//
// The certificates of a record are written with the first one that has them, and
// again after an hour and after Reopen. The last 4096 chains are remembered, and of
// 300 a minute at most the certificates are written.
func (r *Recorder) Write(record *Record) {
	if r.output == nil {
		return
	}
	if len(record.Chain) == 0 {
		r.put(record)
		return
	}
	key := chainKey(record.Chain)
	if !r.shown.due(key, record.Time) {
		without := *record
		without.Chain = nil
		r.put(&without)
		return
	}
	if !r.put(record) {
		r.shown.forget(key)
	}
}

// put reports whether there was room.
func (r *Recorder) put(record *Record) bool {
	// Encoded before the lock is taken: callers share only the copying.
	var space [lineBytes]byte
	line := append(record.AppendJSON(space[:0]), '\n')

	r.mu.Lock()
	before := len(r.buffer)
	if r.closed || before+len(line) > r.limits.BufferBytes {
		r.missing++
		r.counts.Dropped++
		r.mu.Unlock()
		return false
	}
	r.buffer = append(r.buffer, line...)
	after := len(r.buffer)
	r.mu.Unlock()

	if before == 0 {
		signal(r.first)
	}
	if before < r.limits.FlushBytes && after >= r.limits.FlushBytes {
		signal(r.full)
	}
	return true
}

// Counts returns what became of the records so far.
func (r *Recorder) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// Fault returns why the latest write failed, or nil if it did not.
func (r *Recorder) Fault() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// Reopen opens a file by its name again, after it was moved away (SIGHUP). On
// an error the old one stays in use. Other outputs stay as they are.
func (r *Recorder) Reopen() error {
	if r.output == nil {
		return nil
	}
	if err := r.output.reopen(); err != nil {
		return err
	}
	r.shown.clear()
	signal(r.first)
	return nil
}

// Close writes what waits and ends the Recorder. If ctx ends first, the error
// says so and the rest is lost.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	if !r.closed && r.output != nil {
		close(r.end)
	}
	r.closed = true
	r.mu.Unlock()
	if r.output == nil {
		return nil
	}
	select {
	case <-r.ended:
		return r.output.close()
	case <-ctx.Done():
		_ = r.output.close()
		return fmt.Errorf("audit: the output took no more records: %w", ctx.Err())
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// records counts whole lines.
func records(lines []byte) uint64 { return uint64(bytes.Count(lines, []byte{'\n'})) }
