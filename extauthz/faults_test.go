package extauthz_test

import (
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

// The faults of other systems in this field, as a whole check meets them.

// newXFCCSite believes the header instead of source.certificate.
func newXFCCSite(t *testing.T, hops int) *site {
	t.Helper()
	return newSite(t, func(c *extauthz.Config) {
		c.Authenticator = authenticator(t, peercert.Config{From: peercert.XFCC, XFCCHops: hops})
	})
}

func TestPeerFault_AChainWithoutACertificateProvesNothing(t *testing.T) {
	ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true})
	trusted := issue(t, ca, testca.Template{CommonName: "lab"})
	rogue := selfSigned(t, testca.Template{CommonName: "rogue"})
	s := newXFCCSite(t, 0)
	s.pin(t, "lab", trusted)
	for name, header := range map[string]string{
		"the trusted one last, behind a rogue": chainOf(rogue, trusted),
		"the trusted one first":                chainOf(trusted, rogue),
		"the trusted one alone":                chainOf(trusted),
	} {
		t.Run(name, func(t *testing.T) {
			got := check(t.Context(), t, s, with(requestFrom(nil), "x-forwarded-client-cert", header))
			got.wantDenied(t, decision.XFCCCertificateMissing)
		})
	}
}

func TestPeerFault_OfTwoElementsNeitherIsBelievedUnlessHopsAreCounted(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	rogue := selfSigned(t, testca.Template{CommonName: "rogue"})
	forged := xfcc(pinned) + "," + xfcc(rogue) // what append-forward makes of a forged header
	for name, test := range map[string]struct {
		hops   int
		header string
		want   string
	}{
		"one element":                               {0, xfcc(pinned), "allowed"},
		"two elements and no hops":                  {0, forged, "401 xfcc_element_count"},
		"two elements of which the last one counts": {1, forged, "401 client_unknown"},
		"the pinned one is the last":                {1, xfcc(rogue) + "," + xfcc(pinned), "allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newXFCCSite(t, test.hops)
			s.pin(t, "lab", pinned)
			got := check(t.Context(), t, s, with(requestFrom(nil), "x-forwarded-client-cert", test.header))
			if got.inWords() != test.want {
				t.Errorf("got %s, want %s", got.inWords(), test.want)
			}
		})
	}
}

func TestPeerFault_IntermediatesReachTheJudgement(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "Root", CA: true})
	middle := issue(t, root, testca.Template{CommonName: "Middle", CA: true})
	lower := issue(t, middle, testca.Template{CommonName: "Lower", CA: true})
	leaf := issue(t, lower, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab", root)
	got := check(t.Context(), t, s, with(requestFrom(leaf), "x-forwarded-client-cert", xfcc(leaf, leaf, lower, middle)))
	if !got.Allowed {
		t.Errorf("with both intermediates: %s", got.inWords())
	}
	got = check(t.Context(), t, s, with(requestFrom(leaf), "x-forwarded-client-cert", xfcc(leaf, leaf, lower)))
	got.wantDenied(t, decision.ClientUnknown)
}

func TestPeerFault_EveryCAOfATrustStoreCounts(t *testing.T) {
	s := newSite(t, nil)
	var all, leaves []*testca.Issued
	for _, name := range []string{"First CA", "Second CA", "Last CA"} {
		ca := selfSigned(t, testca.Template{CommonName: name, CA: true})
		all, leaves = append(all, ca), append(leaves, issue(t, ca, testca.Template{CommonName: "lab"}))
	}
	s.pin(t, "lab", all...)
	for i, leaf := range leaves {
		if got := check(t.Context(), t, s, requestFrom(leaf)); !got.Allowed {
			t.Errorf("a leaf of CA %d: %s", i+1, got.inWords())
		}
	}
}

