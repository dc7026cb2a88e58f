package revocation

import (
	"context"
	"net/url"
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
	// readAtOnce bounds the lists that are parsed at once: a million entries take
	// most of a second.
	readAtOnce = 2
)

// slots says who may fetch now. Whoever waits, waits: that others are slow is not a
// location's fault.
type slots struct {
	lists, questions, reading chan struct{}

	mu    sync.Mutex
	hosts map[string]*hostSlots
}

// hostSlots are those of one host, for lists or for questions.
type hostSlots struct {
	free chan struct{}
	used int // by whoever fetches or waits
}

func newSlots() *slots {
	return &slots{lists: make(chan struct{}, listsAtOnce), questions: make(chan struct{}, questionsAtOnce),
		reading: make(chan struct{}, readAtOnce), hosts: make(map[string]*hostSlots)}
}

// take waits for a slot of the host, and then for one of all. The function that it
// returns gives both back; it is nil if the context ended before.
func (s *slots) take(ctx context.Context, l Location) func() {
	all, most, kind := s.lists, listsOfHost, "crl "
	if l.Certificate != nil {
		all, most, kind = s.questions, questionsOfHost, "ocsp "
	}
	name := kind + hostOf(l.URL)
	host := s.join(name, most)
	if !acquire(ctx, host.free) {
		s.leave(name, host)
		return nil
	}
	if !acquire(ctx, all) {
		<-host.free
		s.leave(name, host)
		return nil
	}
	return func() {
		<-all
		<-host.free
		s.leave(name, host)
	}
}

// read is for what is read and parsed.
func (s *slots) read(ctx context.Context) func() {
	if !acquire(ctx, s.reading) {
		return nil
	}
	return func() { <-s.reading }
}

func (s *slots) join(name string, most int) *hostSlots {
	s.mu.Lock()
	defer s.mu.Unlock()
	host := s.hosts[name]
	if host == nil {
		host = &hostSlots{free: make(chan struct{}, most)}
		s.hosts[name] = host
	}
	host.used++
	return host
}

func (s *slots) leave(name string, host *hostSlots) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if host.used--; host.used == 0 {
		delete(s.hosts, name)
	}
}

func acquire(ctx context.Context, slot chan struct{}) bool {
	select {
	case slot <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// hostOf returns the host and port of a location, as one is meant by all spellings.
func hostOf(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
