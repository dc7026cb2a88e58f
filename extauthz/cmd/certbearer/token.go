package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

type tokenCommands struct {
	Inspect tokenInspectCommand `cmd:"" help:"Decode a token and verify its signature."`
}

type tokenInspectCommand struct {
	Token  string `arg:"" help:"The token, or - to read it from standard input, which keeps it out of the list of processes."`
	JWKS   string `name:"jwks" help:"Verify by this key set: a file, or an http or https URL." placeholder:"FILE|URL"`
	CACert string `name:"cacert" help:"The PEM file of the CAs, or of the certificate, that an https URL is to have; the system's CAs if absent." placeholder:"FILE"`
	Config string `short:"c" help:"Verify by the keys of this configuration (default without --jwks: $$CERTBEARER_CONFIG, or else certbearer.yaml if it is there)." placeholder:"FILE" xor:"jwks"`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help says what stands below the flags.
func (tokenInspectCommand) Help() string {
	return `Shows header, claims and times of a JWT, and by which keys it was verified. With no
key set and no configuration the signature is not checked, and what is shown may
be anybody's invention. The token itself is never printed.

  certbearer token inspect - < token.txt
  certbearer token inspect - --jwks https://localhost:8443/.well-known/jwks.json --cacert demo/pki/server.crt < token.txt

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
	keys, from, err := i.keys(c)
	if err != nil {
		return err
	}
	if keys != nil {
		view.Signature = keys.verify(text, decoded)
		view.Signature.Keys = from
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

// keys returns what to verify by and from where that is, nil if there is nothing.
func (i tokenInspectCommand) keys(c *console) (keys *keySet, from string, err error) {
	if i.JWKS != "" {
		keys, err = loadKeySet(c.ctx, i.JWKS, i.CACert)
		return keys, i.JWKS, err
	}
	if i.CACert != "" {
		return nil, "", errNoURL
	}
	named := configFlag{Config: i.Config}
	file := named.file()
	if i.Config == "" && os.Getenv(configVariable) == "" && !exists(file) {
		return nil, "", nil
	}
	settings, err := named.load()
	if err != nil {
		return nil, "", err
	}
	signing, err := signer.Open(c.ctx, settings.Keys.Directory, signer.Options{})
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", file, inSetting("keys.directory", "signer", err))
	}
	keys, err = parseKeySet(signing.JWKS())
	return keys, file, err
}
