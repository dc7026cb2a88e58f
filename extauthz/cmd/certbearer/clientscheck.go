package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/dirsource"
)

// maxFindings bounds what clients check prints; all of it is counted.
const maxFindings = 1000

type clientsCheckCommand struct {
	clientsFolder
	JSON bool `name:"json" help:"Print JSON."`
}

// Help says what stands below the flags.
func (clientsCheckCommand) Help() string {
	return `An error is a document that cannot be used: a server keeps its last good version,
or lets nobody in as its client. A warning is something that works otherwise
than it seems to, or soon will not: certificates that have ended or end within
30 days, weak keys, CAs that several clients share, trust stores that accept
nobody.

  certbearer clients check
  certbearer clients check ./clients && git commit

Exit codes: 0 no errors, though there may be warnings; 1 errors; 2 could not tell.`
}

// severity says what a finding means for the client.
type severity string

const (
	isError   severity = "error"
	isWarning severity = "warning"
)

// finding is one thing that is wrong.
type finding struct {
	Severity severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	Document int      `json:"document,omitempty"`
	Client   string   `json:"client,omitempty"`
	Field    string   `json:"field,omitempty"`
	Problem  string   `json:"problem"`
}

// clientsReport is what clients check prints.
type clientsReport struct {
	Documents int       `json:"documents"`
	Clients   int       `json:"clients"`
	Errors    int       `json:"errors"`
	Warnings  int       `json:"warnings"`
	Findings  []finding `json:"findings"`

	dir string
}

// Run checks the folder.
func (k clientsCheckCommand) Run(c *console) error {
	source, err := k.source()
	if err != nil {
		return err
	}
	report, err := checkClients(source, time.Now())
	if err != nil {
		return k.inArgument(err)
	}
	if k.JSON {
		err = printJSON(c.stdout, report)
	} else {
		err = report.print(c.stdout)
	}
	if err == nil && report.Errors > 0 {
		return no()
	}
	return err
}

func checkClients(source dirsource.Config, at time.Time) (*clientsReport, error) {
	snapshot, found, err := dirsource.Load(source)
	if err != nil {
		return nil, err
	}
	report := &clientsReport{Documents: found.Documents, Clients: usable(snapshot), Findings: []finding{}, dir: source.Dir}
	for _, fault := range found.Faults {
		report.add(isError, fault)
	}
	for _, warning := range found.Warnings {
		report.add(isWarning, warning)
	}
	examiner := newExaminer(snapshot, source.Options, at)
	err = eachDocument(source.Dir, func(file string, number int, document policies.Document) {
		for _, f := range examiner.examine(document) {
			report.add(isWarning, policies.Fault{File: file, Document: number, ClientID: document.ID, Field: f.field, Problem: f.problem})
		}
	})
	return report, err
}

// usable counts the clients that are not only what is left of a faulty document.
func usable(snapshot *policies.Snapshot) int {
	count := 0
	for client := range snapshot.All() {
		if !client.IsRemnant() {
			count++
		}
	}
	return count
}

func (r *clientsReport) add(level severity, fault policies.Fault) {
	if level == isError {
		r.Errors++
	} else {
		r.Warnings++
	}
	if len(r.Findings) == maxFindings {
		return
	}
	r.Findings = append(r.Findings, finding{
		Severity: level,
		File:     filepath.Join(r.dir, fault.File),
		Line:     fault.Line,
		Document: fault.Document,
		Client:   fault.ClientID,
		Field:    fault.Field,
		Problem:  fault.Problem,
	})
}

// print begins each line as compilers do, so that editors find the place.
func (r *clientsReport) print(w io.Writer) error {
	for _, f := range r.Findings {
		if _, err := fmt.Fprintln(w, printable(f.line())); err != nil {
			return err
		}
	}
	if more := r.Errors + r.Warnings - len(r.Findings); more > 0 {
		if _, err := fmt.Fprintf(w, "and %d more\n", more); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s, %s, %s, %s\n", counted(r.Documents, "document"), counted(r.Clients, "client"), counted(r.Errors, "error"), counted(r.Warnings, "warning"))
	return err
}

func (f finding) line() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	fault := policies.Fault{Document: f.Document, ClientID: f.Client, Field: f.Field, Problem: f.Problem}
	return fmt.Sprintf("%s: %s: %s", place, f.Severity, strings.TrimPrefix(fault.Error(), ": "))
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
