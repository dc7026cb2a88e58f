package authn_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

func made(t *testing.T, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := testca.SelfSigned(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// clientsOf has a client for each id, whose store is the certificate.
func clientsOf(t *testing.T, stores map[string]*testca.Issued) *policies.Snapshot {
	t.Helper()
	builder := policies.Empty(policies.Options{}).Edit()
	for id, store := range stores {
		text, err := json.Marshal(map[string]string{"resourceType": "ClientApplication", "id": id, "certificateTrustStore": string(store.PEM())})
		if err != nil {
			t.Fatal(err)
		}
		documents, err := policies.ParseFile(id+".json", text)
		if err != nil || documents[0].Fault != nil {
			t.Fatal(err, documents)
		}
		builder.Put(documents[0].Client)
	}
	return builder.Snapshot()
}

func fromPeer(t *testing.T) *authn.Authenticator {
	t.Helper()
	reader, err := peercert.NewReader(peercert.Config{From: peercert.Peer})
	if err != nil {
		t.Fatal(err)
	}
	return authn.New(reader)
}

func presented(issued *testca.Issued) peercert.Presented {
	return peercert.Presented{PeerCertificate: []byte(issued.URLEncodedPEM())}
}

func TestWhoIsAuthenticated(t *testing.T) {
	pinned := made(t, testca.Template{CommonName: "lab"})
	ca := made(t, testca.Template{CommonName: "CA", CA: true})
	issued, err := ca.Issue(testca.Template{CommonName: "partner"})
	if err != nil {
		t.Fatal(err)
	}
	stranger := made(t, testca.Template{CommonName: "lab"})
	clients := clientsOf(t, map[string]*testca.Issued{"lab": pinned, "partner": ca})
	now := time.Now()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx       context.Context
		state     state.State
		presented peercert.Presented
		hint      policies.Hint
		at        time.Time
		// what was found, also beside an error
		client string
		leaf   *testca.Issued
		reason decision.Reason
	}{
		"a pinned certificate":       {t.Context(), state.State{Clients: clients}, presented(pinned), policies.Hint{}, now, "lab", pinned, decision.Allowed},
		"a certificate of the CA":    {t.Context(), state.State{Clients: clients}, presented(issued), policies.Hint{}, now, "partner", issued, decision.Allowed},
		"named and right":            {t.Context(), state.State{Clients: clients}, presented(pinned), policies.Hint{Route: "lab"}, now, "lab", pinned, decision.Allowed},
		"no clients yet":             {t.Context(), state.State{}, presented(pinned), policies.Hint{}, now, "", nil, decision.NotReady},
		"no certificate":             {t.Context(), state.State{Clients: clients}, peercert.Presented{}, policies.Hint{}, now, "", nil, decision.CertificateMissing},
		"a stranger":                 {t.Context(), state.State{Clients: clients}, presented(stranger), policies.Hint{}, now, "", stranger, decision.ClientUnknown},
		"a stranger by a known name": {t.Context(), state.State{Clients: clients}, presented(stranger), policies.Hint{Route: "lab"}, now, "lab", stranger, decision.CertificateNotPinned},
		"after the certificate's end": {
			t.Context(), state.State{Clients: clients}, presented(pinned), policies.Hint{}, pinned.Certificate.NotAfter.Add(time.Second),
			"lab", pinned, decision.CertificateExpired,
		},
		"before it began": {
			t.Context(), state.State{Clients: clients}, presented(pinned), policies.Hint{}, pinned.Certificate.NotBefore.Add(-time.Second),
			"lab", pinned, decision.CertificateNotYetValid,
		},
		"when the time is over": {ended, state.State{Clients: clients}, presented(pinned), policies.Hint{}, now, "lab", pinned, decision.DeadlineExceeded},
		"names that disagree": {
			t.Context(), state.State{Clients: clients}, presented(pinned), policies.Hint{Route: "lab", Parameter: "partner"}, now,
			"", pinned, decision.ClientConflict,
		},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := fromPeer(t).Authenticate(test.ctx, &test.state, test.presented, authn.Claim{Hint: test.hint}, test.at, nil)
			reason := decision.Allowed
			if err != nil {
				var denial *decision.Denial
				if !errors.As(err, &denial) {
					t.Fatalf("%v is no Denial", err)
				}
				reason = denial.Reason
			}
			if reason != test.reason {
				t.Errorf("reason %s (%v), want %s", reason, err, test.reason)
			}
			client := ""
			if id.Client != nil {
				client = id.Client.ID()
			}
			if client != test.client {
				t.Errorf("client %q, want %q", client, test.client)
			}
			if test.leaf != nil && id.Evidence.Thumbprint != test.leaf.Thumbprint() || (id.Evidence.Leaf != nil) != (test.leaf != nil) {
				t.Errorf("evidence %x", id.Evidence.Thumbprint)
			}
			if accepted := !id.Accepted.Until.IsZero() || id.Accepted.Path != nil; accepted != (err == nil) {
				t.Errorf("accepted %+v beside %v", id.Accepted, err)
			}
		})
	}
}

