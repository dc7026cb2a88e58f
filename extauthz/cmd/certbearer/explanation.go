package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

// explanation is what explain prints.
type explanation struct {
	Allowed bool             `json:"allowed"`
	Mode    string           `json:"mode,omitempty"` // "shadow": none of it is carried out
	Reason  decision.Reason  `json:"reason"`
	Detail  string           `json:"detail,omitempty"`
	Route   string           `json:"route,omitempty"`
	Client  string           `json:"client,omitempty"`
	Status  int              `json:"status,omitempty"` // of the refusal
	Error   string           `json:"error,omitempty"`  // OAuth's, of the refusal
	Token   *expectedToken   `json:"token,omitempty"`
	Advice  string           `json:"advice"`
	Steps   []decision.Entry `json:"steps"`
	// Tried are the paths that were tried, by client: by that which decided, or by
	// those that a refused certificate comes near to.
	Tried []clientTried `json:"tried,omitempty"`
	// Facts are what an operator would look up next about a refusal.
	Facts []string `json:"facts,omitempty"`
	// WouldPass is what would make a refused request pass; nil: nobody looked.
	WouldPass []way `json:"would_pass,omitzero"`

	of extauthz.Explanation
}

// expectedToken is the token that an allowed request would carry.
type expectedToken struct {
	Audience string   `json:"audience"`
	Scope    []string `json:"scope,omitempty"`
	Bound    bool     `json:"bound"` // cnf names the certificate
	Seconds  int64    `json:"expires_in"`
}

func newExplanation(of extauthz.Explanation, steps []decision.Entry) *explanation {
	e := &explanation{
		Allowed: of.Err == nil && of.Reason.Allows(),
		Reason:  of.Reason,
		Status:  of.Status,
		Error:   of.OAuthError,
		Advice:  advice(of.Reason),
		Steps:   steps,
		of:      of,
	}
	if of.Shadow {
		e.Mode = "shadow"
	}
	if of.Err != nil {
		field, cause := placeOf(of.Err)
		e.Detail = strings.Trim(field+": "+cause, ": ")
	}
	if of.Route != nil {
		e.Route = of.Route.Name
	}
	if of.Identity.Client != nil {
		e.Client = of.Identity.Client.ID()
	}
	return e
}

// readFrom puts where the certificates were found into the step that read them, where
// they stood in for what a proxy sends in another form.
func (e *explanation) readFrom(place string) {
	const stoodIn = ", from " + string(peercert.Peer)
	for i, step := range e.Steps {
		if detail, found := strings.CutSuffix(step.Detail, stoodIn); found && step.Step == decision.StepEvidence {
			e.Steps[i].Detail = detail + ", from " + place
		}
	}
}

// describeToken says what would be injected, as extauthz asks tokens for it.
func (e *explanation) describeToken(settings *config.Config, at time.Time) {
	if e.Reason != decision.Allowed {
		return
	}
	route := e.of.Route
	lifetime := min(settings.InjectedTokenLifetime, e.of.Identity.Accepted.TokensUntil.Sub(at))
	e.Token = &expectedToken{
		Audience: route.Audience,
		Scope:    e.of.Identity.Client.NarrowScope(route.Scope),
		Bound:    route.Inject.Bind == tokens.BindCertificate,
		Seconds:  int64(lifetime / time.Second),
	}
}

func (e *explanation) print(w io.Writer) error {
	if err := e.printSteps(w); err != nil {
		return err
	}
	summary := e.summary()
	for _, fact := range e.Facts {
		summary = append(summary, labelled{"fact", fact})
	}
	summary = append(summary, e.ways()...)
	return printLabelled(w, append(summary, labelled{"what to do", e.Advice}))
}

// printSteps prints the steps, the paths that were tried, and an empty line after
// each.
func (e *explanation) printSteps(w io.Writer) error {
	rows := [][]string{{"STEP", "OUTCOME", "DETAIL"}}
	for _, step := range e.Steps {
		rows = append(rows, []string{string(step.Step), string(step.Outcome), step.Detail})
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return e.printTried(w)
}

type labelled struct{ label, text string }

// printLabelled prints a line for each text that is not empty.
func printLabelled(w io.Writer, lines []labelled) error {
	for _, line := range lines {
		if line.text == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-12s  %s\n", line.label, printable(line.text)); err != nil {
			return err
		}
	}
	return nil
}

func (e *explanation) verdict() string {
	if e.Allowed {
		return "allowed: " + e.Reason.String()
	}
	return "refused: " + e.Reason.String()
}

func (e *explanation) summary() []labelled {
	mode := ""
	if e.Mode != "" {
		mode = "shadow: the request passes as it came; the rest is what would be"
	}
	return []labelled{
		{"decision", e.verdict()}, {"mode", mode}, {"because", e.Detail}, {"route", e.Route},
		{"client", e.Client}, {"caller gets", e.outcome()},
	}
}

// outcome is what becomes of the request.
func (e *explanation) outcome() string {
	switch {
	case !e.Allowed:
		return fmt.Sprintf("%d %s", e.Status, e.Error)
	case e.Reason == decision.AllowedEndpoint:
		return "the endpoint's answer; the request carries what the connection proved"
	case e.Token == nil:
		return "the upstream's answer; the request carries no token"
	}
	text := "the upstream's answer; the request carries a token for " + e.Token.Audience
	if len(e.Token.Scope) > 0 {
		text += " with scope " + strings.Join(e.Token.Scope, " ")
	}
	if e.Token.Bound {
		text += ", bound to the certificate"
	}
	return text + ", for " + span(time.Duration(e.Token.Seconds)*time.Second)
}
