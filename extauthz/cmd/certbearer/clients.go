package main

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/dirsource"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

type clientCommands struct {
	Check clientsCheckCommand `cmd:"" help:"Say what is wrong with the client documents."`
	List  clientsListCommand  `cmd:"" help:"List the clients."`
}

// clientsFolder names the folder of documents: by itself, or by the
// configuration.
type clientsFolder struct {
	Dir string `arg:"" optional:"" help:"The folder of documents; the configuration's if absent."`
	configFlag
}

// source says what to read. It is never strict: these commands show what there
// is, not what a server would hold on to.
func (f clientsFolder) source() (dirsource.Config, error) {
	source, _, err := f.sourceAndAllowed()
	return source, err
}

// sourceAndAllowed says, too, which addresses are fetched from although they are not
// public. A folder that is named takes the place of the configuration's; the rest of
// the configuration counts if it is named as well.
func (f clientsFolder) sourceAndAllowed() (dirsource.Config, []revocation.Allowed, error) {
	if f.Dir != "" && f.Config == "" {
		return dirsource.Config{Dir: f.Dir}, nil, nil
	}
	settings, err := f.load()
	if err != nil {
		return dirsource.Config{}, nil, err
	}
	source := sourceConfig(settings)
	source.Strict = false
	source.Dir = cmp.Or(f.Dir, source.Dir)
	return source, revocationConfig(settings).Allowed, nil
}

// inArgument says from where the folder's name came.
func (f clientsFolder) inArgument(err error) error {
	if f.Dir != "" {
		return inSetting("DIR", "clients", err)
	}
	return inSetting("clients.directory", "clients", err)
}

type clientsListCommand struct {
	clientsFolder
	JSON bool `name:"json" help:"Print JSON."`
}

// Help says what stands below the flags.
func (clientsListCommand) Help() string {
	return `METHOD is how the client may authenticate: "any" accepts pinned certificates and
those of its CAs. PINS and ANCHORS count them. BINDING is the subject that the
certificates of a CA must have. EXPIRES is the first notAfter in the trust store.
Secrets in documents are never shown.

  certbearer clients list
  certbearer clients list ./clients --json`
}

// listedClient is a line of the list.
type listedClient struct {
	ID      string     `json:"id"`
	Status  string     `json:"status"`
	Name    string     `json:"name,omitempty"`
	Method  string     `json:"method"`
	Pins    int        `json:"pins"`
	Anchors int        `json:"anchors"`
	Binding string     `json:"binding,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

// Run lists the clients that are in force.
func (l clientsListCommand) Run(c *console) error {
	source, err := l.source()
	if err != nil {
		return err
	}
	snapshot, report, err := dirsource.Load(source)
	if err != nil {
		return l.inArgument(err)
	}
	if len(report.Faults) > 0 {
		fmt.Fprintf(c.stderr, "certbearer: %s in client documents, so some clients here let nobody in, or are missing: certbearer clients check names them\n", counted(len(report.Faults), "fault"))
	}
	listed, err := listClients(source.Dir, snapshot)
	if err != nil {
		return err
	}
	if l.JSON {
		return printJSON(c.stdout, listed)
	}
	rows := [][]string{{"ID", "STATUS", "NAME", "METHOD", "PINS", "ANCHORS", "BINDING", "EXPIRES"}}
	for _, client := range listed {
		rows = append(rows, client.row())
	}
	return printTable(c.stdout, rows)
}

func (l listedClient) row() []string {
	expires := ""
	if l.Expires != nil {
		expires = stamp(*l.Expires)
	}
	return []string{l.ID, l.Status, l.Name, l.Method, strconv.Itoa(l.Pins), strconv.Itoa(l.Anchors), l.Binding, expires}
}

// listClients adds to the records what only the documents know.
func listClients(dir string, snapshot *policies.Snapshot) ([]listedClient, error) {
	type more struct {
		name    string
		expires *time.Time
	}
	known := make(map[string]more)
	err := eachDocument(dir, func(_ string, _ int, document policies.Document) {
		if document.Client != nil {
			known[document.ID] = more{document.Name, firstExpiry(document.TrustStore)}
		}
	})
	listed := make([]listedClient, 0, snapshot.Len())
	for _, client := range snapshot.Sorted() {
		document := known[client.ID()]
		listed = append(listed, listedClient{
			ID:      client.ID(),
			Status:  client.Status().String(),
			Name:    document.name,
			Method:  methodName(client.AuthMethod()),
			Pins:    len(client.Pins()),
			Anchors: len(client.Anchors()),
			Binding: bindingText(client.Binding()),
			Expires: document.expires,
		})
	}
	return listed, err
}

func methodName(method policies.AuthMethod) string {
	if method == policies.AnyTLSMethod {
		return "any"
	}
	return method.String()
}

func bindingText(binding truststore.Binding) string {
	if binding.IsZero() {
		return ""
	}
	return binding.Kind.String() + "=" + binding.Text
}

func firstExpiry(store []truststore.Entry) *time.Time {
	var first *time.Time
	for _, entry := range store {
		if end := entry.Certificate.NotAfter.UTC(); first == nil || end.Before(*first) {
			first = &end
		}
	}
	return first
}
