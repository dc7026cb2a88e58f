package bench_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc's times: USER_HZ is 100 on every architecture that
// Go runs on.
const tick = 10 * time.Millisecond

// The fields of /proc/PID/stat behind the name (proc_pid_stat(5): utime is the
// fourteenth of all and the name the second).
const (
	fieldUser   = 14 - 3
	fieldSystem = 15 - 3
)

// cpuTime returns the user and system time of all threads of a process.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// A name may hold anything, closing parentheses too.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) <= fieldSystem {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err := strconv.ParseInt(fields[fieldUser], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[fieldSystem], 10, 64)
	return time.Duration(user+system) * tick, err
}
