// Package clients owns the tests that run what docs/clients.md and
// docs/upstreams.md print: programs of others' libraries, against the certbearer
// binary and a real Envoy. What they need of npm, PyPI and Maven Central is
// pinned in testdata and fetched into .tools/clients, in CI and by `make
// test-clients`.
package clients
