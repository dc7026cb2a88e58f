//go:build race

package integration_test

// raceDetector says that the binary is built as the tests are.
const raceDetector = true
