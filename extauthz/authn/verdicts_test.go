package authn_test

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

// presentedWith is a certificate with others beside it, in their order.
func presentedWith(leaf *testca.Issued, beside ...*testca.Issued) peercert.Presented {
	var chain strings.Builder
	chain.Write(leaf.PEM())
	for _, other := range beside {
		chain.Write(other.PEM())
	}
	element := fmt.Sprintf("Hash=%x;Cert=%q;Chain=%q", leaf.Thumbprint(), leaf.URLEncodedPEM(), url.PathEscape(chain.String()))
	p := presented(leaf)
	p.Header = func(name string) []string {
		if name == "x-forwarded-client-cert" {
			return []string{element}
		}
		return nil
	}
	return p
}

// outcome is how a request ended: kept, judged, or the reason of its refusal.
func outcome(t testing.TB, a *authn.Authenticator, st *state.State, p peercert.Presented, hint policies.Hint, at time.Time) string {
	t.Helper()
	id, err := a.Authenticate(t.Context(), st, p, authn.Claim{Hint: hint}, at, nil)
	switch {
	case err != nil:
		if id.Kept || !id.Accepted.Until.IsZero() {
			t.Errorf("beside %v stands %+v", err, id.Accepted)
		}
		return decision.ReasonOf(err).String()
	case id.Client == nil || id.Evidence.Leaf == nil || at.After(id.Accepted.Until):
		t.Errorf("accepted without what it is: %+v", id)
	case id.Kept:
		return "kept"
	}
	return "judged"
}

// pki is two CAs with a client of each, which ask for revocations in soft mode.
type pki struct {
	a, b               *testca.Issued
	ofA, otherOfA, ofB *testca.Issued
	documents          map[string]map[string]any
}

func newPKI(t testing.TB) pki {
	t.Helper()
	var p pki
	for name, into := range map[string]**testca.Issued{"A": &p.a, "B": &p.b} {
		issued, err := testca.SelfSigned(testca.Template{CommonName: name, CA: true})
		if err != nil {
			t.Fatal(err)
		}
		*into = issued
	}
	p.ofA, p.otherOfA, p.ofB = issuedBy(t, p.a, "of A"), issuedBy(t, p.a, "other of A"), issuedBy(t, p.b, "of B")
	p.documents = map[string]map[string]any{"a": asking("soft", p.a), "b": asking("soft", p.b)}
	return p
}

// changed are the documents with one member of a's replaced.
func (p pki) changed(t testing.TB, member string, value any) *policies.Snapshot {
	t.Helper()
	documents := maps.Clone(p.documents)
	documents["a"] = maps.Clone(documents["a"])
	documents["a"][member] = value
	return clientsBy(t, documents)
}

func TestTheArrivalOfAListEndsTheVerdictsOfItsOwnCAOnly(t *testing.T) {
	p, a, now := newPKI(t), fromPeer(t), time.Now()
	st := state.State{Clients: clientsBy(t, p.documents)}
	ask := func(want map[*testca.Issued]string) {
		t.Helper()
		for leaf, want := range want {
			if got := outcome(t, a, &st, presented(leaf), policies.Hint{}, now); got != want {
				t.Errorf("%s: %s, want %s", leaf.Certificate.Subject, got, want)
			}
		}
	}
	ask(map[*testca.Issued]string{p.ofA: "judged", p.otherOfA: "judged", p.ofB: "judged"})
	ask(map[*testca.Issued]string{p.ofA: "kept", p.otherOfA: "kept", p.ofB: "kept"})
	st.CRLs = viewOf(t, st.CRLs, p.a, p.ofA)
	ask(map[*testca.Issued]string{p.ofA: "certificate_revoked", p.otherOfA: "judged", p.ofB: "kept"})
	ask(map[*testca.Issued]string{p.ofA: "certificate_revoked", p.otherOfA: "kept", p.ofB: "kept"})
}

