// Package sourcetest holds what every source of clients must do. A source's
// own tests call [Run] with a way to change what the source reads.
package sourcetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/policies"
)

// Fixture is one source and the place that it reads.
type Fixture struct {
	Source policies.Source
	// Write stores a text of documents, JSON unless the name says otherwise,
	// under a name; writing to the name again replaces it.
	Write func(t *testing.T, name, text string)
	// Remove takes the name away.
	Remove func(t *testing.T, name string)
}

// Run tests a source. open makes a fresh, empty one; strict asks for one that
// keeps its whole set while a document has a fault. pems are at least three
// different PEM certificates.
func Run(t *testing.T, open func(t *testing.T, strict bool) Fixture, pems []string) {
	if len(pems) < 3 {
		t.Fatal("sourcetest: three certificates are needed")
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, Fixture: open(t, test.strict), pems: pems}
			test.run(w)
		})
	}
}

type testCase struct {
	strict bool
	run    func(w *world)
}

var cases = map[string]testCase{
	"what is there at the start is in the first snapshot": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.start()
		w.until("a is there", func(s *policies.Snapshot, _ policies.Report) bool { return s.Client("a") != nil })
	}},
	"an empty place is an empty snapshot": {run: func(w *world) {
		w.start()
		w.until("nothing is there", func(s *policies.Snapshot, r policies.Report) bool { return s.Len() == 0 && len(r.Faults) == 0 })
	}},
	"a client that is added, changed and removed follows": {run: func(w *world) {
		w.start()
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.until("a pins the first", func(s *policies.Snapshot, _ policies.Report) bool { return w.pinned(s, 0, "a") })
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[1]})
		w.until("a pins the second and no longer the first", func(s *policies.Snapshot, _ policies.Report) bool {
			return w.pinned(s, 1, "a") && w.pinned(s, 0)
		})
		w.Remove(w.t, "a.json")
		w.until("a is gone", func(s *policies.Snapshot, _ policies.Report) bool { return s.Client("a") == nil && w.pinned(s, 1) })
	}},
	// One by one they may be late on a machine under load, but not all of them.
	"ten changes, one after the other, take no ten seconds": {run: func(w *world) {
		w.start()
		began := time.Now()
		for n := range 10 {
			w.write("a.json", doc{ID: "a", TrustStore: w.pems[n%2]})
			w.until("the change is live", func(s *policies.Snapshot, _ policies.Report) bool { return w.pinned(s, n%2, "a") })
		}
		if took := time.Since(began); took > 10*time.Second {
			w.t.Errorf("they took %v", took)
		}
	}},
	"a status that turns off is live": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.start()
		w.write("a.json", doc{ID: "a", Status: "off", TrustStore: w.pems[0]})
		w.until("a is off and keeps its pin", func(s *policies.Snapshot, _ policies.Report) bool {
			return w.status(s, "a") == policies.StatusOff && w.pinned(s, 0, "a")
		})
	}},
	"a bad document keeps its last good version while others change": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.start()
		w.write("a.json", doc{ID: "a", TrustStore: "garbage"})
		w.write("b.json", doc{ID: "b", TrustStore: w.pems[1]})
		w.until("a is as it was, b is new, the fault is named", func(s *policies.Snapshot, r policies.Report) bool {
			return w.pinned(s, 0, "a") && w.pinned(s, 1, "b") && faulty(r, "a")
		})
	}},
	"a text that cannot be read at all keeps its clients": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.start()
		w.Write(w.t, "a.json", "{{{")
		w.until("a is as it was and a fault shows", func(s *policies.Snapshot, r policies.Report) bool {
			return w.pinned(s, 0, "a") && len(r.Faults) > 0
		})
	}},
	"a text that holds no document keeps its clients": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.write("b.json", doc{ID: "b", Status: "off", TrustStore: w.pems[1]})
		w.Write(w.t, "c.yaml", yamlOf("c", w.pems[2]))
		w.start()
		w.Write(w.t, "a.json", "")
		w.Write(w.t, "b.json", "\n")
		w.Write(w.t, "c.yaml", "# nothing\n")
		w.until("they are as they were and each is a fault", func(s *policies.Snapshot, r policies.Report) bool {
			return w.lets(s, "a") && w.pinned(s, 0, "a") && w.holds(s, 1, "b") && w.lets(s, "c") && w.pinned(s, 2, "c") && len(r.Faults) == 3
		})
		w.Remove(w.t, "b.json")
		w.until("b is gone", func(s *policies.Snapshot, r policies.Report) bool { return w.pinned(s, 1) && len(r.Faults) == 2 })
	}},
	"a YAML text that is broken off keeps its client": {run: func(w *world) {
		w.Write(w.t, "a.yaml", yamlOf("a", w.pems[0]))
		w.start()
		w.Write(w.t, "a.yaml", yamlOf("a", w.pems[1])+"name: Wh")
		w.until("a is as it was and a fault shows", func(s *policies.Snapshot, r policies.Report) bool {
			return w.lets(s, "a") && w.pinned(s, 0, "a") && w.pinned(s, 1) && len(r.Faults) > 0
		})
		w.Write(w.t, "a.yaml", yamlOf("a", w.pems[1])+"name: Whole\n")
		w.until("a is as it is now", func(s *policies.Snapshot, r policies.Report) bool {
			return w.lets(s, "a") && w.pinned(s, 1, "a") && len(r.Faults) == 0
		})
		w.Write(w.t, "a.yaml", yamlOf("a", w.pems[1])+"status: off")
		w.until("off counts all the same", func(s *policies.Snapshot, r policies.Report) bool { return w.holds(s, 1, "a") && len(r.Faults) > 0 })
	}},
	"a bad document that says off turns its client off": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.start()
		w.write("a.json", doc{ID: "a", Status: "off", TrustStore: "garbage"})
		w.until("a is off", func(s *policies.Snapshot, r policies.Report) bool {
			return w.status(s, "a") == policies.StatusOff && faulty(r, "a")
		})
	}},
	"a status that nobody can read turns its client off": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.start()
		w.write("a.json", doc{ID: "a", Status: "Off", TrustStore: w.pems[0]})
		w.until("a is off and keeps its pin", func(s *policies.Snapshot, r policies.Report) bool {
			return w.status(s, "a") == policies.StatusOff && w.pinned(s, 0, "a") && faulty(r, "a")
		})
	}},
	"a bad document that was mended counts again": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: "garbage"})
		w.start()
		w.until("nobody is let in as a", func(s *policies.Snapshot, r policies.Report) bool { return !w.lets(s, "a") && faulty(r, "a") })
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.until("a is there and no fault is left", func(s *policies.Snapshot, r policies.Report) bool {
			return w.lets(s, "a") && w.pinned(s, 0, "a") && len(r.Faults) == 0
		})
	}},
	"a bad document from the start keeps its pin from others": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0], Mode: "unheard of"})
		w.write("b.json", doc{ID: "b", TrustStore: w.pems[1] + "garbage"})
		w.write("c.json", doc{ID: "c", Status: "off", TrustStore: w.pems[2], Mode: "unheard of"})
		w.start()
		w.until("each holds its pin and lets nobody in", func(s *policies.Snapshot, r policies.Report) bool {
			return w.holds(s, 0, "a") && w.holds(s, 1, "b") && w.holds(s, 2, "c") && w.status(s, "c") == policies.StatusOff && faulty(r, "a")
		})
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[1], Mode: "unheard of"})
		w.write("b.json", doc{ID: "b", TrustStore: w.pems[0]})
		w.until("a holds the pin of its new text", func(s *policies.Snapshot, r policies.Report) bool {
			return w.holds(s, 1, "a") && w.pinned(s, 0, "b") && w.lets(s, "b")
		})
		w.Write(w.t, "a.json", "{{{")
		w.until("a holds what it had", func(s *policies.Snapshot, r policies.Report) bool {
			return w.holds(s, 1, "a") && len(r.Faults) > 0 && !slices.ContainsFunc(r.Faults, func(f policies.Fault) bool { return f.ClientID == "a" && f.Field == "mode" })
		})
		w.Remove(w.t, "a.json")
		w.until("a is gone", func(s *policies.Snapshot, r policies.Report) bool { return s.Client("a") == nil && w.pinned(s, 1) })
	}},
	"one id in two documents: the last good version stays": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.start()
		w.until("a is there", func(s *policies.Snapshot, _ policies.Report) bool { return w.pinned(s, 0, "a") })
		w.write("other.json", doc{ID: "a", TrustStore: w.pems[1]})
		w.until("a is as it was and the fault is named", func(s *policies.Snapshot, r policies.Report) bool {
			return w.pinned(s, 0, "a") && w.pinned(s, 1) && faulty(r, "a")
		})
		w.Remove(w.t, "a.json")
		w.until("the other one counts", func(s *policies.Snapshot, r policies.Report) bool {
			return w.pinned(s, 1, "a") && w.pinned(s, 0) && len(r.Faults) == 0
		})
	}},
	"one id in two documents of which one says off is off": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.start()
		w.write("other.json", doc{ID: "a", Status: "off"})
		w.until("a is off", func(s *policies.Snapshot, _ policies.Report) bool { return w.status(s, "a") == policies.StatusOff })
	}},
	"one id in two documents from the start is nobody, with the pins of both": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.write("other.json", doc{ID: "a", TrustStore: w.pems[1]})
		w.start()
		w.until("neither counts", func(s *policies.Snapshot, r policies.Report) bool {
			return w.holds(s, 0, "a") && w.holds(s, 1, "a") && faulty(r, "a")
		})
		w.Write(w.t, "a.json", "{{{")
		w.until("the unreadable one keeps its pin", func(s *policies.Snapshot, r policies.Report) bool {
			return w.holds(s, 0, "a") && w.holds(s, 1, "a") && len(r.Faults) > 1
		})
		w.Remove(w.t, "a.json")
		w.until("the other one counts", func(s *policies.Snapshot, r policies.Report) bool {
			return w.lets(s, "a") && w.pinned(s, 1, "a") && w.pinned(s, 0) && len(r.Faults) == 0
		})
	}},
	"strict keeps the whole set while a document is bad": {strict: true, run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.write("b.json", doc{ID: "b", TrustStore: w.pems[1]})
		w.start()
		w.until("both are there", func(s *policies.Snapshot, _ policies.Report) bool { return w.pinned(s, 0, "a") && w.pinned(s, 1, "b") })
		w.write("a.json", doc{ID: "a", TrustStore: "garbage"})
		w.write("c.json", doc{ID: "c", TrustStore: w.pems[2]})
		w.until("c waits", func(s *policies.Snapshot, r policies.Report) bool {
			return r.Kept && s.Client("c") == nil && w.pinned(s, 0, "a")
		})
		w.write("b.json", doc{ID: "b", Status: "off", TrustStore: w.pems[1]})
		w.until("b is off all the same", func(s *policies.Snapshot, r policies.Report) bool {
			return r.Kept && w.status(s, "b") == policies.StatusOff
		})
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.until("c is there", func(s *policies.Snapshot, r policies.Report) bool { return !r.Kept && w.pinned(s, 2, "c") })
	}},
	"strict has no set before there was a good one": {strict: true, run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: "garbage"})
		w.start()
		w.until("nothing is let out", func(s *policies.Snapshot, r policies.Report) bool { return s == nil && r.Kept })
	}},
	"a snapshot that was published never changes": {run: func(w *world) {
		w.write("a.json", doc{ID: "a", TrustStore: w.pems[0]})
		w.start()
		first := w.until("a is there", func(s *policies.Snapshot, _ policies.Report) bool { return w.pinned(s, 0, "a") })
		w.Remove(w.t, "a.json")
		w.until("a is gone", func(s *policies.Snapshot, _ policies.Report) bool { return s.Client("a") == nil })
		if !w.pinned(first, 0, "a") {
			w.t.Error("the first snapshot lost the client that a later one does not have")
		}
	}},
}

