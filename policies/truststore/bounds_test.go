package truststore_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// long is tlv for any length.
func long(tag byte, content []byte) []byte {
	if len(content) <= 0xffff {
		return tlv(tag, content...)
	}
	length := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, uint32(len(content))), "\x00")
	return slices.Concat([]byte{tag, 0x80 | byte(len(length))}, length, content)
}

// dearKeys are CAs of one name, each with a key that nobody has the private half
// of, as dear as RSA keys are accepted.
func dearKeys(t testing.TB, count int) []*truststore.Anchor {
	elsewhere := selfSigned(t, ca("elsewhere"))
	modulus := new(big.Int).Lsh(big.NewInt(1), 8192)
	var all []*testca.Issued
	for i := range count {
		key := &rsa.PublicKey{N: new(big.Int).Sub(modulus, big.NewInt(int64(2*i+1))), E: 1<<31 - 1}
		all = append(all, issue(t, elsewhere, testca.Template{CommonName: "root", CA: true, Key: publicOnly{key}}))
	}
	return anchorsOf(t, all...)
}

// renewed is one CA with many certificates, each changed in place: crypto/x509 and
// the bounds of evidence and stores would have refused some of them.
func renewed(t testing.TB, ca *testca.Issued, count int, change func(*x509.Certificate)) (anchors []*truststore.Anchor) {
	for range count {
		certificate := *ca.Certificate
		change(&certificate)
		anchors = append(anchors, truststore.NewAnchor(truststore.Entry{Certificate: &certificate}))
	}
	return anchors
}

func changed(c *testca.Issued, change func(*x509.Certificate)) *x509.Certificate {
	certificate := *c.Certificate
	change(&certificate)
	return &certificate
}

// The clients of a CA's namesakes are looked for without a step of a path.
func TestSignatureChecksAreBoundedWhereWithoutThatADecisionWouldTakeSeconds(t *testing.T) {
	leaf := issue(t, selfSigned(t, ca("root")), with())
	var others []*testca.Issued
	for range 40 {
		others = append(others, selfSigned(t, ca("root")))
	}
	for sentence, c := range map[string]struct {
		leaf    *x509.Certificate
		anchors []*truststore.Anchor
	}{
		"by the dearest keys": {changed(leaf, func(c *x509.Certificate) {
			c.Signature, c.SignatureAlgorithm = bytes.Repeat([]byte{1}, 1024), x509.SHA256WithRSA
		}), dearKeys(t, 800)},
		"of the largest certificates": {changed(leaf, func(c *x509.Certificate) { c.RawTBSCertificate = make([]byte, 64<<20) }), anchorsOf(t, others...)},
	} {
		t.Run(sentence, func(t *testing.T) {
			chain := truststore.NewChain(c.leaf, nil)
			var err error
			for i := 0; i < len(c.anchors) && err == nil; i++ {
				_, _, err = chain.ProvenBy(c.anchors[i])
			}
			if got := reasonText(err); got != "path_too_complex" {
				t.Errorf("got %s (%v)", got, err)
			}
		})
	}
}

// A client's store may have a thousand CAs of the name of a certificate's issuer.
func TestIssuersInAStoreAreAskedWithinABoundWhereWithoutItThatWouldTakeSeconds(t *testing.T) {
	leaf := changed(issue(t, selfSigned(t, ca("root")), with()), func(c *x509.Certificate) {
		c.Signature, c.SignatureAlgorithm = bytes.Repeat([]byte{1}, 1024), x509.SHA256WithRSA
	})
	issuer, err := truststore.NewChain(leaf, nil).StoredIssuer(leaf, dearKeys(t, 800))
	if got := reasonText(err); got != "path_too_complex" || issuer != nil {
		t.Errorf("got %s (%v)", got, err)
	}
}

