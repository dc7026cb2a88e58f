package revocation

import (
	"context"
	"errors"
	"net"
)

// Class is what was wrong with an attempt to learn of revocations, of a closed set,
// for metrics. The zero value is anything else.
type Class uint8

// The classes.
const (
	// Unreachable: no connection, no name, or an answer that broke off.
	Unreachable Class = iota
	// Forbidden: the location, or the address that it led to, is none that is
	// fetched from.
	Forbidden
	// TimedOut: the answer did not come in time.
	TimedOut
	// Declined: the answer has another status than 200, or is an OCSP error.
	Declined
	// TooLarge: the answer has more bytes than there may be.
	TooLarge
	// Malformed: the answer is no CRL and no OCSP answer about the certificate.
	Malformed
	// Unsigned: nobody who may has signed the answer.
	Unsigned
	// Stale: the answer has ended, is of the future, or is older than what is known.
	Stale
	// OverQuota: there is no room for the answer.
	OverQuota
	classCount
)

// Classes lists them all.
func Classes() []Class {
	var all []Class
	for c := range classCount {
		all = append(all, c)
	}
	return all
}

// String returns the label's value, such as "timed_out".
func (c Class) String() string {
	return [...]string{"unreachable", "forbidden", "timed_out", "declined", "too_large", "malformed", "unsigned", "stale", "over_quota", "unknown"}[min(c, classCount)]
}

// classed is an error with its class. The text is the error's.
type classed struct {
	error
	class Class
}

func (c classed) Unwrap() error { return c.error }

// in gives an error its class, unless it has one.
func in(class Class, err error) error {
	var has classed
	if err == nil || errors.As(err, &has) {
		return err
	}
	return classed{err, class}
}

// ClassOf returns the class of what an attempt ended with.
func ClassOf(err error) Class {
	var has classed
	var timeout net.Error
	switch {
	case errors.As(err, &has):
		return has.class
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	}
	return Unreachable
}
