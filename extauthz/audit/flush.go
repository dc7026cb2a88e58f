package audit

import (
	"io"
	"strconv"
	"time"
)

// run is the Recorder's goroutine.
func (r *Recorder) run() {
	defer close(r.ended)
	timer := time.NewTimer(r.limits.FlushAfter)
	defer timer.Stop()
	for {
		select {
		case <-r.first:
			timer.Reset(r.limits.FlushAfter)
			r.gather(timer.C)
		case <-r.full:
		case <-r.end:
			r.flush()
			return
		}
		r.flush()
	}
}

// gather waits until the first record of the buffer is old enough.
func (r *Recorder) gather(old <-chan time.Time) {
	select {
	case <-old:
	case <-r.full:
	case <-r.end:
	}
}

// batch is what one write takes: records up to notice, and from there the line
// that tells how many are missing.
type batch struct {
	lines   []byte
	notice  int
	missing uint64
}

func (r *Recorder) flush() {
	b := r.take()
	r.output.turn()
	if len(b.lines) == 0 {
		return
	}
	written, err := r.write(b.lines)
	r.settle(b, written, err)
}

// take swaps the buffers.
func (r *Recorder) take() batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := batch{lines: r.buffer, notice: len(r.buffer), missing: r.missing}
	if b.missing > 0 {
		b.lines = appendMissing(b.lines, time.Now(), b.missing)
	}
	r.buffer, r.missing = r.spare[:0], 0
	r.spare = b.lines
	return b
}

func appendMissing(to []byte, at time.Time, missing uint64) []byte {
	to = append(to, `{"time":"`...)
	to = at.UTC().AppendFormat(to, time.RFC3339Nano)
	to = append(to, `","event":"audit_dropped","count":`...)
	to = strconv.AppendUint(to, missing, 10)
	return append(to, '}', '\n')
}

// write begins a new line if the last write ended within one, so that one lost
// record does not spoil the next.
func (r *Recorder) write(lines []byte) (int, error) {
	if r.torn {
		if _, err := r.output.write([]byte{'\n'}); err != nil {
			return 0, err
		}
		r.torn = false
	}
	written, err := r.output.write(lines)
	if err == nil && written < len(lines) {
		err = io.ErrShortWrite
	}
	r.torn = written > 0 && lines[written-1] != '\n'
	return written, err
}

// settle counts what the write took whole; the rest is missing from now on.
func (r *Recorder) settle(b batch, written int, err error) {
	whole := records(b.lines[:min(written, b.notice)])
	lost := records(b.lines[:b.notice]) - whole
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Written += whole
	r.counts.Dropped += lost
	r.missing += lost
	if written < len(b.lines) {
		r.missing += b.missing
	}
	if err != nil {
		r.counts.WriteErrors++
	}
	r.fault = err
}
