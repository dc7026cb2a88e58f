package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// certbearer runs a command to its end and returns its exit code and all that it
// printed.
func certbearer(t *testing.T, args ...string) (code int, printed string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, shared.binary, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("certbearer %s: %v", strings.Join(args, " "), err)
	}
	if exit != nil {
		return exit.ExitCode(), string(out)
	}
	return 0, string(out)
}

// mustRun is certbearer with the exit code 0.
func mustRun(t *testing.T, args ...string) {
	t.Helper()
	if code, printed := certbearer(t, args...); code != 0 {
		t.Fatalf("certbearer %s ended with %d:\n%s", strings.Join(args, " "), code, printed)
	}
}

// process is a `certbearer serve`.
type process struct {
	cmd  *exec.Cmd
	log  string // the file of its standard error
	done chan struct{}
	code int // set before done is closed
}

// launch starts `certbearer serve` and returns at once.
func launch(t *testing.T, config string) *process {
	t.Helper()
	log, err := os.CreateTemp(filepath.Dir(config), "serve-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own
	p := &process{cmd: exec.Command(shared.binary, "serve", "--config", config), log: log.Name(), done: make(chan struct{})}
	p.cmd.Stderr, p.cmd.SysProcAttr = log, endWithParent()
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // on Linux the process ends with this thread
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = p.cmd.Wait() // the state says the same
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %v: %v", s, err)
	}
}

// stop has the process drain and returns its exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	return p.ended(t)
}

// ended waits for the end and returns the exit code, -1 for an end by a signal.
func (p *process) ended(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.code
	case <-time.After(patience):
		t.Fatalf("certbearer has not ended within %v:\n%s", patience, p.printed(t))
		return -1
	}
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the process, one that is stopped by SIGSTOP too.
func (p *process) kill() {
	if p.running() {
		_ = p.cmd.Process.Kill() // it may have ended just now
	}
	<-p.done
}

// freeze stops the process as a debugger would, and waits until it stands still.
func (p *process) freeze(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGSTOP)
	eventually(t, "certbearer stands still", func() bool {
		state, err := exec.Command("ps", "-o", "state=", "-p", itoa(p.cmd.Process.Pid)).Output()
		return err == nil && strings.HasPrefix(strings.TrimSpace(string(state)), "T")
	})
}

func (p *process) thaw(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGCONT)
}

func (p *process) printed(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// line is one line of the log.
type line struct {
	Message string `json:"msg"`
	Address string `json:"address"`
}

func (p *process) lines(t *testing.T) []line {
	t.Helper()
	var lines []line
	for text := range bytes.Lines([]byte(p.printed(t))) {
		var l line
		if json.Unmarshal(text, &l) == nil {
			lines = append(lines, l)
		}
	}
	return lines
}

// count returns how often the log has said something.
func (p *process) count(t *testing.T, message string) int {
	t.Helper()
	n := 0
	for _, l := range p.lines(t) {
		if l.Message == message {
			n++
		}
	}
	return n
}

// addresses returns where the process listens, in the order of its log: gRPC,
// HTTP where there is one, operations.
func (p *process) addresses(t *testing.T) []string {
	t.Helper()
	var addresses []string
	for _, l := range p.lines(t) {
		if l.Message == "listening" {
			addresses = append(addresses, l.Address)
		}
	}
	return addresses
}
