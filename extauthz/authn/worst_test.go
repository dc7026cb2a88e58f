package authn_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
)

// A worst input is of one caller, who presents what he likes within the bounds of
// evidence, and of the CAs of one client, as far as a trust store may have them.
type worst struct {
	clients   *policies.Snapshot
	crls      *revocation.View
	presented peercert.Presented
	from      peercert.Source // where it is presented; "" is TLS
	hint      policies.Hint
	want      decision.Reason
}

// decide makes the whole decision: what was presented is read, the client found,
// the certificate judged, and who came near to a refused one looked up.
func (w worst) decide(b testing.TB) decision.Reason {
	reader, err := peercert.NewReader(peercert.Config{From: cmp.Or(w.from, peercert.TLS)})
	if err != nil {
		b.Fatal(err)
	}
	st := &state.State{Clients: w.clients, CRLs: w.crls}
	id, err := authn.New(reader).Authenticate(b.Context(), st, w.presented, authn.Claim{Hint: w.hint}, time.Now(), nil)
	if err == nil {
		return decision.Allowed
	}
	_ = id.Candidates(st, "")
	return decision.ReasonOf(err)
}

// clientOf is a client with the store, and with more in its document.
func clientOf(b testing.TB, id string, more map[string]any, store ...*testca.Issued) *policies.Client {
	b.Helper()
	var text bytes.Buffer
	for _, held := range store {
		text.Write(held.PEM())
	}
	members := map[string]any{"resourceType": "ClientApplication", "id": id, "certificateTrustStore": text.String()}
	maps.Copy(members, more)
	document, err := json.Marshal(members)
	if err != nil {
		b.Fatal(err)
	}
	documents, err := policies.ParseFile("client.json", document)
	if err != nil || documents[0].Fault != nil {
		b.Fatal(err, documents[0].Fault)
	}
	return documents[0].Client
}

// worstOf has one client with the store.
func worstOf(b testing.TB, want decision.Reason, store []*testca.Issued, chain ...*testca.Issued) worst {
	b.Helper()
	return worstFor(want, []*policies.Client{clientOf(b, "client", nil, store...)}, chain...)
}

// worstFor has several; the first is the one that the route names.
func worstFor(want decision.Reason, clients []*policies.Client, chain ...*testca.Issued) worst {
	builder := policies.Empty(policies.Options{}).Edit()
	for _, client := range clients {
		builder.Put(client)
	}
	w := worst{clients: builder.Snapshot(), hint: policies.Hint{Route: clients[0].ID()}, want: want}
	for _, c := range chain {
		w.presented.TLSChain = append(w.presented.TLSChain, c.Certificate)
	}
	return w
}

// publicOnly stands for a key whose private half nobody made.
type publicOnly struct{ public crypto.PublicKey }

func (k publicOnly) Public() crypto.PublicKey { return k.public }

func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no private key")
}

func rsaKey(number, bits, exponent int) publicOnly {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	return publicOnly{&rsa.PublicKey{N: n.Sub(n, big.NewInt(int64(2*number+1))), E: exponent}}
}

func keyOf(b testing.TB, kind testca.KeyKind) crypto.Signer {
	b.Helper()
	key, err := testca.NewKey(kind)
	if err != nil {
		b.Fatal(err)
	}
	return key
}

func signedBy(b testing.TB, by *testca.Issued, template testca.Template) *testca.Issued {
	b.Helper()
	made, err := by.Issue(template)
	if err != nil {
		b.Fatal(err)
	}
	return made
}

func rootOf(b testing.TB, template testca.Template) *testca.Issued {
	b.Helper()
	template.CA = true
	made, err := testca.SelfSigned(template)
	if err != nil {
		b.Fatal(err)
	}
	return made
}

// withSignature is the certificate with a signature of a length that a key has.
func withSignature(b testing.TB, c *testca.Issued, length int) *testca.Issued {
	var parts struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Certificate.Raw, &parts); err != nil {
		b.Fatal(err)
	}
	parts.Signature = asn1.BitString{Bytes: bytes.Repeat([]byte{1}, length), BitLength: 8 * length}
	der, err := asn1.Marshal(parts)
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		b.Fatal(err)
	}
	return &testca.Issued{Certificate: parsed}
}

