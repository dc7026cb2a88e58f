package integration_test

import (
	"testing"
	"time"
)

// patience is how long a condition may take: far more than it should, because
// the machine may be busy with other things.
const patience = 20 * time.Second

// live is how long a change may take until it counts, on a busy machine. It is
// below the time after which the folder of clients is looked at anew, so that a
// change of which certbearer was not told is too late.
const live = 6 * time.Second

// eventually waits until the condition holds and returns how long that took.
func eventually(t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	return within(t, patience, what, holds)
}

// within is eventually with another patience.
func within(t *testing.T, patience time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Since(began) > patience {
			t.Fatalf("after %v still not so: %s", patience, what)
		}
		<-tick.C
	}
	return time.Since(began)
}
