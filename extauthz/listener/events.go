package listener

import (
	"net"
	"runtime/debug"
)

// Events are told what an operator wants to know. Each may be nil, must be
// quick and is called from many goroutines.
type Events struct {
	// Panicked is called when a handler panicked; its request got an error.
	Panicked func(Panic)
	// Reloaded is called when the files of mTLS were read again: nil, or why
	// the last good ones stay in use. The same fault is told once.
	Reloaded func(error)
	// Refused is called for each failed TLS handshake with a caller of evidence, and
	// for each connection that is no proxy's. Strangers can cause these at will, so
	// whoever logs them limits the rate.
	Refused func(remote net.Addr, err error)
}

// Panic is what a handler left behind.
type Panic struct {
	Where string // "/package.Service/Method", or "POST /oauth2/token" without the query
	Value any
	Stack []byte
}

func (e Events) panicked(where string, value any) {
	if e.Panicked != nil {
		e.Panicked(Panic{Where: where, Value: value, Stack: debug.Stack()})
	}
}
