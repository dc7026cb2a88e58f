package peercert_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// pki is a leaf below two intermediates, and a stranger's certificate.
type pki struct {
	leaf, near, far, stranger *testca.Issued
}

func newPKI(t testing.TB, leaf testca.Template) pki {
	t.Helper()
	root := selfSigned(t, testca.Template{CommonName: "Root", CA: true})
	far := issue(t, root, testca.Template{CommonName: "Far", CA: true})
	near := issue(t, far, testca.Template{CommonName: "Near", CA: true})
	if leaf.CommonName == "" {
		leaf.CommonName = "client"
	}
	return pki{
		leaf: issue(t, near, leaf), near: near, far: far,
		stranger: selfSigned(t, testca.Template{CommonName: leaf.CommonName}),
	}
}

func selfSigned(t testing.TB, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := testca.SelfSigned(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func issue(t testing.TB, issuer *testca.Issued, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := issuer.Issue(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// chain is the URL-encoded PEM of several certificates.
func chain(certificates ...*testca.Issued) string {
	var text strings.Builder
	for _, c := range certificates {
		text.WriteString(c.URLEncodedPEM())
	}
	return text.String()
}

func hash(c *testca.Issued) string {
	sum := c.Thumbprint()
	return hex.EncodeToString(sum[:])
}

// written is one element as Envoy writes it: in this order, without what is
// empty.
type written struct {
	By, Hash, Cert, Chain string
	// Names are whole pairs: Subject, Issuer, URI, DNS.
	Names []string
}

func (w written) String() string {
	var pairs []string
	add := func(before, value, after string) {
		if value != "" {
			pairs = append(pairs, before+value+after)
		}
	}
	add("By=", w.By, "")
	add("Hash=", w.Hash, "")
	add(`Cert="`, w.Cert, `"`)
	add(`Chain="`, w.Chain, `"`)
	return strings.Join(append(pairs, w.Names...), ";")
}

// about is the element that Envoy writes when asked for cert and no more.
func about(c *testca.Issued) written {
	return written{Hash: hash(c), Cert: c.URLEncodedPEM()}
}

// full is the element that Envoy writes when asked for cert, chain, subject,
// uri and dns.
func (p pki) full(names ...string) written {
	return written{
		Hash:  hash(p.leaf),
		Cert:  p.leaf.URLEncodedPEM(),
		Chain: chain(p.leaf, p.near, p.far),
		Names: names,
	}
}