func TestPeerFault_ACachedTokenDoesNotCarryACertificatePastItsEnd(t *testing.T) {
	for name, accepted := range map[string]func(t *testing.T, s *site, end time.Time) *testca.Issued{
		"the end of a pinned certificate": func(t *testing.T, s *site, end time.Time) *testca.Issued {
			leaf := selfSigned(t, testca.Template{CommonName: "lab", NotAfter: end})
			s.pin(t, "lab", leaf)
			return leaf
		},
		"the end of the CA that issued it": func(t *testing.T, s *site, end time.Time) *testca.Issued {
			ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true, NotAfter: end})
			s.pin(t, "lab", ca)
			return issue(t, ca, testca.Template{CommonName: "lab"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				end := time.Now().Add(time.Minute).Truncate(time.Second)
				leaf := accepted(t, s, end)
				_, claims := check(t.Context(), t, s, requestFrom(leaf)).token(t)
				if claims["exp"] != float64(end.Unix()) {
					t.Errorf("the token ends at %v, the certificate at %d", claims["exp"], end.Unix())
				}
				time.Sleep(time.Until(end) - time.Second)
				if got := check(t.Context(), t, s, requestFrom(leaf)); !got.Allowed {
					t.Errorf("a second before the end: %s", got.inWords())
				}
				time.Sleep(2 * time.Second)
				got := check(t.Context(), t, s, requestFrom(leaf))
				if got.Allowed || got.Status != 401 || !strings.HasSuffix(got.Reason, "_expired") {
					t.Errorf("a second after the end: %s", got.inWords())
				}
				if s.config.Tokens.Len() == 0 {
					t.Error("no token is left in the cache, so this test shows nothing")
				}
			})
		})
	}
}

func TestPeerFault_ACertificateIsRefusedBeforeItBeginsAndAcceptedThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now().Add(time.Minute).Truncate(time.Second)
		leaf := selfSigned(t, testca.Template{CommonName: "lab", NotBefore: begin})
		s := newSite(t, nil)
		s.pin(t, "lab", leaf)
		check(t.Context(), t, s, requestFrom(leaf)).wantDenied(t, decision.CertificateNotYetValid)
		time.Sleep(time.Until(begin))
		if got := check(t.Context(), t, s, requestFrom(leaf)); !got.Allowed {
			t.Errorf("when it begins: %s", got.inWords())
		}
	})
}

func TestPeerFault_WithoutTrustRootsNobodyIsLetThrough(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	check(t.Context(), t, s, requestFrom(leaf)).wantDenied(t, decision.NotReady)
	s.pin(t, "lab", leaf)
	if got := check(t.Context(), t, s, requestFrom(leaf)); !got.Allowed {
		t.Errorf("with its client: %s", got.inWords())
	}
	s.useClients(nil)
	check(t.Context(), t, s, requestFrom(leaf)).wantDenied(t, decision.NotReady)
}

func TestPeerFault_TheThumbprintIsBase64url(t *testing.T) {
	s := newSite(t, nil)
	// One whose thumbprint shows the difference to plain base64.
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	for sum := leaf.Thumbprint(); !strings.ContainsAny(base64.RawStdEncoding.EncodeToString(sum[:]), "+/"); sum = leaf.Thumbprint() {
		leaf = selfSigned(t, testca.Template{CommonName: "lab"})
	}
	s.pin(t, "lab", leaf)
	_, claims := check(t.Context(), t, s, requestFrom(leaf)).token(t)
	confirmation, _ := claims["cnf"].(map[string]any)
	text, _ := confirmation["x5t#S256"].(string)
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if want := leaf.Thumbprint(); err != nil || string(sum) != string(want[:]) {
		t.Errorf("x5t#S256 is %q: %v", text, err)
	}
}

func TestPeerFault_APlusThatNobodyEscapedStaysAPlus(t *testing.T) {
	s := newSite(t, nil)
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	for !strings.Contains(string(leaf.PEM()), "+") {
		leaf = selfSigned(t, testca.Template{CommonName: "lab"})
	}
	s.pin(t, "lab", leaf)
	request := requestFrom(leaf)
	request.Attributes.Source.Certificate = strings.ReplaceAll(request.Attributes.Source.Certificate, "%2B", "+")
	if got := check(t.Context(), t, s, request); !got.Allowed {
		t.Errorf("got %s", got.inWords())
	}
}

func TestPeerFault_ASlowCheckHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		slow := selfSigned(t, testca.Template{CommonName: "slow"})
		quick := selfSigned(t, testca.Template{CommonName: "quick"})
		s.pin(t, "slow", slow)
		s.pin(t, "quick", quick)
		if got := check(t.Context(), t, s, requestFrom(quick)); !got.Allowed {
			t.Fatal(got.inWords())
		}
		release := make(chan struct{})
		s.key.before = func() error { <-release; return nil }
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { check(t.Context(), t, s, requestFrom(slow)) })
		}
		synctest.Wait()
		began := time.Now()
		if got := check(t.Context(), t, s, requestFrom(quick)); !got.Allowed {
			t.Errorf("beside it: %s", got.inWords())
		}
		check(t.Context(), t, s, requestFrom(nil)).wantDenied(t, decision.CertificateMissing)
		if took := time.Since(began); took != 0 {
			t.Errorf("the others waited %v", took)
		}
		close(release)
		all.Wait()
	})
}
