package extauthz

import "github.com/certbearer/certbearer/policies/decision"

// Row is a row of the table of reasons as the tests see it.
type Row struct {
	Status          int
	Code, Challenge string
}

// RowOf returns the row of a Reason and whether the table has it.
func RowOf(reason decision.Reason) (Row, bool) {
	a, listed := answerTo(reason)
	return Row{a.status.HTTP(), a.code, a.challenge}, listed
}
