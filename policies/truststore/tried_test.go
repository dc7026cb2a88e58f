package truststore_test

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// shownAttempts has a line for each attempt: the certificates from the anchor
// down, by common name, and how it ended.
func shownAttempts(tried *truststore.Tried) []string {
	var lines []string
	for _, attempt := range tried.Attempts {
		lines = append(lines, namesDown(attempt.Certificates)+": "+reasonText(attempt.Err))
	}
	return lines
}

func namesDown(certificates []*x509.Certificate) string {
	var names []string
	for _, certificate := range certificates {
		names = append(names, certificate.Subject.CommonName)
	}
	return strings.Join(names, " > ")
}

func TestEachPathTriedIsToldWithWhyItFell(t *testing.T) {
	past := time.Now().Add(-time.Minute)
	root, other := selfSigned(t, ca("root")), selfSigned(t, ca("other"))
	inter := issue(t, root, ca("inter"))
	plain := testca.Template{CommonName: "leaf"}
	leaf, under := issue(t, root, plain), issue(t, inter, plain)
	impostor := selfSigned(t, ca("root"))
	ended := issue(t, root, testca.Template{CommonName: "inter", CA: true, Key: inter.Key, NotAfter: past})
	endedRoot := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: root.Key, NotAfter: past})
	expired := issue(t, inter, testca.Template{CommonName: "leaf", NotAfter: past})
	rsaRoot := selfSigned(t, testca.Template{CommonName: "rsa", CA: true, Key: newKey(t, testca.RSA2048)})
	sha1 := issue(t, rsaRoot, testca.Template{CommonName: "leaf", SignatureAlgorithm: x509.SHA1WithRSA})
	around := issue(t, inter, testca.Template{CommonName: "root", CA: true, Key: root.Key})
	lone := selfSigned(t, plain)
	for sentence, c := range map[string]struct {
		leaf              *testca.Issued
		presented, stored []*testca.Issued
		attempts          []string
		missing           string
		idle              string
		unused            []string
	}{
		"the path that is accepted": {
			under, []*testca.Issued{inter}, []*testca.Issued{root},
			[]string{"root > inter > leaf: accepted"}, "", "", nil,
		},
		"the paths that fell before it, and the accepted one last": {
			under, []*testca.Issued{ended, inter}, []*testca.Issued{endedRoot, impostor, root},
			[]string{"root: path_expired", "root > inter: path_not_found", "root > inter: path_not_found", "root > inter: path_expired", "root > inter > leaf: accepted"},
			"", "", nil,
		},
		"a path that falls at the leaf": {
			expired, []*testca.Issued{inter}, []*testca.Issued{root},
			[]string{"root > inter > leaf: certificate_expired"}, "", "", nil,
		},
		"a CA of the issuer's name with another key": {
			leaf, nil, []*testca.Issued{impostor},
			[]string{"root > leaf: path_not_found"}, "", "", nil,
		},
		"a signature that was not looked at": {
			sha1, nil, []*testca.Issued{rsaRoot},
			[]string{"rsa > leaf: signature_weak"}, "", "", nil,
		},
		"an intermediate that is missing, and the anchor that led nowhere": {
			under, nil, []*testca.Issued{root},
			nil, "leaf", "root", nil,
		},
		"an anchor that is missing above the intermediate presented": {
			under, []*testca.Issued{inter}, []*testca.Issued{other},
			nil, "inter", "other", []string{"inter: no signature leads to it from a CA of the trust store"},
		},
		"presented certificates that are of no use": {
			under, []*testca.Issued{other, lone}, []*testca.Issued{root},
			nil, "leaf", "root", []string{"other: no names lead from it to the client's certificate", "leaf: it is no CA, or may not sign certificates"},
		},
		"a root of the trust store, which is presented as well": {
			under, []*testca.Issued{inter, root}, []*testca.Issued{endedRoot, root},
			[]string{"root: path_expired", "root > inter > leaf: accepted"}, "", "", nil,
		},
		"a root of the trust store that has ended, which is presented as well": {
			under, []*testca.Issued{endedRoot}, []*testca.Issued{endedRoot},
			nil, "leaf", "root", nil,
		},
		"a CA from which only a way back leads on": {
			issue(t, impostor, plain), []*testca.Issued{inter, around}, []*testca.Issued{root},
			[]string{"root > leaf: path_not_found", "root > inter: path_not_found"}, "", "", []string{"root: no signature leads to it from a CA of the trust store"},
		},
		"a CA of the store that ended, below which nothing is tried": {
			under, []*testca.Issued{inter}, []*testca.Issued{endedRoot},
			[]string{"root: path_expired"}, "", "", nil,
		},
		"a self-signed certificate, which looks for no issuer": {
			lone, nil, []*testca.Issued{root},
			nil, "", "root", nil,
		},
		"a CA, for which no path is looked for": {
			inter, nil, []*testca.Issued{root},
			nil, "", "", nil,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			chain := chainOf(c.leaf, c.presented...)
			tried := chain.Watch()
			_, err := truststore.Verify(chain, anchorsOf(t, c.stored...), time.Now())
			if diff := cmp.Diff(c.attempts, shownAttempts(tried)); diff != "" {
				t.Errorf("attempts (-want +got)\n%s", diff)
			}
			if got := namesDown(tried.Missing); got != c.missing {
				t.Errorf("missing %q, want %q", got, c.missing)
			}
			if got := namesDown(tried.Idle); got != c.idle {
				t.Errorf("idle %q, want %q", got, c.idle)
			}
			var unused []string
			for _, one := range tried.Unused {
				unused = append(unused, one.Certificate.Subject.CommonName+": "+one.Why)
			}
			if diff := cmp.Diff(c.unused, unused); diff != "" {
				t.Errorf("unused (-want +got)\n%s", diff)
			}
			if _, alone := truststore.Verify(chainOf(c.leaf, c.presented...), anchorsOf(t, c.stored...), time.Now()); reasonText(alone) != reasonText(err) {
				t.Errorf("watched: %v, unwatched: %v", err, alone)
			}
		})
	}
}

