//go:build !linux

package run

import "syscall"

// endWithParent does nothing where the system has no such means.
func endWithParent() *syscall.SysProcAttr { return nil }
