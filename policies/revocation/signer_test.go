package revocation_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// respelled is a name of one common name, as a UTF8String.
func respelled(t testing.TB, value string) []byte {
	t.Helper()
	return tlv(0x30, tlv(0x31, tlv(0x30, marshal(t, asn1.ObjectIdentifier{2, 5, 4, 3}), tlv(0x0c, []byte(value)))))
}

// asNamed is the CA, with its name written in another way for those that it issues.
func asNamed(ca *testca.Issued, name []byte) *testca.Issued {
	certificate := *ca.Certificate
	certificate.RawSubject = name
	return &testca.Issued{Certificate: &certificate, Key: ca.Key}
}

func TestAListIsFoundHoweverItsIssuerIsWritten(t *testing.T) {
	ca := newCA(t, "The CA")
	leaf, good := issue(t, asNamed(ca, respelled(t, "THE  ca")), testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "good"})
	view := revocation.NewView(nil, []*revocation.CRL{list{by: ca, name: respelled(t, "the CA "), entries: []listed{revoking(leaf)}}.parsed(t)}, nil)
	for c, want := range map[*testca.Issued]string{leaf: "certificate_revoked", good: "good"} {
		if got := judged(view, revocation.Hard, c, ca); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := judged(view, revocation.Hard, leaf, asNamed(ca, respelled(t, "Another CA"))); got != "revocation_unavailable" {
		t.Errorf("of another CA: %s", got)
	}
	pinned := revocation.WithIssuers(leaf.Certificate, anchorsOf(t, ca))
	if len(pinned) != 2 {
		t.Errorf("a pinned certificate has a path of %d", len(pinned))
	}
}

func TestAPartitionIsFoundHoweverItsNameIsWritten(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, crldp(pointAt(tlv(0xa4, respelled(t, "part one")))))
	bare := issue(t, ca, testca.Template{CommonName: "bare"})
	delegated := issue(t, ca, crldp(tlv(0x30, fullName(uriName("http://a/1")), tlv(0xa2, tlv(0xa4, respelled(t, "ca"))))))
	for sentence, c := range map[string]struct {
		of   *testca.Issued
		name []byte
		want string
	}{
		"its partition":                   {leaf, tlv(0xa4, respelled(t, "PART  One")), "good"},
		"another one":                     {leaf, tlv(0xa4, respelled(t, "part two")), "revocation_unavailable"},
		"the CA's own name":               {bare, tlv(0xa4, respelled(t, "ca")), "good"},
		"the CA, named as the lists' own": {delegated, uriName("http://a/1"), "good"},
		"a name that is a URI":            {leaf, uriName("part one"), "revocation_unavailable"},
	} {
		view := revocation.NewView(nil, []*revocation.CRL{list{by: ca, extensions: []extension{distributionPoint(fullName(c.name))}}.parsed(t)}, nil)
		if got := judged(view, revocation.Hard, c.of, ca); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
}

