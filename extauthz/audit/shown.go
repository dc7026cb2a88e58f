package audit

import (
	"crypto/sha256"
	"sync"
	"time"
)

// The bounds of what is written of certificates. A certificate that is refused all
// day is in the log once an hour, and after each rotation, so that a day's file
// explains itself. Whoever makes a new certificate for each request fills the log no
// faster than maxShownPerMinute of them.
const (
	maxShown          = 4096 // chains that are remembered; the oldest is forgotten first
	shownAgainAfter   = time.Hour
	maxShownPerMinute = 300
)

// shown remembers which chains the output has.
type shown struct {
	mu    sync.Mutex
	at    map[[32]byte]time.Time
	order [][32]byte // a ring, once it is full
	next  int

	minute time.Time
	count  int
}

// chainKey is the same for the same certificates in the same order.
func chainKey(chain [][]byte) [32]byte {
	hash := sha256.New()
	for _, der := range chain {
		sum := sha256.Sum256(der)
		hash.Write(sum[:])
	}
	return [32]byte(hash.Sum(nil))
}

// due reports whether the chain is to be written now, and takes it for written.
func (s *shown) due(key [32]byte, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, known := s.at[key]; known && at.Sub(last) < shownAgainAfter {
		return false
	}
	if minute := at.Truncate(time.Minute); !minute.Equal(s.minute) {
		s.minute, s.count = minute, 0
	}
	if s.count == maxShownPerMinute {
		return false
	}
	s.count++
	s.remember(key, at)
	return true
}

func (s *shown) remember(key [32]byte, at time.Time) {
	if s.at == nil {
		s.at = make(map[[32]byte]time.Time)
	}
	_, known := s.at[key]
	s.at[key] = at
	switch {
	case known:
	case len(s.order) < maxShown:
		s.order = append(s.order, key)
	default:
		delete(s.at, s.order[s.next])
		s.order[s.next] = key
		s.next = (s.next + 1) % maxShown
	}
}

// forget is for a chain whose record was dropped, and is written with the next one.
func (s *shown) forget(key [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.at[key]; known {
		s.at[key] = time.Time{}
	}
}

// clear is for an output that begins anew.
func (s *shown) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.order, s.next = nil, nil, 0
}
