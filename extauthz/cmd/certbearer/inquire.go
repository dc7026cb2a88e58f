package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/policies"
)

// inquire adds to an explanation which paths were tried, by the client that decided
// or by those that the certificate comes near to, and what would make a refused
// request pass. decide decides the same request in another world.
func (e *explanation) inquire(dir string, in world, decide func(world) extauthz.Explanation) error {
	if len(in.presented) == 0 || e.of.Identity.Evidence.Leaf == nil {
		return nil
	}
	named := []string{in.clientID}
	if client := e.of.Identity.Client; client != nil {
		named = append(named, client.ID())
	}
	if e.Allowed {
		return e.tellAccepted()
	}
	near, err := nearTo(in.clients, dir, in.presented, named...)
	if err != nil {
		return err
	}
	e.tellTried(in, near)
	if !mayBeMended(e.Reason) {
		return nil
	}
	in.drafts = make(map[string]policies.Draft)
	for _, one := range near {
		in.drafts[one.client.ID()] = one.draft
	}
	search := whatIf{decide: decide, left: maxWhatIfs}
	e.WouldPass = append([]way{}, search.waysOut(in, e.of, near)...)
	return nil
}

func (e *explanation) tellAccepted() error {
	id := e.of.Identity
	if id.Client != nil && id.Tried != nil {
		e.Tried = []clientTried{{Client: id.Client.ID(), Decided: true, Accepted: true, triedJSON: newTriedJSON(id.Tried), tried: id.Tried}}
	}
	return nil
}

func (e *explanation) tellTried(in world, near []nearby) {
	for _, one := range near {
		client := e.of.Identity.Client
		if client == nil {
			e.Tried = append(e.Tried, one.triedBy(in))
		} else if client.ID() == one.client.ID() {
			told := one.told(e.of.Identity.Tried, in, e.of.Err)
			told.Decided = true
			e.Tried = append(e.Tried, told)
		}
	}
}

// printTried prints a row for each certificate of each path that was tried.
func (e *explanation) printTried(w io.Writer) error {
	rows := [][]string{{"CLIENT", "PATH", "CERTIFICATE", "OUTCOME"}}
	for _, one := range e.Tried {
		for _, row := range attemptRows(one.tried) {
			rows = append(rows, append([]string{one.Client}, row...))
		}
	}
	if len(rows) == 1 {
		return nil
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// triedFacts say what stood beside the paths, and which certificates of a store are
// like the one presented.
func (e *explanation) triedFacts() []string {
	var facts []string
	for _, one := range e.Tried {
		if one.Accepted {
			continue
		}
		for _, note := range besidePaths(one.tried) {
			facts = append(facts, "client "+one.Client+": "+note)
		}
		if fact := one.pinsFact(); fact != "" {
			facts = append(facts, fact)
		}
	}
	return facts
}

// pinsFact says which certificates a client pins that is refused for its not being
// one of them.
func (t clientTried) pinsFact() string {
	if len(t.Pins) == 0 || len(t.tried.Attempts) > 0 {
		return ""
	}
	var shown []string
	for _, pin := range t.Pins[:min(len(t.Pins), maxFacts)] {
		shown = append(shown, fmt.Sprintf("%q, of SHA-256 %s, until %s", shortened(pin.Certificate.name), pin.Certificate.Thumbprint, stamp(pin.Certificate.NotAfter)))
	}
	if len(t.Pins)+t.OmittedPins > maxFacts {
		shown = append(shown, "others")
	}
	return "client " + t.Client + " pins " + strings.Join(shown, "; ")
}

// ways are the lines about what would make the request pass.
func (e *explanation) ways() []labelled {
	if e.WouldPass == nil {
		return nil
	}
	if len(e.WouldPass) == 0 {
		return []labelled{{"would pass", "with none of the changes that were tried"}}
	}
	var lines []labelled
	for _, one := range e.WouldPass {
		for i, c := range one.Changes {
			label := "would pass"
			if i > 0 {
				label = "  and"
			}
			lines = append(lines, labelled{label, c.Do})
			if c.Risk != "" {
				lines = append(lines, labelled{"  but", c.Risk})
			}
		}
	}
	return lines
}
