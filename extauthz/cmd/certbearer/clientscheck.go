package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/dirsource"
	"github.com/certbearer/certbearer/policies/revocation"
)

type clientsCheckCommand struct {
	clientsFolder
	ExpiresWithin days          `help:"Warn of certificates that end within that time: 30d, 6w or 12h." default:"30d" placeholder:"TIME"`
	FailOn        string        `help:"What makes the exit code 1: error, or warning for both." enum:"error,warning" default:"error"`
	Online        bool          `help:"Ask the locations of revocations, as a server would, whether they can be used."`
	OnlineTimeout time.Duration `help:"How long one location may take." default:"30s" placeholder:"TIME"`
	Codes         bool          `help:"List the codes of all findings, and read nothing."`
	JSON          bool          `name:"json" help:"Print JSON."`
}

// Help says what stands below the flags.
func (clientsCheckCommand) Help() string {
	return `An error is a document that cannot be used: a server keeps its last good version,
or lets nobody in as its client; or it is a private key. A warning is something
that works otherwise than it seems to, or soon will not: certificates that have
ended or end soon, weak keys, CAs that several clients share, certificates that
look like a CA's and are none. Each has a code; docs/clients-check.md has all.

  certbearer clients check
  certbearer clients check ./clients --fail-on=warning && git commit
  certbearer clients check --config certbearer.yaml --online
  certbearer clients check ./clients --json | jq '.findings[].code'

Exit codes: 0 no errors, though there may be warnings; 1 errors, or what
--fail-on says; 2 could not tell.`
}

// Run checks the folder.
func (k clientsCheckCommand) Run(c *console) error {
	if k.Codes {
		return k.printCodes(c)
	}
	source, allowed, err := k.sourceAndAllowed()
	if err != nil {
		return err
	}
	report, err := k.check(c.ctx, source, allowed, time.Now())
	if err != nil {
		return k.inArgument(err)
	}
	if k.JSON {
		err = printJSON(c.stdout, report)
	} else {
		err = report.print(c.stdout)
	}
	if err == nil && (report.Errors > 0 || k.FailOn == string(isWarning) && report.Warnings > 0) {
		return no()
	}
	return err
}

func (k clientsCheckCommand) printCodes(c *console) error {
	if k.JSON {
		return printJSON(c.stdout, checkCodes())
	}
	rows := [][]string{{"CODE", "SEVERITY", "MEANING"}}
	for _, row := range checkCodes() {
		rows = append(rows, []string{string(row.Code), row.severities(), row.Meaning})
	}
	return printTable(c.stdout, rows)
}

func (k clientsCheckCommand) check(ctx context.Context, source dirsource.Config, allowed []revocation.Allowed, at time.Time) (*clientsReport, error) {
	snapshot, found, err := dirsource.Load(source)
	if err != nil {
		return nil, err
	}
	report := &clientsReport{Documents: found.Documents, Clients: countUsable(snapshot), Findings: []finding{}, dir: source.Dir}
	for _, fault := range found.Faults {
		report.addFault(codeOfFault(fault), fault)
	}
	for _, warning := range found.Warnings {
		report.addFault(codeOfWarning(warning), warning)
	}
	report.addCRLs(found.CRLs, at)
	examiner := newExaminer(snapshot, found.CRLs, source.Options, at, time.Duration(k.ExpiresWithin))
	wanted := newLocations()
	err = eachDocument(source.Dir, func(file string, number int, document policies.Document) {
		if k.Online {
			wanted.add(docPlace{file, number}, &document)
		}
		for _, remark := range examiner.examine(docPlace{file, number}, document) {
			report.add(remark.finding(file, number, &document))
		}
	})
	if err == nil {
		err = examiner.kin.resolve(source.Dir, report)
	}
	if err == nil {
		err = lookForKeys(source.Dir, found.Faults, report)
	}
	if k.Online {
		wanted.probe(ctx, revocation.NewWeb(allowed), k.OnlineTimeout, at, report)
	}
	report.sort()
	if err == nil && ctx.Err() != nil {
		err = errors.New("the check was stopped")
	}
	return report, err
}

// countUsable counts the clients that are not only what is left of a faulty document.
func countUsable(snapshot *policies.Snapshot) int {
	count := 0
	for client := range snapshot.All() {
		if !client.IsRemnant() {
			count++
		}
	}
	return count
}

func codeOfFault(fault policies.Fault) code {
	switch {
	case fault.Block != nil && fault.Block.IsPrivateKey():
		return codePrivateKey
	case fault.Document > 0:
		return codeDocumentUnusable
	case fault.ClientID != "":
		return codeIDRepeated
	}
	return codeFileUnusable
}

func codeOfWarning(warning policies.Fault) code {
	switch {
	case warning.Document == 0:
		return codeFileIgnored
	case warning.Field == revocationField:
		return codeRevocationIdle
	}
	return codeValueChanged
}

// days is a time as people count it.
type days time.Duration

// UnmarshalText reads a number of hours, days or weeks.
func (d *days) UnmarshalText(text []byte) error {
	var count uint16
	var unit string
	if n, err := fmt.Sscanf(string(text), "%d%1s", &count, &unit); n != 2 || err != nil || fmt.Sprintf("%d%s", count, unit) != string(text) {
		return fmt.Errorf("%q is no time such as 30d, 6w or 12h", text)
	}
	of, known := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[unit]
	if !known || count > maxDays {
		return fmt.Errorf("%q is no time such as 30d, 6w or 12h", text)
	}
	*d = days(time.Duration(count) * of)
	return nil
}

// maxDays bounds the number in a time.
const maxDays = 10_000
