package run

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Binary is an Envoy on this machine.
type Binary struct {
	// Path is absolute when it comes from [Find].
	Path string
}

// What certbearer renders by default has fields that came with Envoy 1.39.
const (
	minMajor = 1
	minMinor = 39
)

const (
	versionTimeout  = 30 * time.Second
	validateTimeout = time.Minute
	maxOutput       = 64 << 10
)

var versionInText = regexp.MustCompile(`/(\d{1,4})\.(\d{1,4})\.(\d{1,4})[^/\s]{0,32}/`)

// Version returns Envoy's own version, such as "1.40.0".
func (b Binary) Version(ctx context.Context) (string, error) {
	output, err := b.output(ctx, versionTimeout, "--version")
	if err != nil {
		return "", fmt.Errorf("envoy --version: %w", err)
	}
	found := versionInText.FindString(output)
	if found == "" {
		return "", errors.New("envoy --version: printed no version")
	}
	return strings.Trim(found, "/"), nil
}

// Validate has Envoy read the configuration without serving it. The error holds
// Envoy's own words. Envoy overlooks a few faults here, a filter's misspelled
// per-route key among them.
func (b Binary) Validate(ctx context.Context, configPath string) error {
	output, err := b.output(ctx, validateTimeout, "--mode", "validate", "--log-level", "error", "-c", configPath)
	if err != nil {
		return fmt.Errorf("envoy refuses %s: %w: %s", configPath, err, strings.TrimSpace(output))
	}
	return nil
}

// willDo says why this Envoy is not the wanted one: the exact version, or where
// none is wanted, one that is new enough.
func (b Binary) willDo(ctx context.Context, wanted string) error {
	version, err := b.Version(ctx)
	switch {
	case err != nil:
		return err
	case wanted == "":
		return newEnough(version)
	case version != wanted:
		return fmt.Errorf("it is Envoy %s, and %w: %s", version, ErrOther, wanted)
	}
	return nil
}

func newEnough(version string) error {
	parts := strings.SplitN(version, ".", 3)
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return err
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return err
	}
	if major < minMajor || major == minMajor && minor < minMinor {
		return fmt.Errorf("envoy %s is too old, %d.%d is needed", version, minMajor, minMinor)
	}
	return nil
}

func (b Binary) output(ctx context.Context, limit time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	output := &tail{limit: maxOutput}
	cmd := exec.CommandContext(ctx, b.Path, args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	return output.String(), err
}