func TestAnAnswerIsFoundHoweverItsIssuerIsWritten(t *testing.T) {
	ca := newCA(t, "CA")
	other := asNamed(ca, respelled(t, "ca"))
	leaf := issue(t, other, testca.Template{CommonName: "leaf"})
	responder := responderOf(t, other, nil)
	renamed := *responder.Certificate
	renamed.RawSubject = respelled(t, "RESPONDER")
	for sentence, a := range map[string]answer{
		"the certificate's way":      {issuer: other},
		"the issuer's own way":       {issuer: ca},
		"a responder of that issuer": {issuer: ca, signer: responder},
		"a responder, named anew":    {issuer: ca, signer: responder, named: &testca.Issued{Certificate: &renamed}},
	} {
		a.about = leaf
		got, err := revocation.ParseAnswer(a.der(t), leaf.Certificate, ca.Certificate, noon)
		if err != nil {
			t.Errorf("%s: %v", sentence, err)
			continue
		}
		if status := judged(revocation.NewView(nil, nil, []*revocation.Answer{got}), revocation.Hard, leaf, other); status != "good" {
			t.Errorf("%s: %s", sentence, status)
		}
	}
	request, err := revocation.OCSPRequest(leaf.Certificate, ca.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := revocation.OCSPRequest(leaf.Certificate, other.Certificate); err != nil || !bytes.Equal(request, want) {
		t.Error("the request names the issuer as the issuer does, and not as the certificate")
	}
}

// Whoever has a CA of the same name presents many keys. Were that the end of the
// list, what it has would be let in.
func TestNobodyKeepsAListFromItsSigner(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	parsed := list{by: ca, entries: []listed{revoking(leaf)}}.parsed(t)
	view := revocation.NewView(nil, []*revocation.CRL{parsed}, nil)
	for range 100 {
		if got := judged(view, revocation.Soft, leaf, newCA(t, "CA")); got != "unknown" {
			t.Fatal(got)
		}
	}
	if got := parsed.Strangers(); got != 64 {
		t.Errorf("%d keys are remembered", got)
	}
	if got := judged(view, revocation.Soft, leaf, ca); got != "certificate_revoked" {
		t.Error(got)
	}
}

func TestAJudgementChecksFewSignaturesOfOthers(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	var lists []*revocation.CRL
	for range 120 {
		lists = append(lists, list{by: newCA(t, "CA")}.parsed(t))
	}
	lists = append(lists, list{by: ca, entries: []listed{revoking(leaf)}}.parsed(t))
	view := revocation.NewView(nil, lists, nil)
	var got []string
	for range 4 {
		got = append(got, judged(view, revocation.Soft, leaf, ca))
	}
	// What was found is remembered, so that each judgement gets further.
	if want := "path_too_complex path_too_complex certificate_revoked certificate_revoked"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestListsThatWereProvenAheadCostAJudgementNothing(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	lists := []*revocation.CRL{list{by: ca}.parsed(t)}
	for range 20 {
		namesake := newCA(t, "CA")
		lists = append(lists, list{by: namesake}.parsed(t))
		if err := lists[len(lists)-1].SignedBy(namesake.Certificate); err != nil {
			t.Fatal(err)
		}
	}
	if got := judged(revocation.NewView(nil, lists, nil), revocation.Soft, leaf, ca); got != "good" {
		t.Error(got)
	}
}

func TestAListIsTakenFromTheViewBeforeWithWhatItKnows(t *testing.T) {
	ca := newCA(t, "CA")
	l := list{by: ca}
	der := l.der(t)
	parsed := func() *revocation.CRL {
		c, err := revocation.ParseCRL(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := revocation.NewView(nil, []*revocation.CRL{parsed()}, nil)
	known := first.CRLs()[0]
	second := revocation.NewView(first, []*revocation.CRL{parsed(), list{by: ca, number: 2}.parsed(t)}, nil)
	if second.CRLs()[0] != known {
		t.Error("the list was taken anew")
	}
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	verdict, err := first.Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if !revocation.NewView(first, []*revocation.CRL{parsed()}, nil).Holds(verdict.Stamp) {
		t.Error("the same list, read again, is another")
	}
}

// What the issuer's key signed revokes what it has, whatever is wrong with the
// list otherwise. It does not vouch for anything.
func TestAListThatMayNotVouchRevokes(t *testing.T) {
	root := newCA(t, "Root")
	ca := issue(t, root, testca.Template{CommonName: "CA", CA: true})
	certSign := x509.KeyUsageCertSign
	mute := issue(t, root, testca.Template{CommonName: "CA", CA: true, Key: ca.Key, KeyUsage: &certSign})
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	otherKey := extension{ce(35), false, tlv(0x30, tlv(0x80, []byte("other")))}
	newKey := selfSigned(t, testca.Template{CommonName: "CA", CA: true})
	oldByNew := issue(t, newKey, testca.Template{CommonName: "CA", CA: true, Key: ca.Key})
	for sentence, c := range map[string]struct {
		list list
		path []*testca.Issued
		then string // of a leaf that is not on it
		why  string
	}{
		"of the CA":                             {list{by: ca}, []*testca.Issued{leaf, ca, root}, "good", ""},
		"that names another key":                {list{by: ca, extensions: []extension{otherKey}}, []*testca.Issued{leaf, ca, root}, "revocation_unavailable", "authorityKeyIdentifier"},
		"of a CA that is not to sign lists":     {list{by: ca}, []*testca.Issued{leaf, mute, root}, "revocation_unavailable", "lacks cRLSign"},
		"of the CA's new key, over the old one": {list{by: newKey}, []*testca.Issued{leaf, oldByNew, newKey}, "good", ""},
		"of the CA's old key, renewed":          {list{by: ca}, []*testca.Issued{leaf, oldByNew, newKey}, "good", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			above := list{by: root}.parsed(t)
			upper := list{by: newKey, number: 7, extensions: []extension{distributionPoint(onlyCAs)}}.parsed(t)
			view := revocation.NewView(nil, []*revocation.CRL{c.list.parsed(t), above, upper}, nil)
			verdict, err := view.Judge(path(c.path...), revocation.Policy{Mode: revocation.Hard}, noon)
			if got := outcome(verdict, err); got != c.then || err != nil && !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %s, want %s: %v", got, c.then, err)
			}
			c.list.entries = []listed{revoking(leaf)}
			view = revocation.NewView(nil, []*revocation.CRL{c.list.parsed(t), above, upper}, nil)
			if got := judged(view, revocation.Soft, c.path...); got != "certificate_revoked" {
				t.Errorf("with the leaf: %s", got)
			}
		})
	}
}

func TestAnIndirectListIsOneOfItsOwnIssuers(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	other := issue(t, ca, testca.Template{CommonName: "other"})
	of := func(name []byte) extension { return extension{ce(29), true, tlv(0x30, tlv(0xa4, name))} }
	foreign, own := of(newCA(t, "Other").Certificate.RawSubject), of(respelled(t, "ca"))
	for sentence, c := range map[string]struct {
		entries []listed
		want    string
	}{
		"an entry that names nobody":          {[]listed{revoking(leaf)}, "certificate_revoked"},
		"one of another issuer":               {[]listed{revoking(leaf, foreign)}, "good"},
		"one after another issuer's":          {[]listed{revoking(other, foreign), revoking(leaf)}, "good"},
		"one that names the issuer":           {[]listed{revoking(leaf, own)}, "certificate_revoked"},
		"one after those of the issuer again": {[]listed{revoking(other, foreign), revoking(other, own), revoking(leaf)}, "certificate_revoked"},
		"none":                                {nil, "good"},
	} {
		l := list{by: ca, extensions: []extension{distributionPoint(indirect)}, entries: c.entries}
		if got := judged(revocation.NewView(nil, []*revocation.CRL{l.parsed(t)}, nil), revocation.Hard, leaf, ca); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
	for sentence, c := range map[string]struct {
		value []byte
		want  string
	}{
		"no name":             {tlv(0x30), "certificateIssuer"},
		"no list":             {[]byte{5, 0}, "certificateIssuer"},
		"too many names":      {tlv(0x30, bytes.Repeat(uriName("a"), 65)), "more than 64"},
		"a name that is long": {tlv(0x30, uriName(strings.Repeat("a", 9<<10))), "more than 8192 bytes"},
	} {
		l := list{by: ca, extensions: []extension{distributionPoint(indirect)}, entries: []listed{revoking(leaf, extension{ce(29), true, c.value})}}
		if _, err := revocation.ParseCRL(l.der(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	many := list{by: ca, extensions: []extension{distributionPoint(indirect)}}
	for i := range 1001 {
		many.entries = append(many.entries, revoking(leaf, extension{ce(29), true, tlv(0x30, uriName(big.NewInt(int64(i)).String()))}))
	}
	if _, err := revocation.ParseCRL(many.der(t)); err == nil || !strings.Contains(err.Error(), "more than 1000 issuers") {
		t.Error(err)
	}
}

// A key that was a responder's writes answers of before its certificate expired,
// and for years.
func TestAnAnswerEndsWithItsResponder(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	responder := responderOf(t, ca, func(x *testca.Template) { x.NotAfter = noon.Add(30 * time.Minute) })
	good := answer{about: leaf, issuer: ca, signer: responder}
	view := revocation.NewView(nil, nil, []*revocation.Answer{good.parsed(t)})
	for after, want := range map[time.Duration]string{0: "good", 30 * time.Minute: "good", 31 * time.Minute: "revocation_stale"} {
		if got := outcome(view.Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Hard}, noon.Add(after))); got != want {
			t.Errorf("after %s: %s, want %s", after, got, want)
		}
	}
	if _, err := revocation.ParseAnswer(good.der(t), leaf.Certificate, ca.Certificate, noon.Add(31*time.Minute)); err == nil || !strings.Contains(err.Error(), "stale") {
		t.Error(err)
	}
}

func TestEverySignatureThatIsAcceptedIsChecked(t *testing.T) {
	stranger := newCA(t, "CA")
	for kind, algorithms := range map[testca.KeyKind][]x509.SignatureAlgorithm{
		testca.RSA2048: {x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS},
		testca.P256:    {x509.ECDSAWithSHA256}, testca.P384: {x509.ECDSAWithSHA384}, testca.P521: {x509.ECDSAWithSHA512},
		testca.Ed25519: {x509.PureEd25519},
	} {
		key, err := testca.NewKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		otherKey, err := testca.NewKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		ca, namesake := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: key}), selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: otherKey})
		for _, algorithm := range algorithms {
			der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
				SignatureAlgorithm: algorithm, Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon.Add(time.Hour),
			}, ca.Certificate, ca.Key)
			if err != nil {
				t.Fatal(err)
			}
			for by, want := range map[*testca.Issued]bool{ca: true, namesake: false, stranger: false} {
				parsed, err := revocation.ParseCRL(der)
				if err != nil {
					t.Fatal(err)
				}
				certificate := *by.Certificate
				certificate.SubjectKeyId = nil // which would tell them apart before
				if err := parsed.SignedBy(&certificate); (err == nil) != want {
					t.Errorf("%s: %v, want %v", algorithm, err, want)
				}
			}
			changed := bytes.Replace(der, []byte("CA"), []byte("CB"), 1)
			parsed, err := revocation.ParseCRL(changed)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.SignedBy(asNamed(ca, bytes.Replace(ca.Certificate.RawSubject, []byte("CA"), []byte("CB"), 1)).Certificate) == nil {
				t.Errorf("%s: signed what it did not", algorithm)
			}
		}
	}
}

