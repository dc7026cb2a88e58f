package authn_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
)

// hard is of a document that asks about revocation.
func hard() map[string]any { return map[string]any{"revocation": map[string]any{"mode": "hard"}} }

// listOf is a list of the CA, with extensions of its own.
func listOf(b testing.TB, by *testca.Issued, extensions ...pkix.Extension) *revocation.CRL {
	b.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour),
		NextUpdate: time.Now().Add(time.Hour), ExtraExtensions: extensions}, by.Certificate, by.Key)
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := revocation.ParseCRL(der)
	if err != nil {
		b.Fatal(err)
	}
	return parsed
}

// provenList is one whose signer is known, as of a location.
func provenList(b testing.TB, by *testca.Issued, extensions ...pkix.Extension) *revocation.CRL {
	b.Helper()
	parsed := listOf(b, by, extensions...)
	if err := parsed.SignedBy(by.Certificate); err != nil {
		b.Fatal(err)
	}
	return parsed
}

// directory is a directoryName among general names, in letters that are dear to fold.
func directory(letters int, end string) []byte {
	text := tlv(0x0c, []byte(strings.Repeat("Ǆ", letters)+end)...)
	return tlv(0xa4, tlv(0x30, tlv(0x31, tlv(0x30, append([]byte{6, 3, 0x55, 4, 3}, text...)...)...)...)...)
}

// pointNames are those of a certificate's distribution point or of a list's.
func pointNames(letters, count int, end string) []byte {
	var names []byte
	for i := range count {
		names = append(names, directory(letters, fmt.Sprint(end, i))...)
	}
	return tlv(0xa0, tlv(0xa0, names...)...)
}

// worstRevocations are accepted paths of which revocation has much to ask.
func worstRevocations() map[string]func(testing.TB) worst {
	all := map[string]func(testing.TB) worst{}
	// above is a leaf below an anchor whose own issuer has many namesakes in the store.
	above := func(want decision.Reason, namesake func(b testing.TB, i int) *testca.Issued, pinned bool) func(testing.TB) worst {
		return func(b testing.TB) worst {
			top := namesake(b, -1)
			anchor := signedBy(b, top, testca.Template{CommonName: "CA", CA: true})
			leaf := signedBy(b, anchor, testca.Template{CommonName: "leaf"})
			store := []*testca.Issued{anchor}
			if pinned {
				leaf = signedBy(b, top, testca.Template{CommonName: "leaf"})
				store = []*testca.Issued{leaf}
			}
			for i := range 250 {
				store = append(store, namesake(b, i))
			}
			return worstFor(want, []*policies.Client{clientOf(b, "client", hard(), store...)}, leaf)
		}
	}
	for what, kind := range map[string]testca.KeyKind{"P-256": testca.P256, "P-384": testca.P384, "P-521": testca.P521} {
		namesake := func(b testing.TB, _ int) *testca.Issued {
			return rootOf(b, testca.Template{CommonName: "root", Key: keyOf(b, kind)})
		}
		all["namesakes above the anchor, "+what] = above(decision.PathTooComplex, namesake, false)
		all["namesakes above a pinned certificate, "+what] = above(decision.PathTooComplex, namesake, true)
	}
	all["other names above the anchor"] = above(decision.RevocationUnavailable, func(b testing.TB, i int) *testca.Issued {
		return rootOf(b, testca.Template{CommonName: strings.Repeat("Ǆ", 400) + fmt.Sprint(i)})
	}, false)

	all["lists in parts, of names that are dear to compare"] = func(b testing.TB) worst {
		ca := rootOf(b, testca.Template{CommonName: "CA"})
		points := extension(31, false, tlv(0x30, append(tlv(0x30, pointNames(15, 64, "a")...), tlv(0x30, pointNames(15, 64, "b")...)...)...))
		w := worstFor(decision.RevocationUnavailable, []*policies.Client{clientOf(b, "client", hard(), ca)},
			signedBy(b, ca, testca.Template{CommonName: "leaf", ExtraExtensions: []pkix.Extension{points}}))
		w.crls = revocation.NewView(nil, parts(b, ca, 250), nil)
		return w
	}
	all["lists in parts, of a CA with many keys"] = func(b testing.TB) worst {
		name := strings.Repeat("Ǆ", 450)
		root := rootOf(b, testca.Template{CommonName: name})
		points := extension(31, false, tlv(0x30, tlv(0x30, pointNames(15, 64, "a")...)...))
		last, chain, lists := root, []*testca.Issued(nil), parts(b, root, 100)
		for range 9 {
			last = signedBy(b, last, testca.Template{CommonName: name, CA: true, ExtraExtensions: []pkix.Extension{points}})
			chain = append(chain, last)
			lists = append(lists, provenList(b, last))
		}
		leaf := signedBy(b, last, testca.Template{CommonName: "leaf", ExtraExtensions: []pkix.Extension{points}})
		w := worstFor(decision.PathTooComplex, []*policies.Client{clientOf(b, "client", hard(), root)}, append([]*testca.Issued{leaf}, chain...)...)
		w.crls = revocation.NewView(nil, lists, nil)
		return w
	}
	all["a CA with many keys and long names, and no parts"] = func(b testing.TB) worst {
		name := strings.Repeat("Ǆ", 450)
		root := rootOf(b, testca.Template{CommonName: name})
		last, chain, lists := root, []*testca.Issued(nil), []*revocation.CRL{provenList(b, root)}
		for range 9 {
			last = signedBy(b, last, testca.Template{CommonName: name, CA: true})
			chain = append(chain, last)
			lists = append(lists, provenList(b, last))
		}
		leaf := signedBy(b, last, testca.Template{CommonName: "leaf"})
		w := worstFor(decision.Allowed, []*policies.Client{clientOf(b, "client", hard(), root)}, append([]*testca.Issued{leaf}, chain...)...)
		w.crls = revocation.NewView(nil, lists, nil)
		return w
	}
	for what, kind := range map[string]testca.KeyKind{"P-256": testca.P256, "P-521": testca.P521} {
		// What a judgement finds is remembered: nothing else makes the lists anew.
		all["lists that nobody has signed yet, "+what] = func(b testing.TB) worst {
			ca := rootOf(b, testca.Template{CommonName: "CA", Key: keyOf(b, kind)})
			leaf := signedBy(b, ca, testca.Template{CommonName: "leaf"})
			var lists []*revocation.CRL
			for range 400 {
				lists = append(lists, listOf(b, rootOf(b, testca.Template{CommonName: "CA", Key: keyOf(b, kind)})))
			}
			w := worstFor(decision.PathTooComplex, []*policies.Client{clientOf(b, "client", hard(), ca)}, leaf)
			w.crls = revocation.NewView(nil, lists, nil)
			return w
		}
	}
	return all
}

