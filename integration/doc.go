// Package integration owns the tests through the real thing: the certbearer
// binary as it is built, a real Envoy with the configuration that the binary
// renders, a service behind it that keeps what it receives, and callers that
// present certificates.
//
// A test opens a world: a folder that `certbearer init` wrote, certbearer.yaml
// with the test's own settings on top, certbearer as a process, and one Envoy or
// several in front of it. Everything is on loopback, on ports that the system
// chose. When the world ends, certbearer must end with exit code 0, and nothing
// that it or Envoy wrote may hold a token.
//
// Envoy is found as the demo finds it. With CERTBEARER_ENVOY=none the tests that
// need it are left out, each with a line that says so; with CI set in the
// environment nothing may be left out.
package integration
