package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Error is one fault of a configuration file.
type Error struct {
	// File is the name the file was loaded by.
	File string
	// Line counts from 1; 0 where no line can be named.
	Line int
	// Field is the dotted path, such as "routes[0].match.host" (lists count from
	// 0); empty if the fault is not in a field.
	Field string
	// Problem says what is wrong and, where it can, what to write instead.
	Problem string
}

// Error returns "file:line: field: problem", leaving out what is empty.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		b.WriteString(":" + strconv.Itoa(e.Line))
	}
	b.WriteString(": ")
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Errors holds the faults of one file by line. It is never empty.
type Errors []*Error

// Error returns the faults, one on a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults for errors.As.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// asError returns the faults by line, or nil: an interface that holds empty
// Errors would not be nil.
func (e Errors) asError() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	return e
}
