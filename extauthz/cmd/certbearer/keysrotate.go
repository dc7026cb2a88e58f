package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/signer"
)

type keysRotateCommand struct {
	configFlag
	// Compromised is nil where the flag is absent. An empty one is an unset
	// variable of a script, and must not become a rotation.
	Compromised *string `name:"compromised" help:"Remove this key at once, and make no other unless none could sign. The word statement: replace the statement key." placeholder:"KID"`
}

// Help says what stands below the flags.
func (keysRotateCommand) Help() string {
	return `Makes a signing key that is published now and signs after keys.publishAhead, with a
new statement key beside it, and removes keys whose last token has expired. It does
so whatever keys.generate says. Run it as the user that serves, who has the folder,
or as root, who gives that user what it makes; anybody else is refused.

With --compromised nothing is published first: the key is removed, and if no other
can sign now, the one that waits takes over, or a new one. Serving processes on the
folder follow within a second; a verifier refuses the key's tokens as soon as it
reads the JWKS again.

With --compromised=statement the statement key is replaced, and the old one no longer
believed. Until all serving processes have read the new one, within a second, requests
to the endpoints through Envoy may be refused.

  certbearer keys rotate
  certbearer keys rotate --compromised="$KID"
  certbearer keys rotate --compromised=statement

Exit codes: 0 done; 1 a key is waiting already, or there is no such key; 2 could not
be done.`
}

// Run rotates the keys of the configured folder.
func (k keysRotateCommand) Run(c *console) error {
	settings, err := k.load()
	if err != nil {
		return err
	}
	if k.Compromised != nil && *k.Compromised == compromisedStatement {
		return replaceStatement(c, settings)
	}
	if k.Compromised != nil {
		return removeCompromised(c, settings, *k.Compromised)
	}
	done, err := signer.Rotate(c.ctx, settings.Keys.Directory, keyOptions(settings), rotation(settings))
	printRotated(c, settings, done)
	var waits *signer.WaitingError
	if errors.As(err, &waits) {
		return &exit{code: exitNo, err: err}
	}
	return err
}

// printRotated says what happens when.
func printRotated(c *console, settings *config.Config, done signer.Rotated) {
	for _, key := range done.Removed {
		fmt.Fprintf(c.stdout, "%s is removed: its last token has expired\n", key.KID())
	}
	if done.Made == nil {
		return
	}
	r := rotation(settings)
	fmt.Fprintf(c.stdout, "%s (%s) is made\n", done.Made.KID(), done.Made.Algorithm())
	rows := [][2]string{{stamp(done.Made.Created()), "it is published: serving processes read it within a second"}}
	if done.Before == nil {
		rows = append(rows, [2]string{stamp(done.Made.SignsFrom()), "it signs: there was no key before it"})
	} else {
		rows = append(rows,
			[2]string{stamp(done.Made.SignsFrom()), "it signs, in the place of " + done.Before.KID()},
			[2]string{stamp(done.Made.SignsFrom().Add(r.LongestLife + r.PublishAhead)), done.Before.KID() + " is removed, " + remover(settings)})
	}
	for _, row := range rows {
		fmt.Fprintf(c.stdout, "  %s  %s\n", row[0], row[1])
	}
	if done.Statement != nil {
		fmt.Fprintf(c.stdout, "statement key %s is made\n", done.Statement.Current().ID)
	}
}

func remover(settings *config.Config) string {
	if settings.Keys.Generate {
		return "by a serving process"
	}
	return "by the next keys rotate: keys.generate is false"
}

// compromisedStatement stands for the statement key in the place of a KID, which
// has 43 characters.
const compromisedStatement = "statement"

func replaceStatement(c *console, settings *config.Config) error {
	made, err := signer.ReplaceStatement(c.ctx, settings.Keys.Directory, keyOptions(settings))
	if errors.Is(err, signer.ErrNoStatementKey) {
		return &exit{code: exitNo, err: err}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "statement key %s is made and signs at once; none before it is believed\n", made.Current().ID)
	return err
}

func removeCompromised(c *console, settings *config.Config, kid string) error {
	done, err := signer.RemoveCompromised(c.ctx, settings.Keys.Directory, kid, keyOptions(settings))
	if errors.Is(err, signer.ErrUnknownKey) {
		return &exit{code: exitNo, err: err}
	}
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s is removed\n", kid)
	next := done.Signing.KID()
	switch {
	case done.Made:
		fmt.Fprintf(&text, "%s (%s) is made and signs at once: verifiers learn of it when they read the JWKS again, within %s if they keep to its max-age\n",
			next, done.Signing.Algorithm(), span(jwksAge(settings).Truncate(time.Second)))
	case done.Hastened:
		fmt.Fprintf(&text, "%s (%s) was waiting and signs at once\n", next, done.Signing.Algorithm())
	default:
		fmt.Fprintf(&text, "%s (%s) signs\n", next, done.Signing.Algorithm())
	}
	_, err = c.stdout.Write([]byte(text.String()))
	return err
}
