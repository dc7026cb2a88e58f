package policies_test

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

// fields are what a document has besides resourceType.
type fields = map[string]any

func selfSigned(t testing.TB, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := testca.SelfSigned(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func issue(t testing.TB, by *testca.Issued, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := by.Issue(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func ca(name string) testca.Template { return testca.Template{CommonName: name, CA: true} }

func leaf(name string) testca.Template { return testca.Template{CommonName: name} }

func store(all ...*testca.Issued) string {
	var text strings.Builder
	for _, issued := range all {
		text.Write(issued.PEM())
	}
	return text.String()
}

func documentJSON(t testing.TB, of fields) []byte {
	t.Helper()
	all := fields{"resourceType": "ClientApplication"}
	maps.Copy(all, of)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// client makes the record of a good document.
func client(t testing.TB, id string, of fields) *policies.Client {
	t.Helper()
	documents, err := policies.ParseFile(id+".json", documentJSON(t, of))
	if err != nil {
		t.Fatal(err)
	}
	if documents[0].Fault != nil {
		t.Fatal(documents[0].Fault)
	}
	return documents[0].Client
}

// clients are documents by client_id.
type clients = map[string]fields

func snapshot(t testing.TB, options policies.Options, all clients, order []string) *policies.Snapshot {
	t.Helper()
	b := policies.Empty(options).Edit()
	for _, id := range order {
		b.Put(client(t, id, all[id]))
	}
	return b.Snapshot()
}

func inOrder(all clients) []string { return slices.Sorted(maps.Keys(all)) }

func snapshotOf(t testing.TB, all clients) *policies.Snapshot {
	t.Helper()
	return snapshot(t, policies.Options{}, all, inOrder(all))
}

func chainOf(of *testca.Issued, presented ...*testca.Issued) *truststore.Chain {
	chain := truststore.NewChain(of.Certificate, nil)
	for _, issued := range presented {
		chain.Intermediates = append(chain.Intermediates, issued.Certificate)
	}
	return chain
}

// decide finds the client and has it judge, and says both in a line.
func decide(s *policies.Snapshot, chain *truststore.Chain, hint policies.Hint, at time.Time) string {
	found, err := s.Resolve(chain, hint, nil)
	if err != nil {
		return "refused: " + decision.ReasonOf(err).String()
	}
	accepted, err := found.Judge(s, chain, nil, at, nil)
	switch {
	case err != nil:
		return fmt.Sprintf("%s refuses: %s", found.ID(), decision.ReasonOf(err))
	case accepted.Pinned:
		return found.ID() + " by pin"
	}
	return found.ID() + " by chain"
}

func seedCertificate(t testing.TB) *testca.Issued {
	t.Helper()
	seed, err := testca.LikeOpenSSL("My Integration Client", "My Organization")
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func newKey(t testing.TB, kind testca.KeyKind) crypto.Signer {
	t.Helper()
	key, err := testca.NewKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func weakKey(t testing.TB) crypto.Signer { return newKey(t, testca.RSA1024) }

func rsaKey(t testing.TB) crypto.Signer { return newKey(t, testca.RSA2048) }

func serverOnly() []x509.ExtKeyUsage { return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }

func signAndIssue() *x509.KeyUsage {
	usage := x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign
	return &usage
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
