package policies_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/truststore"
)

// world is what the clients of a property test choose from, and who asks.
type world struct {
	stored  []*testca.Issued
	callers []*truststore.Chain
}

func newWorld(t testing.TB) world {
	root, sameName := selfSigned(t, ca("root")), selfSigned(t, ca("root"))
	renewed := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: root.Key})
	inter := issue(t, root, ca("inter"))
	a, b, self := issue(t, root, leaf("a")), issue(t, root, leaf("b")), selfSigned(t, leaf("a"))
	return world{
		stored: []*testca.Issued{root, renewed, sameName, inter, a, b, self},
		callers: []*truststore.Chain{
			chainOf(a), chainOf(b), chainOf(self), chainOf(root), chainOf(issue(t, sameName, leaf("a"))),
			chainOf(issue(t, inter, leaf("a")), inter), chainOf(issue(t, inter, leaf("b"))), chainOf(selfSigned(t, leaf("x"))),
		},
	}
}

// answers is all that a Snapshot says about its clients, in a form without order.
type answers struct {
	Len      int
	Count    map[string]int
	Clients  []string
	PinnedBy []string
	Holders  []int
	Resolved []string
}

func (w world) ask(t testing.TB, s *policies.Snapshot) answers {
	now := time.Now()
	out := answers{Len: s.Len(), Count: make(map[string]int)}
	for _, status := range policies.Statuses() {
		out.Count[status.String()] = s.Count(status)
	}
	for _, id := range clientIDs() {
		found := s.Client(id)
		if found == nil {
			continue
		}
		anchors := make([]string, 0)
		for _, anchor := range found.Anchors() {
			anchors = append(anchors, fmt.Sprintf("%x", anchor.Thumbprint[:4]))
		}
		out.Clients = append(out.Clients, fmt.Sprintf("%s %s pins %x anchors %s", found.ID(), found.Status(), found.Pins(), anchors))
	}
	for _, stored := range w.stored {
		var ids []string
		for _, c := range s.PinnedBy(stored.Thumbprint()) {
			ids = append(ids, c.ID())
		}
		slices.Sort(ids)
		out.PinnedBy = append(out.PinnedBy, fmt.Sprint(ids))
		entries, err := truststore.Parse(stored.PEM())
		if err != nil {
			t.Fatal(err)
		}
		out.Holders = append(out.Holders, s.AnchorHolders(truststore.NewAnchor(entries[0])))
	}
	for _, caller := range w.callers {
		for _, id := range append(clientIDs(), "") {
			fresh := truststore.NewChain(caller.Leaf, caller.Intermediates)
			out.Resolved = append(out.Resolved, decide(s, fresh, policies.Hint{Parameter: id}, now))
		}
	}
	return out
}

func clientIDs() []string { return []string{"c0", "c1", "c2", "c3"} }

// drawClient draws a document out of the world.
func (w world) drawClient(t *rapid.T) fields {
	of := fields{"status": rapid.SampledFrom([]string{"active", "active", "off", "error"}).Draw(t, "status")}
	var stored []*testca.Issued
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(w.stored)-1), 0, 4).Draw(t, "stored") {
		stored = append(stored, w.stored[i])
	}
	of["certificateTrustStore"] = store(stored...)
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		of["tokenEndpointAuthMethod"] = "self_signed_tls_client_auth"
	case 1:
		of["tokenEndpointAuthMethod"] = "tls_client_auth"
		of["tlsClientAuth"] = subject("CN=a")
	case 2:
		of["tlsClientAuth"] = subject("CN=b")
	}
	return of
}