// parts are lists of the CA for the certificates of points of their own.
func parts(b testing.TB, ca *testca.Issued, count int) []*revocation.CRL {
	b.Helper()
	var all []*revocation.CRL
	for i := range count {
		all = append(all, provenList(b, ca, extension(28, true, tlv(0x30, pointNames(20, 64, fmt.Sprint("list ", i, " "))...))))
	}
	return all
}

// worstOfMany are of many clients, and of headers that have to be read.
func worstOfMany() map[string]func(testing.TB) worst {
	all := map[string]func(testing.TB) worst{}
	for what, kind := range map[string]testca.KeyKind{"P-256": testca.P256, "P-384": testca.P384, "P-521": testca.P521} {
		all["a CA's name and key identifier at 60 other clients, "+what] = func(b testing.TB) worst {
			right := rootOf(b, testca.Template{CommonName: "root", Key: keyOf(b, kind)})
			var clients []*policies.Client // the right one last: it is asked in the order in which they came
			for i := range 60 {
				other := rootOf(b, testca.Template{CommonName: "root", Key: keyOf(b, kind)})
				clients = append(clients, clientOf(b, fmt.Sprint("other-", i), nil, withKeyIdentifier(b, other, right.Certificate.SubjectKeyId)))
			}
			clients = append(clients, clientOf(b, "right", nil, right))
			w := worstFor(decision.PathTooComplex, clients, signedBy(b, right, testca.Template{CommonName: "leaf"}))
			w.hint = policies.Hint{}
			return w
		}
		all["CAs of clients above one another, "+what] = func(b testing.TB) worst {
			last := rootOf(b, testca.Template{CommonName: "CA 0", Key: keyOf(b, kind)})
			clients := []*policies.Client{clientOf(b, "0", nil, last)}
			for i := range 7 {
				next := signedBy(b, last, testca.Template{CommonName: fmt.Sprint("CA ", i+1), CA: true, Key: keyOf(b, kind)})
				var renewed []*testca.Issued
				for range 40 {
					renewed = append(renewed, signedBy(b, last, testca.Template{CommonName: fmt.Sprint("CA ", i+1), CA: true, Key: next.Key}))
				}
				clients, last = append(clients, clientOf(b, fmt.Sprint(i+1), nil, append(renewed, next)...)), next
			}
			w := worstFor(decision.InternalError, clients, signedBy(b, last, testca.Template{CommonName: "leaf"}))
			w.hint = policies.Hint{}
			return w
		}
	}
	all["three checks on P-521, and all else that fits"] = func(b testing.TB) worst {
		top := rootOf(b, testca.Template{CommonName: "root", Key: keyOf(b, testca.P521), ExtraExtensions: []pkix.Extension{excludes(1200)}})
		one := signedBy(b, top, testca.Template{CommonName: "one", CA: true, Key: keyOf(b, testca.P521)})
		two := signedBy(b, one, testca.Template{CommonName: "two", CA: true, Key: keyOf(b, testca.P521)})
		return worstOf(b, decision.PathTooComplex, []*testca.Issued{top}, signedBy(b, two, testca.Template{CommonName: "leaf", DNSNames: hosts(256)}), one, two)
	}
	purposes := testca.Template{CommonName: "leaf", ExtraExtensions: []pkix.Extension{extension(37, false, tlv(0x30, append([]byte("\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02"), repeated("\x06\x01\x2a", 40_000)...)...))}}
	all["a header full of purposes, below namesakes on P-384"] = func(b testing.TB) worst {
		impostor := rootOf(b, testca.Template{CommonName: "root", Key: keyOf(b, testca.P384)})
		var store []*testca.Issued
		for range 20 {
			store = append(store, rootOf(b, testca.Template{CommonName: "root", Key: keyOf(b, testca.P384)}))
		}
		return inHeader(b, worstOf(b, decision.PathTooComplex, store, signedBy(b, impostor, purposes)))
	}
	all["a header of ten certificates with long subjects"] = func(b testing.TB) worst {
		root := rootOf(b, testca.Template{CommonName: "root"})
		units := make([]string, 62)
		for i := range units {
			units[i] = strings.Repeat("É", 12)
		}
		var chain []*testca.Issued
		for i := range 9 {
			chain = append(chain, signedBy(b, root, testca.Template{CommonName: fmt.Sprint("CA ", i), CA: true, Units: units}))
		}
		leaf := signedBy(b, chain[0], testca.Template{CommonName: "leaf", Units: units})
		return inHeader(b, worstOf(b, decision.Allowed, []*testca.Issued{root}, append([]*testca.Issued{leaf}, chain...)...))
	}
	return all
}

