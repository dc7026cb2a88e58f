package extauthz_test

import (
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/revocation"
)

// learn publishes what a CA revokes, beside what is known of others.
func (s *site) learn(t testing.TB, known []*revocation.CRL, ca *testca.Issued, revoked ...*testca.Issued) []*revocation.CRL {
	t.Helper()
	der, err := ca.SignCRL(testca.CRL{Revoked: revoked})
	if err != nil {
		t.Fatal(err)
	}
	list, err := revocation.ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	known = append(known, list)
	s.holder.Publish(func(current state.State) state.State {
		current.CRLs = revocation.NewView(current.CRLs, known, nil)
		return current
	})
	return known
}

func issueLeaf(t testing.TB, ca *testca.Issued, name string) *testca.Issued {
	t.Helper()
	issued, err := ca.Issue(testca.Template{CommonName: name})
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func asksFor(mode string, ca *testca.Issued) map[string]any {
	return map[string]any{"certificateTrustStore": storeOf(ca), "revocation": map[string]any{"mode": mode}}
}

// The State with the list decides the very next check: the token that was made for
// the certificate is in the cache and not handed out, and whoever hangs on another CA
// is not even judged again.
func TestTheVeryNextCheckOfARevokedCertificateIsRefused(t *testing.T) {
	a, b := selfSigned(t, testca.Template{CommonName: "A", CA: true}), selfSigned(t, testca.Template{CommonName: "B", CA: true})
	ofA, otherOfA, ofB := issueLeaf(t, a, "of A"), issueLeaf(t, a, "other of A"), issueLeaf(t, b, "of B")
	s := newSite(t, nil)
	s.put(t, "a", asksFor("hard", a))
	s.put(t, "b", asksFor("hard", b))
	known := s.learn(t, nil, a)
	known = s.learn(t, known, b)
	ids := map[*testca.Issued]any{}
	for _, leaf := range []*testca.Issued{ofA, otherOfA, ofB} {
		_, claims := check(t.Context(), t, s, requestFrom(leaf)).token(t)
		ids[leaf] = claims["jti"]
	}
	judged := func() float64 { return s.count(t, "certbearer_verdicts_total", "judged") }
	if got := judged(); got != 3 {
		t.Errorf("%v certificates judged", got)
	}
	s.learn(t, known, a, ofA)
	if got := check(t.Context(), t, s, requestFrom(ofA)).inWords(); got != "401 certificate_revoked" {
		t.Errorf("the revoked certificate: %s", got)
	}
	for leaf, again := range map[*testca.Issued]float64{ofB: 0, otherOfA: 1} {
		before := judged()
		_, claims := check(t.Context(), t, s, requestFrom(leaf)).token(t)
		if claims["jti"] != ids[leaf] || judged()-before != again {
			t.Errorf("%s: the same token %v, judged %v times, want %v", leaf.Certificate.Subject, claims["jti"] == ids[leaf], judged()-before, again)
		}
	}
	if got := s.count(t, "certbearer_verdicts_total", "kept"); got != 1 {
		t.Errorf("%v verdicts were kept", got)
	}
}

// A token of the caller's own does not stand for the judgement.
func TestATokenOfARevokedCertificateIsRefusedWithIt(t *testing.T) {
	ca := selfSigned(t, testca.Template{CommonName: "A", CA: true})
	leaf := issueLeaf(t, ca, "of A")
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, inboundRoute("verify", extauthz.InboundVerify)) })
	s.put(t, "lab-partner", asksFor("soft", ca))
	own := s.ownToken(t, leaf, func(r *tokens.Request) { r.Scope = nil }).Value.Reveal()
	request := func() string {
		return check(t.Context(), t, s, with(to(requestFrom(leaf), "/verify"), "authorization", "Bearer "+own)).inWords()
	}
	check(t.Context(), t, s, with(to(requestFrom(leaf), "/verify"), "authorization", "Bearer "+own)).token(t)
	s.learn(t, nil, ca, leaf)
	if got := request(); got != "401 certificate_revoked" {
		t.Errorf("after: %s", got)
	}
}

// In soft mode it is counted and recorded, each time, that nobody could tell.
func TestWhatNobodyCouldTellIsCountedAndRecorded(t *testing.T) {
	ca := selfSigned(t, testca.Template{CommonName: "A", CA: true})
	leaf := issueLeaf(t, ca, "of A")
	type told struct {
		client string
		err    string
	}
	var all []told
	s := newSite(t, func(c *extauthz.Config) {
		c.RevocationUnknown = func(client string, missing error) { all = append(all, told{client, missing.Error()}) }
	})
	s.put(t, "a", asksFor("soft", ca))
	for range 2 {
		check(t.Context(), t, s, requestFrom(leaf)).token(t)
	}
	s.learn(t, nil, ca)
	check(t.Context(), t, s, requestFrom(leaf)).token(t)
	s.put(t, "a", asksFor("off", ca))
	check(t.Context(), t, s, requestFrom(leaf)).token(t)
	if got := s.count(t, "certbearer_revocation_unknown_total", "revocation_unavailable"); got != 2 {
		t.Errorf("counted %v times", got)
	}
	if got := s.count(t, "certbearer_revocation_unknown_total", "revocation_stale"); got != 0 {
		t.Errorf("stale: %v times", got)
	}
	if len(all) != 2 || all[0].client != "a" || all[0].err == "" {
		t.Errorf("told %v", all)
	}
	records := s.records(t)
	for i, want := range []any{"revocation_unavailable", "revocation_unavailable", "good", nil} {
		if records[i]["revocation"] != want || records[i]["decision"] != "allow" || (records[i]["detail"] != nil) != (i < 2) {
			t.Errorf("record %d: %v", i, records[i])
		}
	}
}

// A token ends with what is known only where nobody is let in after it, and names
// what was asked about.
func TestWhatATokenSaysOfAClientThatAsksForRevocations(t *testing.T) {
	ca := selfSigned(t, testca.Template{CommonName: "A", CA: true})
	leaf := issueLeaf(t, ca, "of A")
	end := time.Now().Add(time.Minute).Truncate(time.Second)
	der, err := ca.SignCRL(testca.CRL{NextUpdate: end})
	if err != nil {
		t.Fatal(err)
	}
	list, err := revocation.ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[string]struct {
		capped bool
		names  int
	}{"off": {false, 0}, "soft": {false, 1}, "hard": {true, 1}} {
		s := newSite(t, nil)
		s.put(t, "a", asksFor(mode, ca))
		s.holder.Publish(func(current state.State) state.State {
			current.CRLs = revocation.NewView(nil, []*revocation.CRL{list}, nil)
			return current
		})
		for _, of := range []string{"a new one", "by a verdict that was kept"} {
			_, claims := check(t.Context(), t, s, requestFrom(leaf)).token(t)
			names, _ := claims["cert_ids"].([]any)
			if capped := claims["exp"] == float64(end.Unix()); capped != want.capped || len(names) != want.names {
				t.Errorf("%s, %s: ends with the list %v, names %v", mode, of, capped, names)
			}
		}
	}
}
