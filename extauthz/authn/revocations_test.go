package authn_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// clientsBy has a client for each id, with the given members of its document.
func clientsBy(t testing.TB, documents map[string]map[string]any) *policies.Snapshot {
	t.Helper()
	builder := policies.Empty(policies.Options{}).Edit()
	for id, members := range documents {
		whole := map[string]any{"resourceType": "ClientApplication", "id": id}
		for name, value := range members {
			whole[name] = value
		}
		text, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		read, err := policies.ParseFile(id+".json", text)
		if err != nil || read[0].Fault != nil {
			t.Fatal(err, read)
		}
		builder.Put(read[0].Client)
	}
	return builder.Snapshot()
}

// asking is a document's members for a client of the CA.
func asking(mode string, by *testca.Issued) map[string]any {
	return map[string]any{"certificateTrustStore": string(by.PEM()), "revocation": map[string]any{"mode": mode}}
}

func issuedBy(t testing.TB, ca *testca.Issued, name string) *testca.Issued {
	t.Helper()
	issued, err := ca.Issue(testca.Template{CommonName: name})
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// viewOf has a current list of a CA, which revokes.
func viewOf(t testing.TB, before *revocation.View, by *testca.Issued, revoked ...*testca.Issued) *revocation.View {
	t.Helper()
	der, err := by.SignCRL(testca.CRL{Revoked: revoked})
	if err != nil {
		t.Fatal(err)
	}
	list, err := revocation.ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	return revocation.NewView(before, []*revocation.CRL{list}, nil)
}

// learner answers with a View, and knows what it was asked.
type learner struct {
	view  *revocation.View
	paths []truststore.Path
}

func (l *learner) Learn(_ context.Context, _ *policies.Client, path truststore.Path) *revocation.View {
	l.paths = append(l.paths, path)
	return l.view
}

func TestWhatIsMissingIsAskedForBeforeItIsRefused(t *testing.T) {
	ca := made(t, testca.Template{CommonName: "CA", CA: true})
	leaf := issuedBy(t, ca, "partner")
	clean, revoking := viewOf(t, nil, ca), viewOf(t, nil, ca, leaf)
	for sentence, c := range map[string]struct {
		mode    string
		known   *revocation.View
		learned *revocation.View
		asked   int
		reason  decision.Reason
		status  revocation.Status
	}{
		"hard, and an all-clear comes":   {"hard", nil, clean, 1, decision.Allowed, revocation.Good},
		"hard, and a revocation comes":   {"hard", nil, revoking, 1, decision.CertificateRevoked, revocation.Unchecked},
		"hard, and nothing comes":        {"hard", nil, nil, 1, decision.RevocationUnavailable, revocation.Unchecked},
		"soft, and an all-clear comes":   {"soft", nil, clean, 1, decision.Allowed, revocation.Good},
		"soft, and a revocation comes":   {"soft", nil, revoking, 1, decision.CertificateRevoked, revocation.Unchecked},
		"soft, and nothing comes":        {"soft", nil, nil, 1, decision.Allowed, revocation.Unknown},
		"what is known is not asked for": {"hard", clean, revoking, 0, decision.Allowed, revocation.Good},
		"a revocation is not asked for":  {"hard", revoking, clean, 0, decision.CertificateRevoked, revocation.Unchecked},
		"off asks for nothing":           {"off", nil, revoking, 0, decision.Allowed, revocation.Unchecked},
	} {
		l := &learner{view: c.learned}
		st := state.State{Clients: clientsBy(t, map[string]map[string]any{"partner": asking(c.mode, ca)}), CRLs: c.known}
		id, err := fromPeer(t).Asking(l).Authenticate(t.Context(), &st, presented(leaf), authn.Claim{}, time.Now(), nil)
		reason := decision.Allowed
		if err != nil {
			reason = decision.ReasonOf(err)
		}
		if reason != c.reason || id.Accepted.Revocation.Status != c.status || len(l.paths) != c.asked {
			t.Errorf("%s: %s (%v), revocation %s, asked %d times", sentence, reason, err, id.Accepted.Revocation.Status, len(l.paths))
		}
		for _, path := range l.paths {
			if len(path) != 2 || !path[0].Equal(leaf.Certificate) || !path[1].Equal(ca.Certificate) {
				t.Errorf("%s: asked about %d certificates", sentence, len(path))
			}
		}
	}
}

func TestNobodyIsAskedAboutACertificateThatIsNotAccepted(t *testing.T) {
	ca, other := made(t, testca.Template{CommonName: "CA", CA: true}), made(t, testca.Template{CommonName: "CA", CA: true})
	l := new(learner)
	st := state.State{Clients: clientsBy(t, map[string]map[string]any{"partner": asking("hard", ca)})}
	claim := authn.Claim{Hint: policies.Hint{Route: "partner"}}
	for sentence, leaf := range map[string]*testca.Issued{
		"of another CA":  issuedBy(t, other, "partner"),
		"of its own key": made(t, testca.Template{CommonName: "partner"}),
	} {
		if _, err := fromPeer(t).Asking(l).Authenticate(t.Context(), &st, presented(leaf), claim, time.Now(), nil); err == nil || len(l.paths) > 0 {
			t.Errorf("%s: %v, asked %d times", sentence, err, len(l.paths))
		}
	}
}
