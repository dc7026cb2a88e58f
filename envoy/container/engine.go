// Package container finds docker or podman on this machine, for the demo and for
// tests: Envoy in a container, and the images of this repository.
//
// Podman run by root gets settings and a storage of its own below the tools folder,
// so that nothing of it stands among the user's images: plain files and runc,
// which work where there is neither systemd nor an overlay file system.
package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// EnvEngine names the program, docker or podman, where Find is not to choose.
const EnvEngine = "CERTBEARER_ENGINE"

// Label marks every container that is started for us; see [Engine.Clean].
const Label = "certbearer.started-by"

// ErrNone is in the error of [Find] where no engine answers.
var ErrNone = errors.New("no container engine answers: start docker, or install podman and runc")

const askTimeout = 30 * time.Second

// Engine is a program that runs containers.
type Engine struct {
	// Program is its absolute path.
	Program string
	// Podman: it is podman, and takes docker's command line.
	Podman bool
	// Own: its containers and images stand in a storage of ours, away from the user's.
	Own bool
	// Env is what it needs in its environment, as NAME=value.
	Env []string
}

// Find returns the engine that CERTBEARER_ENGINE names, else docker if its engine
// answers, else podman. folder is where podman's files may stand.
func Find(ctx context.Context, folder string) (Engine, error) {
	names := []string{"docker", "podman"}
	if named := os.Getenv(EnvEngine); named != "" {
		names = []string{named}
	}
	var why []error
	for _, name := range names {
		e, err := engine(ctx, name, folder)
		if err == nil {
			return e, nil
		}
		why = append(why, fmt.Errorf("%s: %w", name, err))
	}
	return Engine{}, fmt.Errorf("%w: %w", ErrNone, errors.Join(why...))
}

func engine(ctx context.Context, name, folder string) (Engine, error) {
	program, err := exec.LookPath(name)
	if err != nil {
		return Engine{}, errors.New("not on PATH")
	}
	e := Engine{Program: program}
	// A program of the name docker may be podman too; only podman knows this command.
	e.Podman = strings.HasPrefix(e.answer(ctx, "--version"), "podman")
	if e.Podman {
		if e.Env, e.Own, err = podmanEnv(folder); err != nil {
			return Engine{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if output, err := e.Command(ctx, "info").CombinedOutput(); err != nil {
		return Engine{}, fmt.Errorf("%w: %s", err, lastLine(output))
	}
	return e, nil
}

func (e Engine) answer(ctx context.Context, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	output, err := e.Command(ctx, args...).Output()
	if err != nil {
		return ""
	}
	return string(output)
}

// Command is the engine's command line with the arguments.
func (e Engine) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.Program, args...)
	cmd.Env = append(os.Environ(), e.Env...)
	cmd.WaitDelay = time.Second
	return cmd
}

// Run runs a command to its end. The error holds what it printed.
func (e Engine) Run(ctx context.Context, args ...string) (stdout string, err error) {
	var out, both strings.Builder
	cmd := e.Command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &both
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", e.Program, strings.Join(args, " "), err, strings.TrimSpace(both.String()+out.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// Clean removes every container that has [Label] with the value, running or not.
func (e Engine) Clean(ctx context.Context, value string) error {
	ids, err := e.Run(ctx, "ps", "--all", "--quiet", "--filter", "label="+Label+"="+value)
	if err != nil || ids == "" {
		return err
	}
	_, err = e.Run(ctx, append([]string{"rm", "--force"}, strings.Fields(ids)...)...)
	return err
}

// Remove removes images, by name and tag or by name alone. What builds have left in
// a storage of ours goes with them.
func (e Engine) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		// By name and tag: by its id an image would go with the user's tags on it, which
		// podman lists here too.
		tagged, err := e.Run(ctx, "images", "--format", "{{.Repository}}:{{.Tag}}", name)
		if err != nil {
			return err
		}
		for _, image := range strings.Fields(tagged) {
			if short := strings.TrimPrefix(image, "localhost/"); short != name && !strings.HasPrefix(short, name+":") {
				continue
			}
			if _, err := e.Run(ctx, "rmi", "--force", image); err != nil {
				return err
			}
		}
	}
	if !e.Own {
		return nil
	}
	_, err := e.Run(ctx, "image", "prune", "--force")
	return err
}

func lastLine(output []byte) string {
	text := strings.TrimSpace(string(output))
	return text[strings.LastIndex(text, "\n")+1:]
}
