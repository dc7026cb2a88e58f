//go:build !linux

package integration_test

import "syscall"

// endWithParent is for Linux only; elsewhere the world's end ends the process.
func endWithParent() *syscall.SysProcAttr { return nil }
