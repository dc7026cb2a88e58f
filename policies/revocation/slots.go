package revocation

import (
	"container/list"
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
)

const (
	// listsAtOnce bounds the CRLs that are fetched at once, and so the memory of
	// fetches in progress.
	listsAtOnce = 8
	// questionsAtOnce bounds the OCSP questions at once.
	questionsAtOnce = 16
	// listsOfHost and questionsOfHost bound those of one host: one that stalls must
	// not keep the others from being asked.
	listsOfHost     = 2
	questionsOfHost = 4
	// listsOfClient and questionsOfClient bound those for one client: one that has many
	// hosts which stall, and ever new certificates of them, must not keep the others'
	// from being asked.
	listsOfClient     = 2
	questionsOfClient = 4
	// readAtOnce bounds the lists that are parsed at once: a million entries take
	// most of a second.
	readAtOnce = 2
	// maxAskedFor bounds for how many clients of a shared location it is looked who has
	// a turn.
	maxAskedFor = 16
)

// slots says who may fetch now. Whoever waits, waits: that others are slow is not a
// location's fault.
type slots struct {
	lists, questions *turns
	reading          chan struct{}
}

func newSlots() *slots {
	return &slots{
		lists:     newTurns(listsAtOnce, listsOfHost, listsOfClient),
		questions: newTurns(questionsAtOnce, questionsOfHost, questionsOfClient),
		reading:   make(chan struct{}, readAtOnce),
	}
}

// take waits for a turn of the location, for one of those who want it. The function
// that it returns ends it; it is nil if the context ended before.
func (s *slots) take(ctx context.Context, l Location, owners []string) func() {
	of := s.lists
	if l.Certificate != nil {
		of = s.questions
	}
	return of.take(ctx, hostOf(l.URL), owners)
}

// read is for what is read and parsed.
func (s *slots) read(ctx context.Context) func() {
	select {
	case s.reading <- struct{}{}:
		return func() { <-s.reading }
	case <-ctx.Done():
		return nil
	}
}

// turns has those who wait begin as soon as there are fewer than the bounds of all, of
// their host and of their client; of those who may, whose host and client had a turn
// the longest time ago. Nobody holds one thing while waiting for another.
type turns struct {
	most, mostOfHost, mostOfOwner int

	mu      sync.Mutex
	running int
	hosts   map[string]int
	owners  map[string]int
	queues  map[turn]*list.Element // of order
	order   list.List              // of *queue
}

type turn struct{ host, owner string }

type queue struct {
	turn
	waiting []chan struct{} // closed when it is their turn
}

func newTurns(most, ofHost, ofOwner int) *turns {
	return &turns{most: most, mostOfHost: ofHost, mostOfOwner: ofOwner,
		hosts: make(map[string]int), owners: make(map[string]int), queues: make(map[turn]*list.Element)}
}

func (t *turns) take(ctx context.Context, host string, owners []string) func() {
	begin := make(chan struct{})
	t.mu.Lock()
	of := turn{host: host}
	if len(owners) > 0 {
		of.owner = slices.MinFunc(owners, func(a, b string) int { return t.owners[a] - t.owners[b] })
	}
	if t.queues[of] == nil {
		t.queues[of] = t.order.PushBack(&queue{turn: of})
	}
	q := t.queues[of].Value.(*queue)
	q.waiting = append(q.waiting, begin)
	t.grant()
	t.mu.Unlock()
	select {
	case <-begin:
		return func() { t.end(of) }
	case <-ctx.Done():
		if !t.giveUp(of, begin) {
			t.end(of) // it was granted just now
		}
		return nil
	}
}

// grant is called with the lock held.
func (t *turns) grant() {
	for next := t.order.Front(); next != nil && t.running < t.most; {
		q, at := next.Value.(*queue), next
		next = next.Next()
		if t.hosts[q.host] >= t.mostOfHost || t.owners[q.owner] >= t.mostOfOwner {
			continue
		}
		close(q.waiting[0])
		q.waiting = q.waiting[1:]
		t.running++
		t.hosts[q.host]++
		t.owners[q.owner]++
		if len(q.waiting) == 0 {
			t.order.Remove(at)
			delete(t.queues, q.turn)
			continue
		}
		t.order.MoveToBack(at)
		if next == nil {
			next = at
		}
	}
}

func (t *turns) end(of turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running--
	if t.hosts[of.host]--; t.hosts[of.host] == 0 {
		delete(t.hosts, of.host)
	}
	if t.owners[of.owner]--; t.owners[of.owner] == 0 {
		delete(t.owners, of.owner)
	}
	t.grant()
}

// giveUp reports whether it was still waiting.
func (t *turns) giveUp(of turn, begin chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.queues[of]
	if at == nil {
		return false
	}
	q := at.Value.(*queue)
	i := slices.Index(q.waiting, begin)
	if i < 0 {
		return false
	}
	if q.waiting = slices.Delete(q.waiting, i, i+1); len(q.waiting) == 0 {
		t.order.Remove(at)
		delete(t.queues, of)
	}
	return true
}

// hostOf returns the host and port of a location, as one is meant by all spellings.
func hostOf(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