// An inbound token is held against the certificate before a client is looked for,
// and names one of the names that must agree.
func TestAnInboundTokenNarrowsWhoItMayBe(t *testing.T) {
	pinned, other := made(t, testca.Template{CommonName: "lab"}), made(t, testca.Template{CommonName: "other"})
	st := state.State{Clients: clientsOf(t, map[string]*testca.Issued{"lab": pinned, "other": other})}
	refused := decision.Denyf(decision.TokenBindingMismatch, "cnf", "another certificate")
	for sentence, test := range map[string]struct {
		route  string
		token  string
		err    error
		client string
		reason decision.Reason
	}{
		"a token of the certificate's client changes nothing":  {"", "lab", nil, "lab", decision.Allowed},
		"a token of another client is not of this certificate": {"", "other", nil, "other", decision.CertificateNotPinned},
		"a token of a client that is gone":                     {"", "gone", nil, "", decision.ClientUnknown},
		"a route for another than the token's":                 {"other", "lab", nil, "", decision.ClientConflict},
		"what refuses the token refuses the request":           {"", "lab", refused, "", decision.TokenBindingMismatch},
	} {
		t.Run(sentence, func(t *testing.T) {
			var seen [32]byte
			claim := authn.Claim{Hint: policies.Hint{Route: test.route}, Inbound: func(e peercert.Evidence) (string, error) {
				seen = e.Thumbprint
				return test.token, test.err
			}}
			id, err := fromPeer(t).Authenticate(t.Context(), &st, presented(pinned), claim, time.Now(), nil)
			reason := decision.Allowed
			if err != nil {
				reason = decision.ReasonOf(err)
			}
			client := ""
			if id.Client != nil {
				client = id.Client.ID()
			}
			if reason != test.reason || client != test.client || seen != pinned.Thumbprint() {
				t.Errorf("%s (%v), client %q, held against %x", reason, err, client, seen)
			}
		})
	}
}

func TestWhatIsAcceptedEndsWithTheShortestLivedOfThePath(t *testing.T) {
	end := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	ca := made(t, testca.Template{CommonName: "CA", CA: true, NotAfter: end})
	issued, err := ca.Issue(testca.Template{CommonName: "partner"})
	if err != nil {
		t.Fatal(err)
	}
	st := state.State{Clients: clientsOf(t, map[string]*testca.Issued{"partner": ca})}
	id, err := fromPeer(t).Authenticate(t.Context(), &st, presented(issued), authn.Claim{}, time.Now(), nil)
	if err != nil || !id.Accepted.Until.Equal(end) || id.Accepted.Pinned {
		t.Errorf("until %v, want %v: %v", id.Accepted.Until, end, err)
	}
}

func TestTheTraceHasTheStepsInTheirOrder(t *testing.T) {
	pinned := made(t, testca.Template{CommonName: "lab"})
	st := state.State{Clients: clientsOf(t, map[string]*testca.Issued{"lab": pinned})}
	var trace decision.Trace
	if _, err := fromPeer(t).Authenticate(t.Context(), &st, presented(pinned), authn.Claim{}, time.Now(), &trace); err != nil {
		t.Fatal(err)
	}
	var passed []decision.Step
	for _, entry := range trace.Entries() {
		if entry.Outcome == decision.Passed {
			passed = append(passed, entry.Step)
		}
	}
	if diff := cmp.Diff([]decision.Step{decision.StepEvidence, decision.StepResolve, decision.StepJudge}, passed); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPathsThatWereTriedAreToldToWhoeverAsksForATraceAndToNobodyElse(t *testing.T) {
	ca, impostor := made(t, testca.Template{CommonName: "CA", CA: true}), made(t, testca.Template{CommonName: "CA", CA: true})
	issued, err := ca.Issue(testca.Template{CommonName: "partner"})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		store  *testca.Issued
		reason decision.Reason
	}{
		"accepted": {ca, decision.Allowed},
		"refused":  {impostor, decision.PathNotFound},
	} {
		st := state.State{Clients: clientsOf(t, map[string]*testca.Issued{"partner": c.store})}
		claim := authn.Claim{Hint: policies.Hint{Route: "partner"}}
		id, _ := fromPeer(t).Authenticate(t.Context(), &st, presented(issued), claim, time.Now(), new(decision.Trace))
		if id.Tried == nil || len(id.Tried.Attempts) != 1 || id.Tried.Attempts[0].Err != nil && decision.ReasonOf(id.Tried.Attempts[0].Err) != c.reason {
			t.Errorf("%s: %+v", sentence, id.Tried)
		}
		if id, _ := fromPeer(t).Authenticate(t.Context(), &st, presented(issued), claim, time.Now(), nil); id.Tried != nil {
			t.Errorf("%s: told although nobody asked", sentence)
		}
	}
}