// Nothing of these is signed by anybody: whoever stands between can send them.
func TestWhatALargeListMayCostIsBoundedBeforeItIsRead(t *testing.T) {
	ca := newCA(t, "CA")
	unknown := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 7}
	filled := func(n int) []byte { return bytes.Repeat([]byte{'x'}, n) }
	tiny := tlv(0x30, marshal(t, unknown), tlv(4))
	for sentence, c := range map[string]struct {
		list list
		want string
	}{
		"a large extension":         {list{by: ca, extensions: []extension{{unknown, false, filled(64 << 10)}}}, "bytes of extensions"},
		"a million extensions":      {list{by: ca, extensions: []extension{{unknown, false, bytes.Repeat(tiny, 1_000_000)}}}, "bytes of extensions"},
		"a large name":              {list{by: ca, name: tlv(0x30, bytes.Repeat(tlv(0x31, commonName(t, "x")), 1_000_000))}, "issuer's name has"},
		"a cRLNumber of 33 bytes":   {list{by: ca, noNumber: true, extensions: []extension{{ce(20), false, tlv(2, append([]byte{1}, filled(32)...))}}}, "more than 32 bytes"},
		"a cRLNumber that is below": {list{by: ca, noNumber: true, extensions: []extension{{ce(20), false, []byte{2, 1, 0xff}}}}, "negative"},
	} {
		start := time.Now()
		_, err := revocation.ParseCRL(c.list.der(t))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", sentence, err)
		}
		t.Logf("%s: %s", sentence, time.Since(start))
	}
	large := list{by: ca}.der(t)
	if _, err := revocation.ParseCRL(withSignature(t, large, filled(5<<10))); err == nil || !strings.Contains(err.Error(), "a signature of more than") {
		t.Error(err)
	}
}

