package policies_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// Everyone who copies the seed's openssl command has its subject, and a CA. The
// index must not care.
func TestManySelfSignedClientsOfOneSubjectAreToldApart(t *testing.T) {
	const clients = 200
	builder := policies.Empty(policies.Options{}).Edit()
	var certificates []*testca.Issued
	for i := range clients {
		issued, err := testca.SelfSigned(testca.Template{CommonName: "My Integration Client", Organization: "My Organization", CA: true, KeyUsage: signAndIssue(), NoExtKeyUsage: true})
		if err != nil {
			t.Fatal(err)
		}
		certificates = append(certificates, issued)
		builder.Put(client(t, numbered(i), fields{"certificateTrustStore": store(issued)}))
	}
	snapshot := builder.Snapshot()
	for i, issued := range certificates {
		leaf, err := issued.Issue(testca.Template{CommonName: "below"})
		if err != nil {
			t.Fatal(err)
		}
		for what, chain := range map[string]*truststore.Chain{
			"itself": truststore.NewChain(issued.Certificate, nil),
			"a leaf": truststore.NewChain(leaf.Certificate, nil),
		} {
			found, err := snapshot.Resolve(chain, policies.Hint{}, nil)
			if err != nil || found.ID() != numbered(i) {
				t.Fatalf("client %d by %s: got %v, %v", i, what, found, err)
			}
			if _, err := found.Judge(snapshot, chain, nil, time.Now(), nil); err != nil {
				t.Fatalf("client %d by %s: %v", i, what, err)
			}
		}
	}
	stranger, err := testca.SelfSigned(testca.Template{CommonName: "My Integration Client", Organization: "My Organization", CA: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Resolve(truststore.NewChain(stranger.Certificate, nil), policies.Hint{}, nil); decision.ReasonOf(err) != decision.ClientUnknown {
		t.Errorf("a stranger of the same subject: got %v, want client_unknown", err)
	}
}

func numbered(i int) string { return fmt.Sprintf("client-%d", i) }
