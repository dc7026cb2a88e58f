package decision

import "fmt"

// Step is one of the numbered steps of docs/request-path.md.
type Step string

// The steps, in the order in which a request takes them.
const (
	StepRoute         Step = "route"
	StepEvidence      Step = "evidence"
	StepAuthorization Step = "authorization"
	StepResolve       Step = "resolve"
	StepJudge         Step = "judge"
	StepToken         Step = "token"
	StepAnswer        Step = "answer"
)

// Outcome says what an entry of a Trace means for the decision.
type Outcome string

// The outcomes. Noted is a fact that decides nothing by itself.
const (
	Passed Outcome = "pass"
	Failed Outcome = "fail"
	Noted  Outcome = "note"
)

// Entry is one line of a Trace.
type Entry struct {
	Step    Step    `json:"step"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail"`
}

// Trace collects why a decision fell as it did. A nil *Trace records nothing;
// callers whose arguments cost something ask [Trace.On] first. It is not safe
// for concurrent use: one decision, one Trace.
type Trace struct {
	entries []Entry
}

// On reports whether entries are kept.
func (t *Trace) On() bool { return t != nil }

// Pass records that a check of the step held.
func (t *Trace) Pass(step Step, format string, args ...any) { t.add(step, Passed, format, args) }

// Fail records that a check of the step did not hold.
func (t *Trace) Fail(step Step, format string, args ...any) { t.add(step, Failed, format, args) }

// Note records a fact.
func (t *Trace) Note(step Step, format string, args ...any) { t.add(step, Noted, format, args) }

// Entries returns what was recorded, in order. The slice is the caller's.
func (t *Trace) Entries() []Entry {
	if t == nil {
		return nil
	}
	return append([]Entry(nil), t.entries...)
}

func (t *Trace) add(step Step, outcome Outcome, format string, args []any) {
	if t == nil {
		return
	}
	t.entries = append(t.entries, Entry{Step: step, Outcome: outcome, Detail: fmt.Sprintf(format, args...)})
}
