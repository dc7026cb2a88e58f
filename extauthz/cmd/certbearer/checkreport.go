package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/certbearer/certbearer/policies"
)

// maxFindings bounds the errors that are shown, the warnings and the notes; all of them
// are counted.
const maxFindings = 1000

// finding is one thing that is wrong. Its JSON is an interface.
type finding struct {
	Severity severity `json:"severity"`
	Code     code     `json:"code"`
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	Document int      `json:"document,omitempty"`
	Client   string   `json:"client,omitempty"`
	Field    string   `json:"field,omitempty"`
	// Block counts the PEM blocks of the trust store; Subject, SAN in its place where
	// it is empty, and Thumbprint are of the certificate in it.
	Block      int    `json:"block,omitempty"`
	Subject    string `json:"subject,omitempty"`
	SAN        string `json:"san,omitempty"`
	Thumbprint string `json:"thumbprint,omitempty"`
	// Location is where revocations are, without its query.
	Location string `json:"location,omitempty"`
	Problem  string `json:"problem"`
	Advice   string `json:"advice"`
}

// clientsReport is what clients check prints.
type clientsReport struct {
	Documents int `json:"documents"`
	Clients   int `json:"clients"`
	Errors    int `json:"errors"`
	Warnings  int `json:"warnings"`
	Notes     int `json:"notes"`
	// Locations counts those that were asked, nil without --online.
	Locations *int      `json:"locations,omitempty"`
	Findings  []finding `json:"findings"`

	dir   string
	shown map[severity]int
}

// add counts a finding, and keeps it while there is room. Its file is named from
// the folder on.
func (r *clientsReport) add(f finding) {
	row := rowOf(f.Code)
	f.Severity, f.Advice = cmp.Or(f.Severity, row.Severity), row.Advice
	*map[severity]*int{isError: &r.Errors, isWarning: &r.Warnings, isNote: &r.Notes}[f.Severity]++
	if r.shown == nil {
		r.shown = make(map[severity]int)
	}
	if r.shown[f.Severity]++; r.shown[f.Severity] > maxFindings {
		return
	}
	f.File = filepath.Join(r.dir, f.File)
	r.Findings = append(r.Findings, f)
}

// addFault is add for what the source says.
func (r *clientsReport) addFault(c code, fault policies.Fault) {
	f := finding{Code: c, File: fault.File, Line: fault.Line, Document: fault.Document, Client: fault.ClientID, Field: fault.Field, Problem: fault.Problem}
	if fault.Block != nil {
		f.Block = fault.Block.Block
	}
	r.add(f)
}

// addCRLs is about the revocation lists beside the documents.
func (r *clientsReport) addCRLs(found policies.CRLs, at time.Time) {
	for _, fault := range found.Faults {
		r.addFault(codeCRLUnusable, fault)
	}
	for _, warning := range found.Warnings {
		r.addFault(codeCRLUnsigned, warning)
	}
	for _, file := range found.Files {
		for _, list := range file.Lists {
			if !at.Before(list.NextUpdate) {
				r.add(finding{Code: codeCRLEnded, File: file.Name, Problem: fmt.Sprintf("the %s ended at %s", list, stamp(list.NextUpdate))})
			}
		}
	}
}

// sort puts the findings in the order of files and documents.
func (r *clientsReport) sort() {
	slices.SortStableFunc(r.Findings, func(a, b finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Document, b.Document), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Block, b.Block), strings.Compare(string(a.Code), string(b.Code)))
	})
}

// print begins each line as compilers do, so that editors find the place. Below
// the findings it says what to do about each kind.
func (r *clientsReport) print(w io.Writer) error {
	var out strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintln(&out, printable(f.line()))
	}
	if more := r.Errors + r.Warnings + r.Notes - len(r.Findings); more > 0 {
		fmt.Fprintf(&out, "and %d more\n", more)
	}
	for _, row := range checkCodes() {
		if slices.ContainsFunc(r.Findings, func(f finding) bool { return f.Code == row.Code }) {
			fmt.Fprintf(&out, "  %s: %s\n", row.Code, strings.ReplaceAll(row.Advice, "`", ""))
		}
	}
	fmt.Fprintf(&out, "%s, %s, %s, %s", counted(r.Documents, "document"), counted(r.Clients, "client"), counted(r.Errors, "error"), counted(r.Warnings, "warning"))
	if r.Notes > 0 {
		fmt.Fprintf(&out, ", %s", counted(r.Notes, "note"))
	}
	if r.Locations != nil {
		fmt.Fprintf(&out, ", %s asked", counted(*r.Locations, "location"))
	}
	fmt.Fprintln(&out)
	_, err := io.WriteString(w, out.String())
	return err
}

func (f finding) line() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	fault := policies.Fault{Document: f.Document, ClientID: f.Client, Field: f.Field, Problem: f.Problem}
	return fmt.Sprintf("%s: %s: %s [%s]", place, f.Severity, strings.TrimPrefix(fault.Error(), ": "), f.Code)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
