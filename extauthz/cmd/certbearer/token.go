package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/signer"
)

type tokenCommands struct {
	Inspect tokenInspectCommand `cmd:"" help:"Decode a token and verify its signature."`
}

type tokenInspectCommand struct {
	Token  string `arg:"" help:"The token, or - to read it from standard input, which keeps it out of the list of processes."`
	JWKS   string `name:"jwks" help:"Verify by this key set: a file, or an http or https URL." placeholder:"FILE|URL"`
	Config string `short:"c" help:"Verify by the keys of this configuration." placeholder:"FILE" xor:"jwks"`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help says what stands below the flags.
func (tokenInspectCommand) Help() string {
	return `Shows header, claims and times of a JWT. Without --jwks and -c the signature is not
checked, and what is shown may be anybody's invention. The token itself is never
printed.

  certbearer token inspect - < token.txt
  certbearer token inspect - --jwks https://localhost:8443/.well-known/jwks.json < token.txt

Exit codes: 0 decoded, in its time and, if that was asked, signed by a key of the
set; 1 expired, not valid yet, or not so signed; 2 not a token.`
}

// Run decodes, verifies and prints.
func (i tokenInspectCommand) Run(c *console) error {
	text, err := i.read(c.stdin)
	if err != nil {
		return err
	}
	decoded, err := decodeToken(text)
	if err != nil {
		return err
	}
	view := newTokenView(decoded, time.Now())
	keys, err := i.keys(c)
	if err != nil {
		return err
	}
	if keys != nil {
		view.Signature = keys.verify(text, decoded)
	}
	if i.JSON {
		err = printJSON(c.stdout, view)
	} else {
		err = view.print(c.stdout)
	}
	if err == nil && !view.good() {
		return no()
	}
	return err
}

// read returns the token, without the white space around it that a file's last
// line has.
func (i tokenInspectCommand) read(stdin io.Reader) (string, error) {
	if i.Token != "-" {
		return strings.TrimSpace(i.Token), nil
	}
	text, err := io.ReadAll(io.LimitReader(stdin, maxTokenBytes+1))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// keys returns what to verify by, nil if nobody asked for that.
func (i tokenInspectCommand) keys(c *console) (*keySet, error) {
	switch {
	case i.JWKS != "":
		return loadKeySet(c.ctx, i.JWKS)
	case i.Config != "":
		settings, err := config.Load(i.Config)
		if err != nil {
			return nil, err
		}
		keys, err := signer.Open(c.ctx, settings.Keys.Directory, signer.Options{})
		if err != nil {
			return nil, err
		}
		return parseKeySet(keys.JWKS())
	}
	return nil, nil
}