// doc is a document; empty members are left out.
type doc struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id,omitempty"`
	Status       string `json:"status,omitempty"`
	TrustStore   string `json:"certificateTrustStore,omitempty"`
	Mode         string `json:"mode,omitempty"`
}

// yamlOf is a whole document of one client that ends with its id.
func yamlOf(id, pem string) string {
	return "resourceType: ClientApplication\ncertificateTrustStore: |\n  " +
		strings.ReplaceAll(strings.TrimSpace(pem), "\n", "\n  ") + "\nid: " + id + "\n"
}

// world is one running source and the last that it published.
type world struct {
	Fixture
	t         *testing.T
	pems      []string
	published chan published
	last      published
}

type published struct {
	snapshot *policies.Snapshot
	report   policies.Report
}

func (w *world) write(name string, d doc) {
	w.t.Helper()
	d.ResourceType = "ClientApplication"
	text, err := json.Marshal(d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Write(w.t, name, string(text))
}

// start runs the source until the test ends and waits for its first snapshot.
func (w *world) start() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.published = make(chan published, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- w.Source.Run(ctx, func(s *policies.Snapshot, r policies.Report) { w.published <- published{s, r} })
	}()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run returned %v when its context ended", err)
		}
	})
	w.next("the first snapshot")
}

// patience is above the second within which a change must be live, for machines
// under load, and below the time in which a source looks at everything anew: a
// change that it was not told of comes too late.
const patience = 6 * time.Second