// withSignature is a CRL with another signature.
func withSignature(t testing.TB, der, signature []byte) []byte {
	t.Helper()
	var parts []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		t.Fatal(err)
	}
	return tlv(0x30, parts[0].FullBytes, parts[1].FullBytes, marshal(t, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}))
}

func TestAListSignedByEd25519IsSmall(t *testing.T) {
	key, err := testca.NewKey(testca.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: key})
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon.Add(time.Hour)}
	for i := range 130_000 {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: new(big.Int).Lsh(big.NewInt(int64(i+1)), 100), RevocationTime: noon})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.Certificate, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := revocation.ParseCRL(der); err == nil || !strings.Contains(err.Error(), "signed by Ed25519") {
		t.Errorf("%d bytes: %v", len(der), err)
	}
}

// Old software writes lists that cannot be believed. Its operator is told what to
// do about it.
func TestAListThatIsRefusedSaysWhatToDo(t *testing.T) {
	a, ok := newAuthority(t)
	if !ok {
		return
	}
	a.write(t, "bare.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase="+a.file("index.txt")+"\ndefault_md=sha256\ndefault_crl_days=1\n")
	a.write(t, "plain.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase="+a.file("index.txt")+"\ndefault_md=sha256\ndefault_crl_days=1\ncrl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid:always\n")
	for config, want := range map[string]string{"bare.cnf": "no cRLNumber", "plain.cnf": "no cRLNumber", "ca.cnf": ""} {
		a.openssl(t, "ca", "-config", config, "-gencrl", "-cert", "ca.crt", "-keyfile", "ca.key", "-out", "ca.crl")
		_, err := revocation.ParseCRLs(a.read(t, "ca.crl"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "crlnumber")) {
			t.Errorf("%s: %v", config, err)
		}
	}
	for want, l := range map[string]list{"default_crl_days": {by: a.ca, noNext: true}, "is of version 1, which": {by: a.ca, version: -1}} {
		if _, err := revocation.ParseCRL(l.der(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
}

func TestAPathThatIsTooComplexIsRefusedAsThat(t *testing.T) {
	ca := newCA(t, "CA")
	var lists []*revocation.CRL
	for range truststore.MaxSignatureChecks + 1 {
		lists = append(lists, list{by: newCA(t, "CA")}.parsed(t))
	}
	_, err := revocation.NewView(nil, lists, nil).Judge(path(issue(t, ca, testca.Template{CommonName: "leaf"}), ca), revocation.Policy{Mode: revocation.Soft}, noon)
	if err == nil || decision.ReasonOf(err) != decision.PathTooComplex || !strings.Contains(err.Error(), "leaf") {
		t.Error(err)
	}
}

// computedFrom makes a CA certificate with the name of the list's CA, and the second key
// that fits the list's signature: anybody computes it, and nobody has its other half.
func computedFrom(t *testing.T, der []byte, ca *testca.Issued) *testca.Issued {
	t.Helper()
	read, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(read.RawTBSRevocationList)
	other := truststore.OtherKey(ca.Certificate.PublicKey.(*ecdsa.PublicKey), read.Signature, digest[:])
	if other == nil || other.Equal(ca.Certificate.PublicKey) {
		t.Fatal("no other key")
	}
	computed := issue(t, newCA(t, "elsewhere"), testca.Template{CommonName: "CA", CA: true, Key: publicOnly{other}, ExtraExtensions: []pkix.Extension{{
		Id: asn1.ObjectIdentifier{2, 5, 29, 14}, Value: append([]byte{4, byte(len(ca.Certificate.SubjectKeyId))}, ca.Certificate.SubjectKeyId...)}}})
	if err := read.CheckSignatureFrom(computed.Certificate); err != nil {
		t.Fatalf("the computed key does not fit: %v", err)
	}
	return computed
}

// publicOnly stands for a key whose private half nobody has.
type publicOnly struct{ public crypto.PublicKey }

func (k publicOnly) Public() crypto.PublicKey { return k.public }

func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no private key")
}

// Whoever asks first whose a list is must not take it from the CA.
func TestAKeyThatWasComputedFromAListTakesItFromNobody(t *testing.T) {
	ca := newCA(t, "CA")
	leaf, good := issue(t, ca, testca.Template{CommonName: "leaf"}), issue(t, ca, testca.Template{CommonName: "good"})
	crl := list{by: ca, entries: []listed{revoking(leaf)}}
	der := crl.der(t)
	computed := computedFrom(t, der, ca)
	for _, first := range []*testca.Issued{ca, computed} {
		parsed, err := revocation.ParseCRL(der)
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []*testca.Issued{first, ca, computed} {
			if err := parsed.SignedBy(by.Certificate); err != nil {
				t.Errorf("asked about %s first: %v", first.Certificate.Issuer, err)
			}
		}
		if err := parsed.SignedBy(newCA(t, "CA").Certificate); err == nil {
			t.Error("a third key is taken for the signer")
		}
		view := revocation.NewView(nil, []*revocation.CRL{parsed}, nil)
		for c, want := range map[*testca.Issued]string{leaf: "certificate_revoked", good: "good"} {
			if got := judged(view, revocation.Hard, c, ca); got != want {
				t.Errorf("asked about %s first: got %s, want %s", first.Certificate.Issuer, got, want)
			}
		}
		if name := revocation.NamesOf(truststore.Path{leaf.Certificate, ca.Certificate})[0]; !view.Revokes(name) {
			t.Errorf("asked about %s first: its tokens are not revoked", first.Certificate.Issuer)
		}
	}
}
