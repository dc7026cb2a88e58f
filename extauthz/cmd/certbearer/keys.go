package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

type keysCommands struct {
	List   keysListCommand   `cmd:"" help:"List the signing keys, and say what each is for now."`
	Rotate keysRotateCommand `cmd:"" help:"Make the next signing key, or remove a compromised one."`
}

type keysListCommand struct {
	configFlag
	JSON bool `name:"json" help:"Print JSON."`
}

// Help says what stands below the flags.
func (keysListCommand) Help() string {
	return `Every key listed is in the JWKS. One that is waiting signs later, so that verifiers
learn of it first; one that is published signs no more, and stays until the last
token that it may have signed has expired. Private parts are never shown, nor is
the secret of the statement key.

  certbearer keys list -c demo/certbearer.yaml`
}

// listedKeys is what keys list prints. Its JSON is an interface.
type listedKeys struct {
	Keys []listedKey `json:"keys"`
	// Statement is nil where there is no statement key.
	Statement *listedStatement `json:"statement"`
}

// listedKey is the public side of a key.
type listedKey struct {
	KID       string    `json:"kid"`
	Algorithm string    `json:"alg"`
	Created   time.Time `json:"created"`
	SignsFrom time.Time `json:"signs_from"`
	Signs     bool      `json:"signs_now"`
	State     string    `json:"state"`
	Until     time.Time `json:"published_until,omitzero"`
}

type listedStatement struct {
	KID     string    `json:"kid"`
	Created time.Time `json:"created"`
}

// Run lists the keys of the configured folder. It makes none.
func (k keysListCommand) Run(c *console) error {
	settings, err := k.load()
	if err != nil {
		return err
	}
	keys, err := signer.Open(c.ctx, settings.Keys.Directory, signer.Options{})
	if err != nil {
		return inSetting("keys.directory", "signer", err)
	}
	statement, err := signer.OpenStatementKeys(c.ctx, settings.Keys.Directory, signer.Options{})
	if err != nil && !errors.Is(err, signer.ErrNoStatementKey) {
		return err
	}
	listed := listKeys(rotation(settings).Stands(keys, time.Now()), statement)
	if k.JSON {
		return printJSON(c.stdout, listed)
	}
	return listed.print(c)
}

func listKeys(stands []signer.Stand, statement *signer.StatementKeys) listedKeys {
	var listed listedKeys
	for _, stand := range stands {
		listed.Keys = append(listed.Keys, listedKey{
			KID:       stand.Key.KID(),
			Algorithm: stand.Key.Algorithm(),
			Created:   stand.Key.Created().UTC(),
			SignsFrom: stand.Key.SignsFrom().UTC(),
			Signs:     stand.Standing == signer.Signing,
			State:     string(stand.Standing),
			Until:     stand.Until.UTC(),
		})
	}
	if statement != nil {
		current := statement.Current()
		listed.Statement = &listedStatement{KID: current.ID, Created: current.Created().UTC()}
	}
	return listed
}

func (l listedKeys) print(c *console) error {
	rows := [][]string{{"KID", "ALG", "CREATED", "SIGNS FROM", "STATE"}}
	for _, key := range l.Keys {
		state := key.State
		if !key.Until.IsZero() {
			state += " until " + stamp(key.Until)
		}
		rows = append(rows, []string{key.KID, key.Algorithm, stamp(key.Created), stamp(key.SignsFrom), state})
	}
	if err := printTable(c.stdout, rows); err != nil {
		return err
	}
	if l.Statement == nil {
		_, err := fmt.Fprintln(c.stdout, "no statement key")
		return err
	}
	_, err := fmt.Fprintf(c.stdout, "statement key %s, created %s\n", l.Statement.KID, stamp(l.Statement.Created))
	return err
}
