package run

import (
	"io"
	"strings"
	"sync"
)

// tail is a writer that keeps the last limit bytes.
type tail struct {
	limit int
	mu    sync.Mutex
	kept  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-t.limit):]...)
	if extra := len(t.kept) - t.limit; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

// lines returns the last n lines.
func (t *tail) lines(n int) string {
	all := strings.Split(strings.TrimSpace(t.String()), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// output takes what Envoy prints: all of it to the tail, the first left bytes to
// the log. It never fails, because Envoy must not stall on a full disk of ours.
type output struct {
	tail *tail
	log  io.Writer
	left int
}

func (o *output) Write(p []byte) (int, error) {
	if _, err := o.tail.Write(p); err != nil {
		return 0, err
	}
	if o.log == nil || o.left <= 0 {
		return len(p), nil
	}
	if _, err := o.log.Write(p[:min(len(p), o.left)]); err != nil {
		o.left = 0
		return len(p), nil
	}
	if o.left -= len(p); o.left <= 0 {
		o.end()
	}
	return len(p), nil
}

func (o *output) end() {
	if _, err := io.WriteString(o.log, "\n[the log of Envoy ends here: its limit is reached]\n"); err != nil {
		o.log = nil
	}
}
