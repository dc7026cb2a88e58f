package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/config"
)

// check reports flags that do not go together.
func (e explainCommand) check() error {
	recorded := e.Record != "" || e.Audit != ""
	switch {
	case e.Record != "" && e.Audit != "":
		return errors.New("--record and --audit: give one of them")
	case e.Audit != "" && e.RequestID == "":
		return errors.New("--audit: needs --request-id, which says which record is meant")
	case e.Audit == "" && e.RequestID != "":
		return errors.New("--request-id: needs --audit, the file in which to look, or - for standard input")
	case recorded && (e.ClientID != "" || e.Method != nil || e.URL != nil || !e.Time.IsZero()):
		return errors.New("--client-id, --method, --url and --time: a record has its own")
	case !recorded && e.Cert == "":
		return errors.New("give the certificate with --cert, or a record with --record or --audit")
	case e.Chain != "" && e.Cert == "":
		return errors.New("--chain: needs --cert")
	}
	return nil
}

func (e explainCommand) presented() presentedFiles {
	return presentedFiles{Cert: e.Cert, Chain: e.Chain}
}

// again decides the recorded requests once more. The answer is that of the last one: of
// a check and the endpoint behind it, the endpoint's.
func (e explainCommand) again(c *console, settings *config.Config) error {
	replayer, err := newReplayer(c, settings)
	if err != nil {
		return err
	}
	records, from, err := e.records(c)
	if err != nil {
		return err
	}
	var presented []*x509.Certificate
	if e.Cert != "" {
		chain, err := e.presented().parse(c)
		if err != nil {
			return err
		}
		presented = append([]*x509.Certificate{chain.Leaf}, chain.Intermediates...)
	}
	var all []*replay
	for i, record := range records {
		one, err := replayer.run(c.ctx, record, from[i], presented)
		if err != nil {
			return fmt.Errorf("the record of %s: %w", stamp(record.Time), err)
		}
		all = append(all, one)
	}
	if err := e.print(c.stdout, all); err != nil {
		return err
	}
	if !all[len(all)-1].allowed() {
		return no()
	}
	return nil
}

// records returns those that are meant, and where the certificates of each are from.
func (e explainCommand) records(c *console) ([]audit.Recorded, []string, error) {
	const own, another = "the record", "another record of the same thumbprint"
	if e.Record != "" {
		record, err := readRecord(c, e.Record)
		return []audit.Recorded{record}, []string{own}, err
	}
	file, err := openAudit(c, e.Audit)
	if err != nil {
		return nil, nil, err
	}
	found, more, err := file.find(c, e.RequestID)
	if err != nil {
		return nil, nil, err
	}
	if more {
		fmt.Fprintf(c.stderr, "certbearer: %s: more than %d records have the request id; these are the first\n", file.path, maxFound)
	}
	from := make([]string, len(found))
	for i, record := range found {
		from[i] = own
		if len(record.Chain) > 0 {
			continue
		}
		if found[i], err = file.withChain(record); err != nil {
			return nil, nil, err
		}
		from[i] = another
	}
	return found, from, nil
}

// allowed is the answer for the time of the record: where the record does not hold what
// was refused, it stays refused.
func (r *replay) allowed() bool { return r.now.Allowed && (r.again || r.record.Reason.Allows()) }

// replayJSON is what --json prints of a record.
type replayJSON struct {
	Recorded recordedJSON `json:"recorded"`
	// CertificateFrom says where the certificates are from; "" where there are none.
	CertificateFrom string       `json:"certificate_from,omitempty"`
	Now             *explanation `json:"now"`
	Same            bool         `json:"same"`
	Compared        string       `json:"compared"`
	Facts           []string     `json:"facts"`
	Advice          string       `json:"advice"`
}

type recordedJSON struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id,omitempty"`
	Decision  string    `json:"decision"`
	Mode      string    `json:"mode,omitempty"`
	Reason    string    `json:"reason"`
	Detail    string    `json:"detail,omitempty"`
	Route     string    `json:"route,omitempty"`
	Client    string    `json:"client,omitempty"`
	ClientID  string    `json:"client_id,omitempty"`
}