func TestAFallenAttemptSaysWhichNameAndWhichKey(t *testing.T) {
	leaf := issue(t, selfSigned(t, ca("root")), testca.Template{CommonName: "leaf"})
	stored := selfSigned(t, ca("root"))
	chain := chainOf(leaf)
	tried := chain.Watch()
	_, _ = truststore.Verify(chain, anchorsOf(t, stored), time.Now())
	want := fmt.Sprintf(`path_not_found: certificate "CN=leaf": certificate "CN=root" has the name of its issuer, and its key did not make the signature: the certificate asks for the key %x, that of this CA is %x`,
		leaf.Certificate.AuthorityKeyId, stored.Certificate.SubjectKeyId)
	if len(tried.Attempts) != 1 || tried.Attempts[0].Err.Error() != want {
		t.Errorf("%v, want %s", tried.Attempts, want)
	}
}

func TestWhatIsToldIsBounded(t *testing.T) {
	const many = truststore.MaxAttempts + 4
	root := selfSigned(t, ca("root"))
	leaf := issue(t, root, testca.Template{CommonName: "leaf"})
	var impostors, strangers []*testca.Issued
	for i := range many {
		impostors = append(impostors, selfSigned(t, ca("root")))
		strangers = append(strangers, selfSigned(t, ca(fmt.Sprint("stranger ", i))))
	}

	chain := chainOf(leaf)
	tried := chain.Watch()
	if _, err := truststore.Verify(chain, anchorsOf(t, append(impostors, root)...), time.Now()); err != nil {
		t.Fatal(err)
	}
	if last := tried.Attempts[len(tried.Attempts)-1]; len(tried.Attempts) != truststore.MaxAttempts || tried.Omitted != 5 || last.Err != nil {
		t.Errorf("%d attempts and %d left out, the last %v", len(tried.Attempts), tried.Omitted, last.Err)
	}

	chain = chainOf(leaf, impostors...)
	tried = chain.Watch()
	_, _ = truststore.Verify(chain, anchorsOf(t, strangers...), time.Now())
	if len(tried.Idle) != truststore.MaxAttempts || tried.OmittedIdle != 4 || len(tried.Unused) != truststore.MaxAttempts {
		t.Errorf("%d idle, %d left out, %d unused", len(tried.Idle), tried.OmittedIdle, len(tried.Unused))
	}
}

func TestWhatIsToldIsOfTheLastSearch(t *testing.T) {
	root := selfSigned(t, ca("root"))
	chain := chainOf(issue(t, root, testca.Template{CommonName: "leaf"}))
	tried := chain.Watch()
	for range 2 {
		if _, err := truststore.Verify(chain, anchorsOf(t, root), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if len(tried.Attempts) != 1 || chain.Watch() != tried {
		t.Errorf("%v", shownAttempts(tried))
	}
}

func TestAnAcceptedPathThatIsRefusedFellForThat(t *testing.T) {
	root, impostor := selfSigned(t, ca("root")), selfSigned(t, ca("root"))
	chain := chainOf(issue(t, root, testca.Template{CommonName: "leaf"}))
	tried := chain.Watch()
	refused := decision.Denyf(decision.SubjectMismatch, "", "another subject")
	chain.Refuse(refused) // there is no path yet
	_, _ = truststore.Verify(chain, anchorsOf(t, impostor, root), time.Now())
	chain.Refuse(refused)
	chain.Refuse(decision.Denyf(decision.CertificateRevoked, "", "too late: it fell already"))
	want := []string{"root > leaf: path_not_found", "root > leaf: subject_mismatch"}
	if diff := cmp.Diff(want, shownAttempts(tried)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	chainOf(selfSigned(t, ca("unwatched"))).Refuse(refused)
}

func TestAChainThatNobodyWatchesCostsNoMoreMemory(t *testing.T) {
	root := selfSigned(t, ca("root"))
	inter := issue(t, root, ca("inter"))
	leaf, anchors := issue(t, inter, testca.Template{CommonName: "leaf"}), anchorsOf(t, root, selfSigned(t, ca("root")))
	judged := func(watch bool) float64 {
		chain := chainOf(leaf, inter)
		if watch {
			chain.Watch()
		}
		verify := func() { _, _ = truststore.Verify(chain, anchors, time.Now()) }
		verify() // the signatures
		return testing.AllocsPerRun(20, verify)
	}
	if unwatched, watched := judged(false), judged(true); unwatched > 14 || watched <= unwatched {
		t.Errorf("%v allocations unwatched, %v watched", unwatched, watched)
	}
}
