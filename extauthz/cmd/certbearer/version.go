package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker in releases.
var version = "0.1.0-dev"

type versionCommand struct{}

// Run prints the version, the revision it was built from and Go's version.
func (versionCommand) Run(c *console) error {
	_, err := fmt.Fprintf(c.stdout, "certbearer %s (revision %s, %s)\n", version, revision(), runtime.Version())
	return err
}

// revision is the commit of the build, as far as Go recorded it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return "unknown"
}