func TestAnySequenceOfChangesAnswersAsTheClientsBuiltAnew(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(r *rapid.T) {
		options := policies.Options{AllowSharedAnchors: rapid.Bool().Draw(r, "sharedAnchors")}
		current := policies.Empty(options)
		surviving := clients{}
		type version struct {
			snapshot *policies.Snapshot
			answers  answers
		}
		var older []version
		for range rapid.IntRange(1, 6).Draw(r, "snapshots") {
			b := current.Edit()
			for range rapid.IntRange(1, 4).Draw(r, "changes") {
				id := rapid.SampledFrom(clientIDs()).Draw(r, "id")
				switch rapid.IntRange(0, 3).Draw(r, "change") {
				case 0:
					b.Remove(id)
					delete(surviving, id)
				case 1:
					b.TurnOff(id)
					off := fields{}
					maps.Copy(off, surviving[id])
					off["status"] = "off"
					surviving[id] = off
				default:
					surviving[id] = w.drawClient(r)
					b.Put(client(t, id, surviving[id]))
				}
			}
			current = b.Snapshot()
			anew := snapshot(t, options, surviving, inOrder(surviving))
			got := w.ask(t, current)
			if diff := cmp.Diff(w.ask(t, anew), got); diff != "" {
				r.Fatalf("built anew (-) and by changes (+):\n%s", diff)
			}
			older = append(older, version{current, got})
		}
		for i, v := range older {
			if diff := cmp.Diff(v.answers, w.ask(t, v.snapshot)); diff != "" {
				r.Fatalf("Snapshot %d changed afterwards:\n%s", i, diff)
			}
		}
	})
}

func TestReadersOfASnapshotAndTheBuilderOfTheNextDoNotMeet(t *testing.T) {
	w := newWorld(t)
	s := snapshotOf(t, clients{
		"c0": {"certificateTrustStore": store(w.stored...)},
		"c1": {"certificateTrustStore": store(w.stored...), "tlsClientAuth": subject("CN=a")},
	})
	want := w.ask(t, s)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 3 {
				if diff := cmp.Diff(want, w.ask(t, s)); diff != "" {
					t.Errorf("the Snapshot changed:\n%s", diff)
				}
			}
		})
	}
	next := s
	for i := range 40 {
		b := next.Edit()
		b.TurnOff("c0")
		b.Put(client(t, fmt.Sprint("n", i), fields{"certificateTrustStore": store(w.stored...)}))
		b.Remove("c1")
		next = b.Snapshot()
	}
	readers.Wait()
	if next.Len() != 41 || s.Len() != 2 {
		t.Errorf("%d and %d clients, want 41 and 2", next.Len(), s.Len())
	}
}

func TestPuttingAClientAgainLeavesItsPublishedRecordAlone(t *testing.T) {
	root := selfSigned(t, ca("root"))
	trusting := fields{"certificateTrustStore": store(root)}
	b := policies.Empty(policies.Options{}).Edit()
	record := b.Put(client(t, "a", trusting))
	published := b.Snapshot()
	var readers sync.WaitGroup
	readers.Go(func() {
		for range 1000 {
			if len(published.Client("a").Anchors()) != 1 {
				t.Error("the record lost its CA")
			}
		}
	})
	before := published.Client("a").Anchors()[0]
	for range 100 {
		again := published.Edit()
		if again.Put(record) != record || again.Snapshot().Client("a") != record {
			t.Fatal("the client that was put again has another record")
		}
		// Where another client's certificate of the CA was there first.
		other := policies.Empty(policies.Options{}).Edit()
		other.Put(client(t, "b", trusting))
		if copied := other.Put(record); copied.Anchors()[0] != other.Snapshot().Client("b").Anchors()[0] {
			t.Fatal("two clients of one CA do not share its certificate")
		}
	}
	readers.Wait()
	if published.Client("a") != record || record.Anchors()[0] != before {
		t.Error("the published record was written to")
	}
}

func TestAllAndSortedListEveryClientOnce(t *testing.T) {
	all := clients{"b": {}, "a": {"status": "off"}, "c": {}}
	s := snapshotOf(t, all)
	var ids []string
	for _, c := range s.Sorted() {
		ids = append(ids, c.ID())
	}
	if !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("Sorted: %v", ids)
	}
	for range s.All() {
		break // All heeds a consumer that stops
	}
}

func TestAClientTurnedOffThatNobodyKnewHasNoCertificates(t *testing.T) {
	b := policies.Empty(policies.Options{}).Edit()
	b.TurnOff("ghost")
	s := b.Snapshot()
	c := s.Client("ghost")
	if c == nil || c.Status() != policies.StatusOff || len(c.Pins())+len(c.Anchors()) != 0 || s.Count(policies.StatusOff) != 1 {
		t.Errorf("client %v", c)
	}
}