func (w *world) next(what string) {
	w.t.Helper()
	select {
	case w.last = <-w.published:
	case <-time.After(patience):
		w.t.Fatalf("%s did not come; the last report: %s", what, describe(w.last.report))
	}
}

// until waits for a published state that fits.
func (w *world) until(what string, fits func(*policies.Snapshot, policies.Report) bool) *policies.Snapshot {
	w.t.Helper()
	for !fits(w.last.snapshot, w.last.report) {
		w.next(what)
	}
	return w.last.snapshot
}

// pinned reports whether exactly these clients pin the n-th certificate.
func (w *world) pinned(s *policies.Snapshot, n int, ids ...string) bool {
	w.t.Helper()
	thumbprint := thumbprintOf(w.t, w.pems[n])
	var got []string
	for _, client := range s.PinnedBy(thumbprint) {
		got = append(got, client.ID())
	}
	slices.Sort(got)
	return slices.Equal(got, ids)
}

func (w *world) status(s *policies.Snapshot, id string) policies.Status {
	if client := s.Client(id); client != nil {
		return client.Status()
	}
	return policies.StatusError
}

// lets reports whether the client is one that somebody may be let in as.
func (w *world) lets(s *policies.Snapshot, id string) bool {
	return w.status(s, id) == policies.StatusActive
}

// holds reports whether the n-th certificate is this client's, and no way in.
func (w *world) holds(s *policies.Snapshot, n int, id string) bool {
	w.t.Helper()
	return w.pinned(s, n, id) && !w.lets(s, id)
}

func faulty(r policies.Report, id string) bool {
	return slices.ContainsFunc(r.Faults, func(f policies.Fault) bool { return f.ClientID == id })
}

func describe(r policies.Report) string { return fmt.Sprintf("%+v", r) }
