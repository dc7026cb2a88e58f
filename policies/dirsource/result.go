package dirsource

import (
	"reflect"
	"slices"

	"github.com/certbearer/certbearer/policies"
)

// reconcile brings the touched clients of the working Snapshot up to date.
func (f *folder) reconcile(touched map[string]bool) {
	if len(touched) == 0 {
		return
	}
	builder := f.working.Edit()
	for id := range touched {
		claims := f.claims[id]
		switch {
		case len(claims) == 0:
			builder.Remove(id)
		case len(claims) == 1 && claims[0].usable:
			// Kept as it was put, so that putting it again is putting the same.
			claims[0].record = builder.Put(claims[0].record)
		default:
			f.degrade(builder, id, claims)
		}
	}
	f.working = builder.Snapshot()
	f.stale = true
}

// degrade is about a client whose documents cannot be used. Its last good
// version stays. If it has none, nobody is let in as it, and its certificates
// are kept from being taken for those of others.
func (f *folder) degrade(builder *policies.Builder, id string, claims []claim) {
	off := slices.ContainsFunc(claims, func(c claim) bool { return c.off })
	if current := f.working.Client(id); current != nil && !current.IsRemnant() {
		if off {
			builder.TurnOff(id)
		}
		return
	}
	var records []*policies.Client
	for _, c := range claims {
		if c.record != nil {
			records = append(records, c.record)
		}
	}
	builder.Put(policies.Remnant(id, off, records...))
}

// changed reports whether result would return something new.
func (f *folder) changed() bool {
	return f.stale || !reflect.DeepEqual(f.shown, f.makeReport())
}

// result returns the Snapshot to publish, nil if strict reading has none.
func (f *folder) result() (*policies.Snapshot, policies.Report) {
	report := f.makeReport()
	f.stale = false
	if !f.config.Strict || len(report.Faults) == 0 {
		f.good = f.working
	} else {
		report.Kept = true
		f.good = f.turnOff(f.good)
	}
	f.shown = report
	report.CRLs.Files = f.listFiles()
	return f.good, report
}

// turnOff applies to a kept set what must not wait for a good one.
func (f *folder) turnOff(kept *policies.Snapshot) *policies.Snapshot {
	if kept == nil {
		return nil
	}
	builder := kept.Edit()
	for client := range kept.All() {
		off := func(c claim) bool { return c.off }
		if client.Status() != policies.StatusOff && slices.ContainsFunc(f.claims[client.ID()], off) {
			builder.TurnOff(client.ID())
		}
	}
	return builder.Snapshot()
}