func tlv(tag byte, content ...byte) []byte {
	switch n := len(content); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	}
	return append([]byte{tag, 0x82, byte(len(content) >> 8), byte(len(content))}, content...)
}

func extension(arc int, critical bool, value []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, arc}, Critical: critical, Value: value}
}

func repeated(unit string, size int) []byte { return []byte(strings.Repeat(unit, size/len(unit))) }

// excludes has a constraint for each host.
func excludes(hosts int) pkix.Extension {
	var trees []byte
	for i := range hosts {
		host := fmt.Sprintf("h%d.a.example", i)
		trees = append(trees, append([]byte{0x30, byte(len(host) + 2), 0x82, byte(len(host))}, host...)...)
	}
	return extension(30, true, tlv(0x30, tlv(0xa1, trees...)...))
}

// organizations are excluded.
func organizations(b testing.TB, count, letters int) pkix.Extension {
	var trees []byte
	for i := range count {
		name, err := asn1.Marshal(pkix.Name{Organization: []string{strings.Repeat("É", letters) + fmt.Sprint(i)}}.ToRDNSequence())
		if err != nil {
			b.Fatal(err)
		}
		trees = append(trees, tlv(0x30, tlv(0xa4, name...)...)...)
	}
	return extension(30, true, tlv(0x30, tlv(0xa1, trees...)...))
}

// translations are policies, each mapped to another.
func translations(count int) []pkix.Extension {
	oid := func(i int) []byte {
		return []byte{6, 9, 0x2b, 6, 1, 4, 1, 0x87, 0x67, 0x80 | byte(1+i>>7), byte(i & 0x7f)}
	}
	var list, mapped []byte
	for i := range count {
		list = append(list, append([]byte{0x30, 11}, oid(i)...)...)
		mapped = append(mapped, append([]byte{0x30, 22}, append(oid(i), oid((7*i+1)%count)...)...)...)
	}
	return []pkix.Extension{extension(32, false, tlv(0x30, list...)), extension(33, true, tlv(0x30, mapped...))}
}

// refused makes a leaf fall at the end of each path that leads to it: it is no CA.
func refused() pkix.Extension {
	return extension(30, true, []byte{0x30, 7, 0xa1, 5, 0x30, 3, 0x82, 1, 'a'})
}

func hosts(count int) (names []string) {
	for i := range count {
		names = append(names, fmt.Sprintf("h%d.b.example", i))
	}
	return names
}

const beyondASCII = 480 // letters of two bytes: nearly as much as is folded

