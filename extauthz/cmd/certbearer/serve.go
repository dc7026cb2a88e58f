package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/listener"
)

type serveCommand struct {
	configFlag
}

// Help is shown below the usage.
func (serveCommand) Help() string {
	return `Answers Envoy's ext_authz checks until it is told to stop.

SIGTERM and SIGINT drain: readyz and gRPC health say no first, checks under way
finish, then it ends. SIGHUP reads clients and keys again, which changes of their
folders do by themselves, and opens the audit file anew after a rotation.
A change of the configuration itself takes a restart.

Signing keys follow each other by the schedule of keys.rotateEvery, unless
keys.generate is false.

Logs go to standard error, audit records where audit.to says.

  certbearer init demo
  certbearer serve --config demo/certbearer.yaml`
}

// Run serves until the context ends.
func (s serveCommand) Run(c *console) error {
	settings, err := s.load()
	if err != nil {
		return err
	}
	log := newLog(c.stderr, settings.Log)
	g, err := newGateway(c.ctx, settings, log)
	if err != nil && c.ctx.Err() != nil {
		return nil // told to stop before it had begun
	}
	if err != nil {
		return err
	}
	stop := g.reloadOn(syscall.SIGHUP)
	defer stop()
	return g.run(c.ctx)
}

// reloadOn reloads at every signal until stop is called.
func (g *gateway) reloadOn(sig os.Signal) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, sig)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range signals {
			g.reload()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-ended
	}
}

func newLog(w io.Writer, settings config.Log) *slog.Logger {
	var level slog.Level
	switch settings.Level {
	case config.LogDebug:
		level = slog.LevelDebug
	case config.LogInfo:
		level = slog.LevelInfo
	case config.LogWarn:
		level = slog.LevelWarn
	case config.LogError:
		level = slog.LevelError
	}
	options := &slog.HandlerOptions{Level: level}
	if settings.Format == config.LogText {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// settingError is an error about what a key of the configuration says.
type settingError struct {
	text string
	err  error
}

func (e *settingError) Error() string { return e.text }
func (e *settingError) Unwrap() error { return e.err }

// inSetting names the key in the place of the package that begins the text. An
// error of several lines has the key in each.
func inSetting(key, name string, err error) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = key + ": " + strings.TrimPrefix(line, name+": ")
	}
	return &settingError{strings.Join(lines, "\n"), err}
}

// inCallers names the key of what listen.grpc cannot be opened with.
func inCallers(err error) error { return inPart("callers", "listen.grpc", err) }

// inDirect does so for listen.tls.
func inDirect(err error) error { return inPart("listen.tls", "listen.tls", err) }

// inProxies does so for listen.proxies.
func inProxies(err error) error { return inPart("listen.proxies", "listen.proxies", err) }

// inPart names the file that is at fault by its key below parts, and the listener
// by its own where none is.
func inPart(parts, own string, err error) error {
	var part *listener.PartError
	if errors.As(err, &part) {
		return inSetting(parts+"."+part.Part, "mtls", part.Err)
	}
	return inSetting(own, "listener", err)
}
