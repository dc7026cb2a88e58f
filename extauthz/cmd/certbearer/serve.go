package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/certbearer/certbearer/extauthz/config"
)

type serveCommand struct {
	configFlag
}

// Help is shown below the usage.
func (serveCommand) Help() string {
	return `Answers Envoy's ext_authz checks until it is told to stop.

SIGTERM and SIGINT drain: readyz and gRPC health say no first, checks under way
finish, then it ends. SIGHUP reads clients and keys again, which changes of the
clients folder do by themselves, and opens the audit file anew after a rotation.
A change of the configuration itself takes a restart.

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
	stop := g.reloadOn(c.ctx, syscall.SIGHUP)
	defer stop()
	return g.run(c.ctx)
}

// reloadOn reloads at every signal until stop is called.
func (g *gateway) reloadOn(ctx context.Context, sig os.Signal) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, sig)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range signals {
			g.reload(ctx)
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

// wrap says which setting an error is about.
func wrap(setting string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", setting, err)
}
