package tokenendpoint_test

import (
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/revocation"
)

// learn publishes what CAs revoke, each by a current list whose signer is known, as
// of a location.
func (s *site) learn(t testing.TB, lists map[*testca.Issued][]*testca.Issued) {
	t.Helper()
	var read []*revocation.CRL
	for ca, revoked := range lists {
		der, err := ca.SignCRL(testca.CRL{Revoked: revoked})
		if err != nil {
			t.Fatal(err)
		}
		list, err := revocation.ParseCRL(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := list.SignedBy(ca.Certificate); err != nil {
			t.Fatal(err)
		}
		read = append(read, list)
	}
	s.holder.Publish(func(current state.State) state.State {
		current.CRLs = revocation.NewView(current.CRLs, read, nil)
		return current
	})
}

func asksFor(mode string, cas ...*testca.Issued) map[string]any {
	store := ""
	for _, ca := range cas {
		store += string(ca.PEM())
	}
	return map[string]any{"certificateTrustStore": store, "revocation": map[string]any{"mode": mode}}
}

// A service that asks about a token is told as soon as the State knows that the
// certificate is revoked. It has never seen the certificate, and a replica that did
// not make the token has not either: each case asks at a server of its own.
func TestATokenOfARevokedCertificateIsNotActive(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "Root", CA: true})
	middle := issue(t, root, testca.Template{CommonName: "Middle", CA: true})
	leaf, other := issue(t, middle, testca.Template{CommonName: "a"}), issue(t, middle, testca.Template{CommonName: "b"})
	resource := selfSigned(t, testca.Template{CommonName: "c"})
	type lists = map[*testca.Issued][]*testca.Issued
	clean := lists{root: nil, middle: nil}
	for sentence, c := range map[string]struct {
		before string // the mode when the token is made
		after  string
		lists  lists
		active bool
	}{
		"nothing is revoked":                  {"hard", "hard", clean, true},
		"its certificate is revoked":          {"hard", "hard", lists{root: nil, middle: {leaf}}, false},
		"its certificate is revoked, in soft": {"soft", "soft", lists{root: nil, middle: {leaf}}, false},
		"another certificate is revoked":      {"hard", "hard", lists{root: nil, middle: {other}}, true},
		"its issuer is revoked":               {"hard", "hard", lists{root: {middle}, middle: nil}, false},
		"nobody asks any more":                {"hard", "off", lists{root: nil, middle: {leaf}}, true},
		"nobody asked when it was made":       {"off", "hard", lists{root: nil, middle: {leaf}}, true},
		"nothing is known any more":           {"hard", "hard", nil, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			making := newSite(t, nil)
			making.put(t, "lab-partner", asksFor(c.before, root, middle))
			making.learn(t, clean)
			token := making.token(t, leaf, "lab-partner")

			asked := newSite(t, nil)
			asked.useKeys(making.keys)
			asked.put(t, "lab-partner", asksFor(c.after, root, middle))
			asked.pin(t, "resource", resource, map[string]any{"introspects": []string{audience}})
			asked.learn(t, c.lists)
			got := do(t, asked, resource, tokenendpoint.IntrospectPath, asking("resource", token))
			if got.JSON["active"] != c.active || !c.active && len(got.JSON) != 1 {
				t.Errorf("%v", got.JSON)
			}
		})
	}
}

func TestARevokedCertificateGetsNoTokenAndItsTokensNothing(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "Root", CA: true})
	leaf, other := issue(t, root, testca.Template{CommonName: "a"}), issue(t, root, testca.Template{CommonName: "b"})
	s := newSite(t, nil)
	s.put(t, "lab-partner", asksFor("soft", root))
	token, others := s.token(t, leaf, "lab-partner"), s.token(t, other, "lab-partner")
	s.learn(t, map[*testca.Issued][]*testca.Issued{root: {leaf}})
	if got := do(t, s, leaf, tokenendpoint.TokenPath, grant("lab-partner")); got.inWords() != "Unauthorized invalid_client" {
		t.Errorf("the revoked certificate: %s", got.inWords())
	}
	for text, active := range map[string]bool{token: false, others: true} {
		if got := do(t, s, other, tokenendpoint.IntrospectPath, asking("lab-partner", text)); got.JSON["active"] != active {
			t.Errorf("active %v, want %v", got.JSON["active"], active)
		}
	}
}

// Names that nobody can read are of a version that nobody knows.
func TestATokenWithNamesThatCannotBeReadIsNotActive(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "Root", CA: true})
	leaf := issue(t, root, testca.Template{CommonName: "a"})
	s := newSite(t, nil)
	s.put(t, "lab-partner", asksFor("soft", root))
	made := s.minted(t, func(r *tokens.Request) {
		r.Thumbprint, r.Certificates, r.NotAfter = leaf.Thumbprint(), []string{"of another version"}, time.Now().Add(time.Hour)
	})
	if got := do(t, s, leaf, tokenendpoint.IntrospectPath, asking("lab-partner", made.Value.Reveal())); got.JSON["active"] != false {
		t.Errorf("%v", got.JSON)
	}
}

// As at the gateway, what soft mode lets in without knowing is counted and recorded,
// and a token ends with what is known only where nobody is let in after it.
func TestTheEndpointTellsOfWhatNobodyKnows(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "Root", CA: true})
	leaf := issue(t, root, testca.Template{CommonName: "a"})
	var told []string
	s := newSite(t, func(c *tokenendpoint.Config) {
		c.RevocationUnknown = func(client string, _ error) { told = append(told, client) }
	})
	s.put(t, "lab-partner", asksFor("soft", root))
	s.token(t, leaf, "lab-partner")
	s.learn(t, map[*testca.Issued][]*testca.Issued{root: nil})
	s.token(t, leaf, "lab-partner")
	if got := s.sum(t, "certbearer_revocation_unknown_total"); got != 1 || len(told) != 1 || told[0] != "lab-partner" {
		t.Errorf("counted %v times, told %v", got, told)
	}
	if got := s.sum(t, "certbearer_verdicts_total"); got != 2 {
		t.Errorf("%v certificates were accepted", got)
	}
	for i, want := range []any{"revocation_unavailable", "good"} {
		if got := s.records(t)[i]["revocation"]; got != want {
			t.Errorf("record %d: %v", i, got)
		}
	}
}

func TestATokenOfTheEndpointEndsWithTheListOnlyInHardMode(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "Root", CA: true})
	leaf := issue(t, root, testca.Template{CommonName: "a"})
	end := time.Now().Add(time.Minute).Truncate(time.Second)
	der, err := root.SignCRL(testca.CRL{NextUpdate: end})
	if err != nil {
		t.Fatal(err)
	}
	list, err := revocation.ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	for mode, capped := range map[string]bool{"soft": false, "hard": true} {
		s := newSite(t, nil)
		s.put(t, "lab-partner", asksFor(mode, root))
		s.holder.Publish(func(current state.State) state.State {
			current.CRLs = revocation.NewView(nil, []*revocation.CRL{list}, nil)
			return current
		})
		if got := s.claims(t, s.token(t, leaf, "lab-partner"))["exp"] == float64(end.Unix()); got != capped {
			t.Errorf("%s: ends with the list %v", mode, got)
		}
	}
}

// sum is that of a metric's series.
func (s *site) sum(t testing.TB, name string) float64 {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() == name {
			for _, series := range family.GetMetric() {
				total += series.GetCounter().GetValue()
			}
		}
	}
	return total
}