// Each kind of work is within its own bound, and all of them together are not.
func TestAllWorkOfADecisionIsBoundedTogether(t *testing.T) {
	template := ca("root")
	template.Key = newKey(t, testca.P521)
	root := selfSigned(t, template)
	var trees [][]byte
	for i := range 110 {
		trees = append(trees, email(fmt.Sprintf("h%d.example", i)))
	}
	names := make([]string, 255)
	for i := range names {
		names[i] = fmt.Sprintf("u%d@a.example", i)
	}
	last, presented := root, []*x509.Certificate(nil)
	for i := range 2 {
		below := under(fmt.Sprint("inter ", i), excludes(trees[:len(trees)*i]...))
		if i == 0 {
			below = ca("inter 0")
		}
		below.CA, below.Key = true, newKey(t, testca.P521)
		last = issue(t, last, below)
		presented = append(presented, last.Certificate)
	}
	for sentence, c := range map[string]struct {
		leaf *testca.Issued
		want string
	}{
		"three checks on P-521 alone":       {issue(t, last, mail("u@a.example")), "accepted"},
		"and as many names as are compared": {issue(t, last, mail(names...)), "path_too_complex"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := truststore.Verify(truststore.NewChain(c.leaf.Certificate, presented), anchorsOf(t, root), time.Now())
			if got := reasonText(err); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

// What each of these would take without its bound is in docs/security-model.md, for
// an input that is larger than what can be presented.
func TestEachBoundHoldsWhereWithoutItADecisionWouldTakeSeconds(t *testing.T) {
	root := selfSigned(t, ca("root"))
	inter := issue(t, root, ca("inter"))
	leaf, below := issue(t, root, with()), issue(t, inter, with())
	same := func(*x509.Certificate) {}
	extend := func(arc int, value []byte) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.Extensions = append(slices.Clone(c.Extensions), pkix.Extension{Id: []int{2, 5, 29, arc}, Critical: true, Value: value})
		}
	}
	refused := changed(leaf, extend(99, nil))
	for sentence, build := range map[string]func() (chain *truststore.Chain, anchors []*truststore.Anchor, want string){
		"the steps in search of a path": func() (*truststore.Chain, []*truststore.Anchor, string) {
			return ringBelow(t, root), renewed(t, root, 3000, same), "path_too_complex"
		},
		"the comparisons of names with constraints": func() (*truststore.Chain, []*truststore.Anchor, string) {
			domain := strings.Repeat("d.", 110) + "example"
			var trees [][]byte
			for range 1990 {
				trees = append(trees, email("a.b"))
			}
			last, presented := root, []*x509.Certificate(nil)
			for i := range 4 {
				template := under(fmt.Sprint("inter ", i), excludes(trees...))
				template.CA = true
				last = issue(t, last, template)
				presented = append(presented, last.Certificate)
			}
			names := make([]string, 255)
			for i := range names {
				names[i] = fmt.Sprintf("u%d@b.%s", i, domain)
			}
			return truststore.NewChain(issue(t, last, mail(append(names, "u@a.b")...)).Certificate, presented), renewed(t, root, 100, same), "path_too_complex"
		},
		"the directory names among the constraints": func() (*truststore.Chain, []*truststore.Anchor, string) {
			tree := subtreeOf(0xa4, utf8Name(string(bytes.Repeat([]byte("É"), 450))))
			value := long(0x30, long(0xa1, bytes.Repeat(tree, 1900)))
			return truststore.NewChain(refused, nil), renewed(t, root, 120, extend(30, value)), "path_too_complex"
		},
		"the constraints that are read": func() (*truststore.Chain, []*truststore.Anchor, string) {
			value := long(0x30, long(0xa1, bytes.Repeat(email(`"`+strings.Repeat("a", 5000)+`"@a.b`), 1900)))
			return truststore.NewChain(refused, nil), renewed(t, root, 120, extend(30, value)), "path_too_complex"
		},
		"the certificate policies": func() (*truststore.Chain, []*truststore.Anchor, string) {
			var policies []x509.OID
			for i := range 50_000 {
				id, err := x509.OIDFromInts([]uint64{1, 2, uint64(i)})
				if err != nil {
					t.Fatal(err)
				}
				policies = append(policies, id)
			}
			many := func(c *x509.Certificate) { c.Policies = policies }
			return truststore.NewChain(changed(below, extend(99, nil)), []*x509.Certificate{changed(inter, many)}), renewed(t, root, 100, many), "path_too_complex"
		},
		"the names that are compared": func() (*truststore.Chain, []*truststore.Anchor, string) {
			name := long(0x30, long(0x31, long(0x30, append([]byte{6, 3, 0x55, 4, 3}, long(0x0c, bytes.Repeat([]byte("É"), 4<<20))...))))
			stranger := changed(leaf, func(c *x509.Certificate) { c.RawIssuer = name })
			return truststore.NewChain(stranger, nil), renewed(t, root, 20, func(c *x509.Certificate) { c.RawSubject = slices.Concat(name[:len(name)-1], []byte{'x'}) }), "path_not_found"
		},
		"the names that are shown": func() (*truststore.Chain, []*truststore.Anchor, string) {
			attributes := make([]pkix.AttributeTypeAndValue, 3000)
			for i := range attributes {
				attributes[i] = pkix.AttributeTypeAndValue{Type: []int{2, 5, 4, 99}, Value: "unit"}
			}
			critical := changed(leaf, func(c *x509.Certificate) {
				c.Subject.Names = attributes
				extend(99, nil)(c)
			})
			return truststore.NewChain(critical, nil), renewed(t, root, 120, same), "path_too_complex"
		},
		"the alternative names": func() (*truststore.Chain, []*truststore.Anchor, string) {
			named := changed(leaf, extend(17, long(0x30, bytes.Repeat([]byte{0x82, 1, 'a'}, 1<<20))))
			return truststore.NewChain(named, nil), anchorsOf(t, root), "certificate_malformed"
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			chain, anchors, want := build()
			_, err := truststore.Verify(chain, anchors, time.Now())
			if got := reasonText(err); got != want {
				t.Errorf("got %s (%.200v), want %s", got, err, want)
			}
		})
	}
}

