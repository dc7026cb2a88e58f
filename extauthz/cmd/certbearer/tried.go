package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// triedJSON is what verify and explain show of the search for a path. Its form is
// an interface: docs/validation.md has each field.
type triedJSON struct {
	Attempts []attemptJSON `json:"attempts"`
	Omitted  int           `json:"attempts_omitted,omitempty"`
	// The rest is of a search that found nothing.
	Missing     []pathCertificate `json:"issuer_missing,omitempty"`
	Idle        []pathCertificate `json:"idle_anchors,omitempty"`
	OmittedIdle int               `json:"idle_anchors_omitted,omitempty"`
	Unused      []unusedJSON      `json:"unused,omitempty"`
}

// attemptJSON is one path, the CA of the trust store first, as far as it came.
type attemptJSON struct {
	Path    []pathCertificate `json:"path"`
	Outcome string            `json:"outcome"` // accepted or fell
	Reason  string            `json:"reason,omitempty"`
	Field   string            `json:"field,omitempty"`
	Detail  string            `json:"detail,omitempty"`
}

// unusedJSON is a presented certificate to which nothing led.
type unusedJSON struct {
	Certificate pathCertificate `json:"certificate"`
	Why         string          `json:"why"`
}

func newTriedJSON(tried *truststore.Tried) triedJSON {
	out := triedJSON{
		Attempts: []attemptJSON{}, Omitted: tried.Omitted,
		Missing: pathCertificates(tried.Missing), Idle: pathCertificates(tried.Idle), OmittedIdle: tried.OmittedIdle,
	}
	for _, attempt := range tried.Attempts {
		out.Attempts = append(out.Attempts, newAttemptJSON(attempt))
	}
	for _, unused := range tried.Unused {
		out.Unused = append(out.Unused, unusedJSON{newPathCertificate(unused.Certificate), unused.Why})
	}
	return out
}

func newAttemptJSON(attempt truststore.Attempt) attemptJSON {
	out := attemptJSON{Path: pathCertificates(attempt.Certificates), Outcome: "accepted"}
	if attempt.Err != nil {
		out.Outcome = "fell"
		out.Reason, out.Field, out.Detail = partsOf(attempt.Err)
	}
	return out
}

// partsOf takes a refusal apart.
func partsOf(err error) (reason, field, detail string) {
	field, detail = placeOf(err)
	return decision.ReasonOf(err).String(), field, detail
}

func pathCertificates(all []*x509.Certificate) []pathCertificate {
	out := make([]pathCertificate, len(all))
	for i, certificate := range all {
		out[i] = newPathCertificate(certificate)
	}
	return out
}

// printAttempts prints a row for each certificate of each path: how it came to it,
// and, of the last, how the path ended.
func printAttempts(w io.Writer, tried *truststore.Tried) error {
	if len(tried.Attempts) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return printTable(w, append([][]string{{"PATH", "CERTIFICATE", "OUTCOME"}}, attemptRows(tried)...))
}

func attemptRows(tried *truststore.Tried) [][]string {
	var rows [][]string
	for i, attempt := range tried.Attempts {
		for at, certificate := range attempt.Certificates {
			how := "signed by the one above"
			switch {
			case at == len(attempt.Certificates)-1:
				how = ending(attempt, certificate)
			case at == 0:
				how = "in the trust store"
			}
			rows = append(rows, []string{strconv.Itoa(i + 1), cell(certificate), how})
		}
	}
	return rows
}

// ending says how an attempt ended at its last certificate, which stands beside it.
func ending(attempt truststore.Attempt, at *x509.Certificate) string {
	if attempt.Err == nil {
		return "accepted"
	}
	field, detail := placeOf(attempt.Err)
	if field == "certificate "+strconv.Quote(truststore.NameOf(at)) {
		return decision.ReasonOf(attempt.Err).String() + ": " + detail
	}
	return attempt.Err.Error()
}

// triedNotes say in sentences what stood beside the paths that were tried.
func triedNotes(tried *truststore.Tried) []string {
	var notes []string
	for _, certificate := range tried.Missing {
		notes = append(notes, fmt.Sprintf("%q was issued by %q, which is neither presented nor in the trust store",
			shownName(certificate), shortened(truststore.IssuerOf(certificate))))
	}
	return append(notes, besidePaths(tried)...)
}

// besidePaths are triedNotes without the issuers that are missing.
func besidePaths(tried *truststore.Tried) []string {
	var notes []string
	if tried.Omitted > 0 {
		notes = append(notes, fmt.Sprintf("%s more fell, and are not shown", counted(tried.Omitted, "path")))
	}
	if len(tried.Idle) > 0 {
		notes = append(notes, idleNote(tried))
	}
	for _, unused := range tried.Unused {
		notes = append(notes, fmt.Sprintf("%q was presented, and is of no use: %s", shownName(unused.Certificate), unused.Why))
	}
	return notes
}

func idleNote(tried *truststore.Tried) string {
	names := make([]string, 0, maxFacts+1)
	for i, anchor := range tried.Idle {
		if i == maxFacts {
			names = append(names, "others")
			break
		}
		names = append(names, strconv.Quote(shownName(anchor)))
	}
	count := counted(len(tried.Idle)+tried.OmittedIdle, "CA")
	return fmt.Sprintf("no names lead from %s of the trust store to the certificate: %s", count, strings.Join(names, ", "))
}

// shownName names a certificate for a person.
func shownName(certificate *x509.Certificate) string {
	return shortened(truststore.NameOf(certificate))
}

// cell is a name beside which there is room for an outcome.
func cell(certificate *x509.Certificate) string {
	return shortenedTo(48, truststore.NameOf(certificate))
}

// shortened bounds somebody else's text.
func shortened(text string) string { return shortenedTo(100, text) }

func shortenedTo(most int, text string) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
