package decision

import (
	"errors"
	"fmt"
	"strings"
)

// Denial is the error that refuses a request. Field says where the fault lies,
// in the words of the input ("x-forwarded-client-cert", "certificate 2 of the
// chain", "route api"); it may be empty. Cause is the error underneath, or nil.
// Neither ever holds a key, a secret or a token.
type Denial struct {
	Reason Reason
	Field  string
	Cause  error
}

// Deny builds a Denial. cause may be nil.
func Deny(reason Reason, field string, cause error) *Denial {
	return &Denial{Reason: reason, Field: field, Cause: cause}
}

// Denyf builds a Denial whose cause is the formatted text; %w wraps.
func Denyf(reason Reason, field, format string, args ...any) *Denial {
	return Deny(reason, field, fmt.Errorf(format, args...))
}

// Error returns "reason: field: cause", leaving out what is empty.
func (d *Denial) Error() string {
	parts := []string{d.Reason.String()}
	if d.Field != "" {
		parts = append(parts, d.Field)
	}
	if d.Cause != nil {
		parts = append(parts, d.Cause.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (d *Denial) Unwrap() error { return d.Cause }

// ReasonOf returns the reason for which err refuses. An error that is no
// Denial, a nil error, and a Denial that names an allowing reason are all
// [InternalError]: whoever asks for the reason of a refusal never gets one that
// allows.
func ReasonOf(err error) Reason {
	var denial *Denial
	if !errors.As(err, &denial) || denial == nil || denial.Reason.Allows() {
		return InternalError
	}
	return denial.Reason
}
