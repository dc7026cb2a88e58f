package listener_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/listener"
)

func TestReadinessNamesWhatIsMissing(t *testing.T) {
	r := listener.NewReadiness("keys", "clients")
	if diff := cmp.Diff([]string{"clients", "keys"}, r.Reasons()); diff != "" || r.Ready() {
		t.Errorf("at the start: ready %v, reasons (-want +got)\n%s", r.Ready(), diff)
	}
	r.Lift("keys")
	r.Lift("keys")
	if r.Ready() {
		t.Error("ready without clients")
	}
	r.Lift("clients")
	if !r.Ready() || len(r.Reasons()) != 0 {
		t.Errorf("nothing is missing: ready %v, reasons %v", r.Ready(), r.Reasons())
	}
}

func TestDrainingIsNotTakenBack(t *testing.T) {
	r := listener.NewReadiness()
	r.Block("draining")
	r.Lift("draining")
	if r.Ready() {
		t.Error("ready while draining")
	}
}
