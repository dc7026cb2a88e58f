package integration_test

import "syscall"

// endWithParent ends a process with the thread that started it, so that a test
// that panics leaves none behind.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