// inHeader presents the certificates in x-forwarded-client-cert.
func inHeader(b testing.TB, w worst) worst {
	b.Helper()
	var chain strings.Builder
	for _, c := range w.presented.TLSChain {
		chain.WriteString((&testca.Issued{Certificate: c}).URLEncodedPEM())
	}
	leaf := (&testca.Issued{Certificate: w.presented.TLSChain[0]}).URLEncodedPEM()
	text := `Cert="` + leaf + `";Chain="` + chain.String() + `"`
	if len(w.presented.TLSChain) == 1 {
		text = `Cert="` + leaf + `"`
	}
	w.from, w.presented.TLSChain = "xfcc", nil
	w.presented.Header = func(name string) []string {
		if name != "x-forwarded-client-cert" {
			return nil
		}
		return []string{text}
	}
	return w
}

// withKeyIdentifier is the CA with the key identifier of another.
func withKeyIdentifier(b testing.TB, ca *testca.Issued, id []byte) *testca.Issued {
	b.Helper()
	template := *ca.Certificate
	template.SubjectKeyId, template.AuthorityKeyId = id, id
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, ca.Key.Public(), ca.Key)
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil || !bytes.Equal(parsed.SubjectKeyId, id) {
		b.Fatal(err)
	}
	return &testca.Issued{Certificate: parsed, Key: ca.Key}
}
