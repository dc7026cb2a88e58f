package main

import (
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

type keysCommands struct {
	List keysListCommand `cmd:"" help:"List the signing keys, and say which one signs now."`
}

type keysListCommand struct {
	configFlag
	JSON bool `name:"json" help:"Print JSON."`
}

// Help says what stands below the flags.
func (keysListCommand) Help() string {
	return `Every key listed is in the JWKS. The one that signs is, of those whose time has
come, the one whose signing began last. Private parts are never shown.

  certbearer keys list -c demo/certbearer.yaml`
}

// listedKey is the public side of a key.
type listedKey struct {
	KID       string    `json:"kid"`
	Algorithm string    `json:"alg"`
	Created   time.Time `json:"created"`
	SignsFrom time.Time `json:"signs_from"`
	Signs     bool      `json:"signs_now"`
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
	now := time.Now()
	listed := listKeys(keys, now)
	if k.JSON {
		return printJSON(c.stdout, listed)
	}
	rows := [][]string{{"KID", "ALG", "CREATED", "SIGNS FROM", "NOW"}}
	for _, key := range listed {
		rows = append(rows, []string{key.KID, key.Algorithm, stamp(key.Created), stamp(key.SignsFrom), key.use(now)})
	}
	return printTable(c.stdout, rows)
}

func listKeys(keys *signer.Keys, at time.Time) []listedKey {
	signing, err := keys.Signing(at)
	var listed []listedKey
	for _, key := range keys.All() {
		listed = append(listed, listedKey{
			KID:       key.KID(),
			Algorithm: key.Algorithm(),
			Created:   key.Created().UTC(),
			SignsFrom: key.SignsFrom().UTC(),
			Signs:     err == nil && key.KID() == signing.KID(),
		})
	}
	return listed
}

// use says what the key is for at the moment.
func (k listedKey) use(at time.Time) string {
	switch {
	case k.Signs:
		return "signs"
	case k.SignsFrom.After(at):
		return "published; signs in " + span(k.SignsFrom.Sub(at))
	}
	return "published; verifies what it signed"
}