func (r *replay) json() replayJSON {
	out := replayJSON{
		Recorded: recordedJSON{
			Time: r.record.Time, RequestID: r.record.RequestID, Decision: r.record.Decision, Mode: r.record.Mode,
			Reason: r.record.Reason.String(), Detail: r.detail(), Route: r.record.Route, Client: r.record.Client, ClientID: r.record.ClientID,
		},
		Now: r.now, Same: r.same(), Compared: r.comparison(), Facts: append([]string{}, r.facts...), Advice: r.advice(),
	}
	if len(r.record.Chain) > 0 {
		out.CertificateFrom = r.from
	}
	return out
}

// detail is what the record says of the place and the cause.
func (r *replay) detail() string { return strings.Trim(r.record.Field+": "+r.record.Detail, ": ") }

// advice is about what still stands in the way: what the record was refused for, unless
// that is mended.
func (r *replay) advice() string {
	if r.again {
		return r.now.Advice
	}
	return advice(r.record.Reason)
}

func (e explainCommand) print(w io.Writer, all []*replay) error {
	switch {
	case e.JSON && e.Record != "":
		return printJSON(w, all[0].json())
	case e.JSON:
		list := make([]replayJSON, len(all))
		for i, one := range all {
			list[i] = one.json()
		}
		return printJSON(w, list)
	}
	for i, one := range all {
		if i > 0 {
			if _, err := fmt.Fprint(w, "\n---\n\n"); err != nil {
				return err
			}
		}
		if err := one.print(w); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) print(w io.Writer) error {
	lines := []labelled{{"recorded", stamp(r.record.Time) + " " + r.record.Decision + " " + r.record.Reason.String()}}
	if r.record.Mode != "" {
		lines[0].text += ", in shadow: the request passed as it came"
	}
	request := strings.TrimSpace(r.record.Method + " " + r.record.Host + r.record.Path)
	lines = append(lines, labelled{"because", r.detail()}, labelled{"request", request}, labelled{"request id", r.record.RequestID},
		labelled{"route", r.record.Route}, labelled{"client", r.record.Client}, labelled{"names client", r.record.ClientID}, labelled{"proxy", r.record.Proxy})
	if len(r.record.Chain) > 0 {
		lines = append(lines, labelled{"certificate", fmt.Sprintf("%s, of %s, from %s", shownName(r.record.Chain[0]), counted(len(r.record.Chain), "certificate"), r.from)})
	}
	if err := printLabelled(w, lines); err != nil {
		return err
	}
	if err := r.printSteps(w); err != nil {
		return err
	}
	summary := append(r.verdict(), labelled{"route", r.now.Route}, labelled{"client", r.now.Client}, labelled{"compared", r.comparison()})
	for _, fact := range r.facts {
		summary = append(summary, labelled{"fact", fact})
	}
	summary = append(summary, r.now.ways()...)
	return printLabelled(w, append(summary, labelled{"what to do", r.advice()}))
}

// printSteps prints those of now, and an empty line before what comes of them.
func (r *replay) printSteps(w io.Writer) error {
	if r.unread() {
		_, err := fmt.Fprintln(w)
		return err
	}
	if _, err := fmt.Fprint(w, "\nDecided again, as of then, by what is configured now:\n\n"); err != nil {
		return err
	}
	return r.now.printSteps(w)
}

// verdict is the answer, as the exit code has it.
func (r *replay) verdict() []labelled {
	switch {
	case !r.again && !r.record.Reason.Allows() && (r.now.Allowed || r.unread()):
		return []labelled{{"decision", "refused: " + r.record.Reason.String() + ", as recorded"}}
	case r.unread():
		return []labelled{{"decision", r.now.verdict()}}
	}
	return []labelled{{"decision", r.now.verdict()}, {"because", r.now.Detail}}
}