// worstInputs are the inputs that cost most, as far as a search by hand and at
// random found them.
func worstInputs() map[string]func(testing.TB) worst {
	all := map[string]func(testing.TB) worst{}
	namesakes := func(key func(b testing.TB, i int) crypto.Signer, signer testca.KeyKind, signature int, leaf testca.Template) func(testing.TB) worst {
		return func(b testing.TB) worst {
			elsewhere, impostor := rootOf(b, testca.Template{CommonName: "elsewhere"}), rootOf(b, testca.Template{CommonName: "root", Key: keyOf(b, signer)})
			var store []*testca.Issued
			for i := range 60 {
				store = append(store, signedBy(b, elsewhere, testca.Template{CommonName: "root", CA: true, Key: key(b, i)}))
			}
			forged := signedBy(b, impostor, leaf)
			if signature > 0 {
				forged = withSignature(b, forged, signature)
			}
			return worstOf(b, decision.PathTooComplex, store, forged)
		}
	}
	on := func(kind testca.KeyKind) func(testing.TB, int) crypto.Signer {
		return func(b testing.TB, _ int) crypto.Signer { return keyOf(b, kind) }
	}
	leaf := testca.Template{CommonName: "leaf"}
	large := testca.Template{CommonName: "leaf", ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: make([]byte, 60_000)}}}
	all["CAs of one name, P-256"] = namesakes(on(testca.P256), testca.P256, 0, leaf)
	all["CAs of one name, P-384"] = namesakes(on(testca.P384), testca.P384, 0, leaf)
	all["CAs of one name, P-521"] = namesakes(on(testca.P521), testca.P521, 0, leaf)
	all["CAs of one name, P-256, and a large leaf"] = namesakes(on(testca.P256), testca.P256, 0, large)
	all["CAs of one name, Ed25519, and a large leaf"] = namesakes(on(testca.Ed25519), testca.Ed25519, 0, large)
	for _, bits := range []int{2048, 3072, 4096, 8192} {
		for _, exponent := range []int{65537, 1<<31 - 1} {
			all[fmt.Sprintf("CAs of one name, RSA %d with %d", bits, exponent)] = namesakes(
				func(_ testing.TB, i int) crypto.Signer { return rsaKey(i, bits, exponent) }, testca.RSA2048, bits/8, leaf)
		}
	}

	// hierarchy is a chain of nine CAs, or as many of each other, under an anchor with
	// that many certificates.
	type shape struct {
		kind     testca.KeyKind
		renewals int
		letters  int
		anchor   []pkix.Extension
		ca       []pkix.Extension
		leaf     testca.Template
		mesh     bool
	}
	hierarchy := func(want decision.Reason, s shape) func(testing.TB) worst {
		return func(b testing.TB) worst {
			name := func(what string, i int) string { return what + strings.Repeat("É", s.letters) + fmt.Sprint(i) }
			top := testca.Template{CommonName: name("root", 0), ExtraExtensions: s.anchor, Key: keyOf(b, s.kind)}
			var store, chain []*testca.Issued
			for range max(1, s.renewals) {
				store = append(store, rootOf(b, top))
			}
			last := store[0]
			for i := range 9 {
				template := testca.Template{CommonName: name("CA", i), CA: true, Key: keyOf(b, s.kind), ExtraExtensions: s.ca}
				if s.mesh && i >= 3 {
					of := chain[i%3]
					template.Key, template.CommonName = of.Key, of.Certificate.Subject.CommonName
					last = chain[(i+i/3)%3]
				} else if s.mesh {
					last = store[0]
				}
				last = signedBy(b, last, template)
				chain = append(chain, last)
			}
			return worstOf(b, want, store, append([]*testca.Issued{signedBy(b, last, s.leaf)}, chain...)...)
		}
	}
	all["a deep hierarchy of long names"] = hierarchy(decision.Allowed, shape{letters: beyondASCII, leaf: leaf})
	all["a deep hierarchy on P-384, of long names"] = hierarchy(decision.PathTooComplex, shape{kind: testca.P384, letters: beyondASCII, leaf: leaf})
	all["a deep hierarchy on P-384, of long names, many names and constraints"] = hierarchy(decision.PathTooComplex, shape{kind: testca.P384, letters: 380,
		anchor: []pkix.Extension{excludes(1200)}, leaf: testca.Template{CommonName: "leaf", DNSNames: hosts(256)}})
	all["a deep hierarchy on P-384, of long names, and policies"] = hierarchy(decision.PathTooComplex, shape{kind: testca.P384, letters: 100,
		anchor: translations(125), ca: translations(125), leaf: testca.Template{CommonName: "leaf"}})
	all["a mesh of CAs on P-256"] = hierarchy(decision.PathTooComplex, shape{mesh: true, renewals: 100, leaf: testca.Template{CommonName: "leaf", ExtraExtensions: []pkix.Extension{refused()}}})
	all["a mesh of CAs on P-384, with long names"] = hierarchy(decision.PathTooComplex, shape{kind: testca.P384, mesh: true, letters: beyondASCII / 2, renewals: 100,
		leaf: testca.Template{CommonName: "leaf", DNSNames: hosts(256), ExtraExtensions: []pkix.Extension{refused()}}})

	// below is a leaf under a CA with many certificates.
	below := func(want decision.Reason, count int, anchor []pkix.Extension, leaf testca.Template) func(testing.TB) worst {
		return func(b testing.TB) worst {
			template := testca.Template{CommonName: "root", Key: keyOf(b, testca.P256), ExtraExtensions: anchor}
			var store []*testca.Issued
			for range count {
				store = append(store, rootOf(b, template))
			}
			return worstOf(b, want, store, signedBy(b, store[0], leaf))
		}
	}
	units := slices.Repeat([]string{strings.Repeat("É,", 35)}, 62)
	all["a long subject below many renewals"] = below(decision.PathTooComplex, 400, nil, testca.Template{CommonName: "leaf", Units: units, ExtraExtensions: []pkix.Extension{refused()}})
	all["policies below many renewals"] = below(decision.PathTooComplex, 90, translations(125), testca.Template{CommonName: "leaf", ExtraExtensions: []pkix.Extension{refused()}})
	all["constraints of many renewals"] = below(decision.PathTooComplex, 20, []pkix.Extension{excludes(2000)}, testca.Template{CommonName: "leaf", DNSNames: append(hosts(6), "h1.a.example")})
	all["directory names of many renewals"] = func(b testing.TB) worst {
		return below(decision.PathTooComplex, 20, []pkix.Extension{organizations(b, 12, beyondASCII)}, testca.Template{CommonName: "leaf", ExtraExtensions: []pkix.Extension{refused()}})(b)
	}
	all["issuers of a CA's many certificates"] = func(b testing.TB) worst {
		template := testca.Template{CommonName: "root", CA: true, Key: keyOf(b, testca.P256)}
		var store []*testca.Issued
		for i := range 200 {
			store = append(store, signedBy(b, rootOf(b, testca.Template{CommonName: strings.Repeat("É", 900) + fmt.Sprint(i)}), template))
		}
		w := worstOf(b, decision.Allowed, store, signedBy(b, store[0], leaf))
		w.hint = policies.Hint{}
		return w
	}

	const size = 58_000 // of the 64 KiB that may be presented
	for what, e := range map[string]pkix.Extension{
		"DNS names":        extension(17, false, tlv(0x30, repeated("\x82\x01a", size)...)),
		"URIs":             extension(17, false, tlv(0x30, repeated("\x86\x04a:bc", size)...)),
		"mailboxes":        extension(17, false, tlv(0x30, repeated("\x81\x01a", size)...)),
		"purposes":         extension(37, false, tlv(0x30, repeated("\x06\x01\x2a", size)...)),
		"mappings":         extension(33, true, tlv(0x30, repeated("\x30\x06\x06\x01\x2a\x06\x01\x2b", size)...)),
		"constraints":      extension(30, true, tlv(0x30, tlv(0xa1, repeated("\x30\x03\x82\x01a", size)...)...)),
		"locations":        extension(31, false, tlv(0x30, repeated("\x30\x0a\xa0\x08\xa0\x06\x86\x04http", size)...)),
		"a long purpose":   extension(37, false, tlv(0x30, tlv(6, bytes.Repeat([]byte{1}, size)...)...)),
		"directory names":  extension(17, false, tlv(0x30, bytes.Repeat(tlv(0xa4, tlv(0x30, tlv(0x31, tlv(0x30, append([]byte{6, 3, 0x55, 4, 3}, tlv(0x0c, repeated("É", 900)...)...)...)...)...)...), 60)...)),
		"unknown contents": {Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: make([]byte, size)},
	} {
		all["a leaf full of "+what] = below(decision.InternalError, 1, nil, testca.Template{CommonName: "leaf", ExtraExtensions: []pkix.Extension{e}})
	}
	maps.Copy(all, worstRevocations())
	maps.Copy(all, worstOfMany())
	return all
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkWorst shows what a decision costs at most, in CPU time: 10 ms is the
// goal. Of several runs the least is told, for other work on the machine adds to
// the rest; and how many signature checks by a key on P-256 would have taken as long
// just then, which hangs less on the machine.
func BenchmarkWorst(b *testing.B) {
	inputs := worstInputs()
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		b.Run(name, func(b *testing.B) {
			w, least, one := inputs[name](b), time.Hour, time.Hour
			unit := rootOf(b, testca.Template{CommonName: "unit"})
			for b.Loop() {
				before := cpu()
				w.decide(b)
				least = min(least, cpu()-before)
				before = cpu()
				for range 10 {
					if err := unit.Certificate.CheckSignatureFrom(unit.Certificate); err != nil {
						b.Fatal(err)
					}
				}
				one = min(one, (cpu()-before)/10)
			}
			b.ReportMetric(float64(least.Microseconds())/1000, "cpu-ms")
			b.ReportMetric(float64(least)/float64(one), "checks")
		})
	}
}

// The inputs are what they are meant to be: those that run into a bound do, and
// none is refused before it costs anything.
func TestTheWorstInputsAreDecided(t *testing.T) {
	for name, input := range worstInputs() {
		t.Run(name, func(t *testing.T) {
			w := input(t)
			if got := w.decide(t); got != w.want && w.want != decision.InternalError {
				t.Errorf("got %s, want %s", got, w.want)
			}
		})
	}
}
