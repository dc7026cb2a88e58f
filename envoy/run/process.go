package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Config says how to start Envoy.
type Config struct {
	// Path is the configuration. It needs an admin interface on loopback, port 0
	// included, by which readiness and ports are learned.
	Path string
	// Log gets what Envoy prints, access log on standard output included, up to
	// LogLimit bytes (0: 64 MiB). Nil: only the last lines are kept, for errors.
	Log      io.Writer
	LogLimit int
	// LogLevel is Envoy's, "warning" when empty.
	LogLevel string
	// Concurrency is the number of worker threads, 0: Envoy's choice.
	Concurrency int
	// ReadyTimeout and StopTimeout bound starting (0: 30 s) and stopping (0: 5 s,
	// after which Envoy is killed).
	ReadyTimeout time.Duration
	StopTimeout  time.Duration
}

const (
	defaultReady    = 30 * time.Second
	defaultStop     = 5 * time.Second
	defaultLogLimit = 64 << 20
	maxTail         = 64 << 10
	linesInError    = 20
)

// Process is a running Envoy.
type Process struct {
	cmd   *exec.Cmd
	tail  *tail
	admin admin
	stop  time.Duration
	work  string
	done  chan struct{}
	err   error // set before done is closed
}

// Start runs Envoy and returns when it serves. ctx and ReadyTimeout bound the
// start only; the process then runs until Stop. An error holds Envoy's last lines.
func (b Binary) Start(ctx context.Context, c Config) (*Process, error) {
	work, err := os.MkdirTemp("", "certbearer-envoy-")
	if err != nil {
		return nil, err
	}
	p := &Process{
		tail: &tail{limit: maxTail},
		stop: orDefault(c.StopTimeout, defaultStop),
		work: work,
		done: make(chan struct{}),
	}
	addressPath := filepath.Join(work, "admin")
	p.cmd = b.command(c, addressPath)
	printed := &output{tail: p.tail, log: c.Log, left: orDefault(c.LogLimit, defaultLogLimit)}
	p.cmd.Stdout, p.cmd.Stderr = printed, printed
	if err := p.launch(); err != nil {
		return nil, errors.Join(fmt.Errorf("start envoy: %w", err), os.RemoveAll(work))
	}
	ctx, cancel := context.WithTimeout(ctx, orDefault(c.ReadyTimeout, defaultReady))
	defer cancel()
	if err := p.awaitReady(ctx, addressPath); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

func (b Binary) command(c Config, addressPath string) *exec.Cmd {
	level := c.LogLevel
	if level == "" {
		level = "warning"
	}
	// With hot restart Envoy takes the end of its parent's thread for a reason to end.
	args := []string{"-c", c.Path, "--disable-hot-restart", "--log-level", level, "--admin-address-path", addressPath}
	if c.Concurrency > 0 {
		args = append(args, "--concurrency", strconv.Itoa(c.Concurrency))
	}
	cmd := exec.Command(b.Path, args...)
	cmd.SysProcAttr = endWithParent()
	cmd.WaitDelay = time.Second
	return cmd
}

// launch starts Envoy on a thread that lives as long as Envoy does: on Linux the
// end of that thread is what kills it, and a thread of the pool may end at any time.
func (p *Process) launch() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return <-started
}

func (p *Process) awaitReady(ctx context.Context, addressPath string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return fmt.Errorf("envoy ended before it was ready (%w):\n%s", exitError(p.err), p.tail.lines(linesInError))
		case <-ctx.Done():
			return fmt.Errorf("envoy is not ready (%w); its configuration needs an admin address:\n%s", ctx.Err(), p.tail.lines(linesInError))
		case <-tick.C:
		}
		if at, ok := readAddress(addressPath); ok {
			p.admin = admin{at: at}
			if p.admin.ready(ctx) {
				return nil
			}
		}
	}
}

// Admin returns the address of the admin interface.
func (p *Process) Admin() netip.AddrPort { return p.admin.at }

// Listener returns the address that the named listener is bound to.
func (p *Process) Listener(ctx context.Context, name string) (netip.AddrPort, error) {
	bound, err := p.admin.listeners(ctx)
	if err != nil {
		return netip.AddrPort{}, err
	}
	at, ok := bound[name]
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("envoy has no listener %q", name)
	}
	return at, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when Envoy has ended, by Stop or by itself.
func (p *Process) Done() <-chan struct{} { return p.done }

// LastLines returns the end of what Envoy printed.
func (p *Process) LastLines() string { return p.tail.lines(linesInError) }

// Stop asks Envoy to end, kills it after StopTimeout, and waits. It may be called
// more than once. Ending by the signal is no error; having ended before is one,
// with Envoy's last lines, if its status was not 0.
func (p *Process) Stop() error {
	if err := p.end(); err != nil {
		return err
	}
	return p.ended()
}

func (p *Process) end() error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(p.stop)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		if err := p.signal(syscall.SIGKILL); err != nil {
			return err
		}
		<-p.done
	}
	return os.RemoveAll(p.work)
}

func (p *Process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop envoy: %w", err)
	}
	return nil
}

func (p *Process) ended() error {
	if p.err == nil || bySignal(p.err, syscall.SIGTERM) || bySignal(p.err, syscall.SIGKILL) {
		return nil
	}
	return fmt.Errorf("envoy: %w:\n%s", p.err, p.tail.lines(linesInError))
}

func bySignal(err error, signal syscall.Signal) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == signal
}

func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func orDefault[T int | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}