func TestAVerdictHoldsOnlyWhileAllThatItRestsOnIsTheSame(t *testing.T) {
	p, now := newPKI(t), time.Now()
	clients := clientsBy(t, p.documents)
	view := viewOf(t, nil, p.a)
	nextUpdate := view.CRLs()[0].NextUpdate
	before := state.State{Clients: clients, CRLs: view}
	for sentence, c := range map[string]struct {
		after state.State
		at    time.Time
		want  string
	}{
		"nothing has changed":              {before, now, "kept"},
		"another Generation":               {state.State{Clients: clients, CRLs: view, Generation: 7}, now, "kept"},
		"the document says something else": {state.State{Clients: p.changed(t, "name", "another"), CRLs: view}, now, "judged"},
		"the same documents, read anew":    {state.State{Clients: clientsBy(t, p.documents), CRLs: view}, now, "judged"},
		"the client was turned off":        {state.State{Clients: p.changed(t, "status", "off"), CRLs: view}, now, "client_inactive"},
		"its CA was taken out":             {state.State{Clients: p.changed(t, "certificateTrustStore", string(p.ofB.PEM())), CRLs: view}, now, "client_unknown"},
		"there are no clients any more":    {state.State{CRLs: view}, now, "not_ready"},
		"the list is gone":                 {state.State{Clients: clients}, now, "judged"},
		"the clock was set back":           {before, now.Add(-time.Nanosecond), "judged"},
		"just before the end of the list":  {before, nextUpdate.Add(-1), "kept"},
		"at the end of the list":           {before, nextUpdate, "judged"},
		"after the certificate's end":      {before, p.ofA.Certificate.NotAfter.Add(time.Second), "certificate_expired"},
		"before the certificate began":     {before, p.ofA.Certificate.NotBefore.Add(-time.Second), "certificate_not_yet_valid"},
	} {
		a := fromPeer(t)
		if got := outcome(t, a, &before, presented(p.ofA), policies.Hint{}, now); got != "judged" {
			t.Fatal(got)
		}
		if got := outcome(t, a, &c.after, presented(p.ofA), policies.Hint{}, c.at); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
}

func TestAVerdictIsOfTheseCertificatesAndTheseNamesOnly(t *testing.T) {
	p, now := newPKI(t), time.Now()
	middle, err := p.a.Issue(testca.Template{CommonName: "middle", CA: true})
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.a.Issue(testca.Template{CommonName: "other", CA: true})
	if err != nil {
		t.Fatal(err)
	}
	leaf := issuedBy(t, middle, "below")
	st := state.State{Clients: clientsBy(t, p.documents)}
	for sentence, c := range map[string]struct {
		presented peercert.Presented
		hint      policies.Hint
		want      string
	}{
		"all the same":                 {presentedWith(leaf, middle, other), policies.Hint{Route: "a"}, "kept"},
		"the intermediates turned":     {presentedWith(leaf, other, middle), policies.Hint{Route: "a"}, "judged"},
		"one intermediate less":        {presentedWith(leaf, middle), policies.Hint{Route: "a"}, "judged"},
		"without the one it needs":     {presentedWith(leaf, other), policies.Hint{Route: "a"}, "path_not_found"},
		"without any":                  {presented(leaf), policies.Hint{Route: "a"}, "path_not_found"},
		"another certificate":          {presentedWith(issuedBy(t, middle, "below"), middle, other), policies.Hint{Route: "a"}, "judged"},
		"no name":                      {presentedWith(leaf, middle, other), policies.Hint{}, "judged"},
		"the name in another place":    {presentedWith(leaf, middle, other), policies.Hint{Parameter: "a"}, "judged"},
		"the name of a token":          {presentedWith(leaf, middle, other), policies.Hint{Token: "a"}, "judged"},
		"the name in two places":       {presentedWith(leaf, middle, other), policies.Hint{Route: "a", Parameter: "a"}, "judged"},
		"another client's name":        {presentedWith(leaf, middle, other), policies.Hint{Route: "b"}, "path_not_found"},
		"another's name, by parameter": {presentedWith(leaf, middle, other), policies.Hint{Route: "a", Parameter: "b"}, "client_conflict"},
		"another's name, by a token":   {presentedWith(leaf, middle, other), policies.Hint{Route: "a", Token: "b"}, "client_conflict"},
	} {
		a := fromPeer(t)
		if got := outcome(t, a, &st, presentedWith(leaf, middle, other), policies.Hint{Route: "a"}, now); got != "judged" {
			t.Fatal(got)
		}
		if got := outcome(t, a, &st, c.presented, c.hint, now); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
	if got := reflect.TypeFor[policies.Hint]().NumField(); got != 3 {
		t.Errorf("a Hint has %d fields, of which three are in the key", got)
	}
}

func TestARefusalIsNeverKeptAndATraceIsNeverSpared(t *testing.T) {
	p, a, now := newPKI(t), fromPeer(t), time.Now()
	st := state.State{Clients: clientsBy(t, p.documents), CRLs: viewOf(t, nil, p.a, p.ofA)}
	for range 2 {
		if got := outcome(t, a, &st, presented(p.ofA), policies.Hint{}, now); got != "certificate_revoked" {
			t.Error(got)
		}
	}
	st.CRLs = viewOf(t, nil, p.a)
	if got := outcome(t, a, &st, presented(p.ofA), policies.Hint{}, now); got != "judged" {
		t.Error(got)
	}
	for range 2 {
		var trace decision.Trace
		id, err := a.Authenticate(t.Context(), &st, presented(p.ofA), authn.Claim{}, now, &trace)
		if err != nil || id.Kept || len(id.Accepted.Path) != 2 || len(trace.Entries()) < 3 {
			t.Errorf("with a trace: %v, kept %v, %d certificates, %v", err, id.Kept, len(id.Accepted.Path), trace.Entries())
		}
	}
	traced := fromPeer(t)
	if _, err := traced.Authenticate(t.Context(), &st, presented(p.ofA), authn.Claim{}, now, new(decision.Trace)); err != nil {
		t.Fatal(err)
	}
	if got := outcome(t, traced, &st, presented(p.ofA), policies.Hint{}, now); got != "judged" {
		t.Errorf("after a trace: %s", got)
	}
}

// What was learned is newer than the State of the request. It is kept for those
// requests whose State has it, and no others.
func TestAVerdictByWhatWasLearnedWaitsForTheState(t *testing.T) {
	p, now := newPKI(t), time.Now()
	p.documents["a"] = asking("hard", p.a)
	old := state.State{Clients: clientsBy(t, p.documents)}
	l := &learner{view: viewOf(t, nil, p.a)}
	a := fromPeer(t).Asking(l)
	for range 2 {
		if got := outcome(t, a, &old, presented(p.ofA), policies.Hint{}, now); got != "judged" {
			t.Error(got)
		}
	}
	current := state.State{Clients: old.Clients, CRLs: l.view}
	if got := outcome(t, a, &current, presented(p.ofA), policies.Hint{}, now); got != "kept" || len(l.paths) != 2 {
		t.Errorf("%s, asked %d times", got, len(l.paths))
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	const room, certificates = 50, 500
	p, now := newPKI(t), time.Now()
	st := state.State{Clients: clientsBy(t, map[string]map[string]any{"a": {"certificateTrustStore": string(p.a.PEM())}})}
	a := fromPeer(t).KeepingAtMost(room * authn.VerdictBytes)
	leaves := make([]*testca.Issued, certificates)
	for i := range leaves {
		leaves[i] = issuedBy(t, p.a, "leaf")
		outcome(t, a, &st, presented(leaves[i]), policies.Hint{}, now)
	}
	a.Settle()
	kept := 0
	for _, leaf := range leaves {
		if a.Keeps(presented(leaf), policies.Hint{}) {
			kept++
		}
	}
	if kept == 0 || kept > room {
		t.Errorf("%d verdicts are kept, and there is room for %d", kept, room)
	}
}

// Requests with the certificates of three clients run beside publications that
// revoke one and leave the others: whoever is revoked in the State of a request is
// refused by it, and whoever is not is let in.
func TestVerdictsAreSafeBesidePublications(t *testing.T) {
	p, a, now := newPKI(t), fromPeer(t), time.Now()
	clients := clientsBy(t, p.documents)
	clean := viewOf(t, nil, p.a)
	revoking := viewOf(t, clean, p.a, p.ofA)
	var holder state.Holder
	publish := func(i int) {
		holder.Publish(func(state.State) state.State {
			if i%2 == 0 {
				return state.State{Clients: clients, CRLs: clean}
			}
			return state.State{Clients: clients, CRLs: revoking}
		})
	}
	publish(0)
	var asking, publishing sync.WaitGroup
	done := make(chan struct{})
	publishing.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-done:
				return
			default:
				publish(i)
			}
		}
	})
	for range 4 {
		asking.Go(func() {
			for range 300 {
				for _, leaf := range []*testca.Issued{p.ofA, p.otherOfA, p.ofB} {
					st := holder.Load()
					got := outcome(t, a, st, presented(leaf), policies.Hint{}, now)
					if refused := got == "certificate_revoked"; refused != (leaf == p.ofA && st.CRLs == revoking) {
						t.Errorf("%s: %s, revoked %v", leaf.Certificate.Subject, got, st.CRLs == revoking)
					}
				}
			}
		})
	}
	asking.Wait()
	close(done)
	publishing.Wait()
}