// ringBelow is a leaf below five CAs that have all signed each other, none of which
// signed the leaf.
func ringBelow(t testing.TB, root *testca.Issued) *truststore.Chain {
	var cas []*testca.Issued
	for i := range 5 {
		cas = append(cas, issue(t, root, ca(fmt.Sprint("ring ", i))))
	}
	presented := slices.Clone(cas)
	for _, by := range cas {
		for _, of := range cas {
			if by != of {
				presented = append(presented, issue(t, by, testca.Template{CommonName: of.Certificate.Subject.CommonName, CA: true, Key: of.Key}))
			}
		}
	}
	return chainOf(issue(t, selfSigned(t, ca("ring 0")), with()), presented...)
}

func TestDearSignaturesCountForMore(t *testing.T) {
	for kind, c := range map[testca.KeyKind]struct{ most int }{testca.P384: {9}, testca.P521: {3}} {
		var others []*testca.Issued
		for range c.most {
			others = append(others, selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, kind)}))
		}
		root := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, kind)})
		leaf := issue(t, root, testca.Template{CommonName: "leaf"})
		if _, err := truststore.Verify(chainOf(leaf), anchorsOf(t, append(others[1:], root)...), time.Now()); err != nil {
			t.Errorf("the last of %d on %v: %v", c.most, kind, err)
		}
		if _, err := truststore.Verify(chainOf(leaf), anchorsOf(t, append(others, root)...), time.Now()); reasonText(err) != "path_too_complex" {
			t.Errorf("one more on %v: %v", kind, err)
		}
	}
}

// A hierarchy as large as they come: four levels of RSA 4096, whose root and whose
// issuing CA are cross-signed, presented in no order. The client has the new root,
// and others of its name.
func TestALargeHierarchyIsFarFromTheBounds(t *testing.T) {
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	presented, err := truststore.Parse(readTestdata(t, "crosssigned/presented.pem"))
	if err != nil {
		t.Fatal(err)
	}
	chain := truststore.NewChain(certificateFile(t, "crosssigned/leaf.pem"), nil)
	for _, entry := range presented {
		chain.Intermediates = append(chain.Intermediates, entry.Certificate)
	}
	for _, root := range []string{"crosssigned/root.pem", "crosssigned/old-root.pem"} {
		entries, err := truststore.Parse(readTestdata(t, root))
		if err != nil {
			t.Fatal(err)
		}
		namesake := truststore.NewAnchor(truststore.Entry{Certificate: changed(selfSigned(t, ca("other")), func(c *x509.Certificate) { c.RawSubject = entries[0].Certificate.RawSubject })})
		anchors := slices.Repeat([]*truststore.Anchor{namesake}, 5)
		path, err := truststore.Verify(chain, append(anchors, truststore.NewAnchor(entries[0])), at)
		if err != nil || len(path) < 4 {
			t.Errorf("under %s: %d certificates, %v", root, len(path), err)
		}
	}
}

// With its exponent one key is dearer than another of its size.
func TestALargeExponentCountsForMore(t *testing.T) {
	leaf := issue(t, selfSigned(t, ca("root")), with())
	forged := changed(leaf, func(c *x509.Certificate) {
		c.Signature, c.SignatureAlgorithm = bytes.Repeat([]byte{1}, 1024), x509.SHA256WithRSA
	})
	anchors := dearKeys(t, 2)
	if _, err := truststore.Verify(truststore.NewChain(forged, nil), anchors[:1], time.Now()); reasonText(err) != "path_not_found" {
		t.Errorf("one: %v", err)
	}
	if _, err := truststore.Verify(truststore.NewChain(forged, nil), anchors, time.Now()); reasonText(err) != "path_too_complex" {
		t.Errorf("two: %v", err)
	}
}

// A leaf with more directory names than a decision reads.
func TestDirectoryNamesAmongAlternativeNamesAreBounded(t *testing.T) {
	root := selfSigned(t, ca("root"))
	for count, want := range map[int]string{12: "accepted", 13: "path_too_complex"} {
		name := tlv(0xa4, utf8Name(strings.Repeat("n", 985))...) // 1000 bytes, and four of its head
		leaf := issue(t, root, with(ce(17, false, tlv(0x30, bytes.Repeat(name, count)...)...)))
		_, err := truststore.Verify(chainOf(leaf), anchorsOf(t, root), time.Now())
		if got := reasonText(err); got != want {
			t.Errorf("%d: got %s (%v), want %s", count, got, err, want)
		}
	}
}
