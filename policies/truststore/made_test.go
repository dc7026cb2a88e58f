package truststore_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
)

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

func newKey(t testing.TB, kind testca.KeyKind) crypto.Signer {
	t.Helper()
	key, err := testca.NewKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// publicOnly stands for a key whose private half nobody made.
type publicOnly struct{ public crypto.PublicKey }

func (k publicOnly) Public() crypto.PublicKey { return k.public }

func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no private key")
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func certificateFile(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	certificate, err := truststore.ParseOne(readTestdata(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// anchorsOf makes anchors of whatever is given, as a store that holds it would.
func anchorsOf(t testing.TB, stored ...*testca.Issued) []*truststore.Anchor {
	t.Helper()
	var anchors []*truststore.Anchor
	for _, issued := range stored {
		entries, err := truststore.Parse(issued.PEM())
		if err != nil {
			t.Fatal(err)
		}
		if entries[0].IsAnchor() {
			anchors = append(anchors, truststore.NewAnchor(entries[0]))
		}
	}
	return anchors
}

func chainOf(leaf *testca.Issued, presented ...*testca.Issued) *truststore.Chain {
	return truststore.NewChain(leaf.Certificate, certificates(presented...))
}

func certificates(all ...*testca.Issued) []*x509.Certificate {
	var out []*x509.Certificate
	for _, issued := range all {
		out = append(out, issued.Certificate)
	}
	return out
}

// reasonText is the reason that err refuses for, "accepted" if it does not.
func reasonText(err error) string {
	if err == nil {
		return "accepted"
	}
	return decision.ReasonOf(err).String()
}

func pointer[T any](v T) *T { return &v }
