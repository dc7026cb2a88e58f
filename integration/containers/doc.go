// Package containers owns the tests of what docs/containers.md says: the images that
// `make images` makes, envoy/compose.yaml as it stands, and the workflow that users
// can copy.
//
// They take some minutes and a container engine, so they run where
// CERTBEARER_CONTAINERS=run asks for them, as `make test-container` does. There a
// missing engine is a failure.
package containers
