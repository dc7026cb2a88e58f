// Command certbearer turns the client certificate of an mTLS connection into a
// bearer token, as an Envoy external authorization server.
//
// This is the only place where certbearer's packages meet, and the only reader
// of its configuration.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/certbearer/certbearer/extauthz/config"
)

// Exit codes, the same for every command.
const (
	exitOK = 0
	// exitNo: the command worked and its answer is no: a certificate refused, a
	// document with errors, a demo that went otherwise than it should.
	exitNo = 1
	// exitTrouble: the command could not do its work: wrong usage, a file that
	// cannot be read, an address in use.
	exitTrouble = 2
)

const description = `certbearer turns the certificate of an mTLS connection into a bearer token.

Envoy terminates mTLS and asks certbearer about each request. certbearer finds
the client that the certificate belongs to, judges the certificate by that
client's own trust store, and has Envoy put a token on the request or refuse it.

Begin with "certbearer demo", which shows all of it with a real Envoy, or with
"certbearer init DIR", which writes a configuration that works.

Exit codes: 0 success or accepted; 1 refused, or faults found; 2 could not tell:
wrong usage, or something that cannot be read.`

// cli is the command line.
type cli struct {
	Init    initCommand    `cmd:"" help:"Write a working configuration into a new folder."`
	Serve   serveCommand   `cmd:"" help:"Answer Envoy's checks."`
	Ready   readyCommand   `cmd:"" help:"Ask the running server whether it is ready."`
	Render  renderCommands `cmd:"" help:"Write the configuration of a proxy."`
	Verify  verifyCommand  `cmd:"" help:"Judge a certificate by a trust store, without any client."`
	Explain explainCommand `cmd:"" help:"Say how a request with a certificate would be decided, and why."`
	Clients clientCommands `cmd:"" help:"Look at the client documents."`
	Keys    keysCommands   `cmd:"" help:"Look at the signing keys, and rotate them."`
	Token   tokenCommands  `cmd:"" help:"Look at a token."`
	Demo    demoCommand    `cmd:"" help:"Show everything at once, with a real Envoy, on loopback."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// console is where a command reads and writes.
type console struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	// drained: standard input was read.
	drained bool
	// endAtOnce, where there is one, has the end of ctx end the process.
	endAtOnce func()
}

// exit is an error with an exit code of its own. A nil err prints nothing more:
// the command has said what there is to say.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// no is the answer no of a command that has said why.
func no() error { return &exit{code: exitNo} }

func main() {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	endAtOnce := func() { context.AfterFunc(ctx, func() { os.Exit(exitTrouble) }) }
	os.Exit(run(&console{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, endAtOnce: endAtOnce}, os.Args[1:]))
}

// run carries out a command line and returns the exit code.
func run(c *console, args []string) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	helped := false
	parser, err := kong.New(&cli{},
		kong.Name("certbearer"),
		kong.Description(description),
		kong.Writers(c.stdout, c.stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 80}),
	)
	if err != nil {
		return c.fail(err)
	}
	parsed, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	if err != nil {
		return c.fail(fmt.Errorf("%w (%s --help shows the usage)", err, misused(err)))
	}
	if c.endAtOnce != nil && onlyReads(parsed.Command()) {
		c.endAtOnce()
	}
	return c.fail(parsed.Run(c))
}

// misused is the command whose usage is wrong.
func misused(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context != nil {
		if selected := wrong.Context.Selected(); selected != nil {
			return "certbearer " + selected.Path()
		}
	}
	return "certbearer"
}

// onlyReads tells the commands that may end anywhere. They may be waiting for a pipe
// or a terminal, which hears of no context.
func onlyReads(command string) bool {
	word, _, _ := strings.Cut(command, " ")
	return slices.Contains([]string{"verify", "explain", "clients", "token", "ready", "version"}, word)
}

// fail prints an error, if there is one, and returns the exit code for it. Each
// line of the error becomes a line of its own, of visible characters: files and what
// stands in them have names that others gave.
func (c *console) fail(err error) int {
	if err == nil {
		return exitOK
	}
	code := exitTrouble
	var coded *exit
	if errors.As(err, &coded) {
		code = coded.code
		if coded.err == nil {
			return code
		}
	}
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		fmt.Fprintf(c.stderr, "certbearer: %s\n", printable(line))
	}
	return code
}

// configFlag is the one way to name the configuration.
type configFlag struct {
	Config string `help:"The configuration file (default: $$CERTBEARER_CONFIG, or else certbearer.yaml)." short:"c" placeholder:"FILE"`
}

// configVariable names the configuration where no flag does. An empty one is as
// good as none.
const configVariable = "CERTBEARER_CONFIG"

// file returns the file that is meant.
func (f configFlag) file() string {
	return cmp.Or(f.Config, os.Getenv(configVariable), configFile)
}

// load reads the configuration.
func (f configFlag) load() (*config.Config, error) {
	file := f.file()
	settings, err := config.Load(file)
	if _, found := os.Lstat(file); err != nil && errors.Is(found, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such configuration file: name one with --config or $%s, or make one with certbearer init DIR", file, configVariable)
	}
	return settings, err
}
