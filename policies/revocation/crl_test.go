package revocation_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

func TestWhatIsNoCRLIsRefused(t *testing.T) {
	ca := newCA(t, "CA")
	unknown := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 7}
	good := list{by: ca}.der(t)
	entry := func(extensions ...extension) []listed {
		return []listed{{serial: big.NewInt(7), extensions: extensions}}
	}
	for sentence, c := range map[string]struct {
		der  []byte
		want string // part of the error, "" for none
	}{
		"a good one":                               {good, ""},
		"no bytes":                                 {nil, "not a CRL"},
		"bytes behind it":                          {append(slices.Clone(good), 0), "not a CRL"},
		"one cut short":                            {good[:len(good)-1], "not a CRL"},
		"one of version 1":                         {list{by: ca, version: 2}.der(t), "version"},
		"one without cRLNumber":                    {list{by: ca, noNumber: true, extensions: []extension{{id: ce(35), value: tlv(0x30)}}}.der(t), "no cRLNumber"},
		"a critical cRLNumber":                     {list{by: ca, noNumber: true, extensions: []extension{{ce(20), true, []byte{2, 1, 1}}}}.der(t), "cRLNumber is critical"},
		"an extension twice":                       {list{by: ca, extensions: []extension{{ce(20), false, []byte{2, 1, 1}}}}.der(t), "twice"},
		"an unknown critical extension":            {list{by: ca, extensions: []extension{{unknown, true, []byte{5, 0}}}}.der(t), "critical and unknown"},
		"an unknown extension":                     {list{by: ca, extensions: []extension{{unknown, false, []byte{5, 0}}}}.der(t), ""},
		"a critical freshestCRL":                   {list{by: ca, extensions: []extension{{ce(46), true, tlv(0x30)}}}.der(t), "critical and unknown"},
		"no nextUpdate":                            {list{by: ca, noNext: true}.der(t), "no nextUpdate"},
		"a nextUpdate before thisUpdate":           {list{by: ca, this: noon, next: noon.Add(-time.Second)}.der(t), "not after its thisUpdate"},
		"a distribution point without content":     {list{by: ca, extensions: []extension{distributionPoint()}}.der(t), "issuingDistributionPoint"},
		"one with an unknown field":                {list{by: ca, extensions: []extension{distributionPoint([]byte{0x86, 1, 0xff})}}.der(t), "unknown field"},
		"one for users and for CAs":                {list{by: ca, extensions: []extension{distributionPoint(onlyUsers, onlyCAs)}}.der(t), "more than one kind"},
		"one with a flag that is no BOOLEAN":       {list{by: ca, extensions: []extension{distributionPoint([]byte{0x81, 1, 1})}}.der(t), "no BOOLEAN"},
		"one with an empty list of names":          {list{by: ca, extensions: []extension{distributionPoint(fullName())}}.der(t), "empty list"},
		"one with more names than are read":        {list{by: ca, extensions: []extension{distributionPoint(fullName(slices.Repeat([][]byte{uriName("http://a/")}, 65)...))}}.der(t), "more than 64"},
		"one with reasons that are none":           {list{by: ca, extensions: []extension{distributionPoint([]byte{0x83, 1, 3})}}.der(t), "ReasonFlags"},
		"an entry with a reason":                   {list{by: ca, entries: entry(reasonCode(1))}.der(t), ""},
		"an entry with a reason that is none":      {list{by: ca, entries: entry(reasonCode(7))}.der(t), "reasonCode"},
		"an entry with a reason of two bytes":      {list{by: ca, entries: entry(extension{ce(21), false, []byte{10, 2, 0, 1}})}.der(t), "reasonCode"},
		"an entry with an extension twice":         {list{by: ca, entries: entry(reasonCode(1), reasonCode(1))}.der(t), "twice"},
		"removeFromCRL in a full list":             {list{by: ca, entries: entry(reasonCode(8))}.der(t), "removeFromCRL"},
		"an unknown critical entry extension":      {list{by: ca, entries: entry(extension{unknown, true, []byte{5, 0}})}.der(t), "critical and unknown"},
		"an unknown entry extension":               {list{by: ca, entries: entry(extension{unknown, false, []byte{5, 0}})}.der(t), ""},
		"an entry's issuer in a list not indirect": {list{by: ca, entries: entry(extension{ce(29), true, tlv(0x30)})}.der(t), "names an issuer"},
		"an entry with a serial of 33 bytes":       {list{by: ca, entries: []listed{{serial: new(big.Int).Lsh(big.NewInt(1), 256)}}}.der(t), "more than 32 bytes"},
		"an element behind the extensions":         {list{by: ca, behind: []byte{5, 0}}.der(t), "not a CRL"},
		"a critical authorityKeyIdentifier":        {list{by: ca, extensions: []extension{{ce(35), true, tlv(0x30)}}}.der(t), "marked critical"},
		"a serial number with a byte too many":     {list{by: ca, entries: []listed{{raw: []byte{0, 1}}}}.der(t), "serial number cannot be read"},
		"a negative one with a byte too many":      {list{by: ca, entries: []listed{{raw: []byte{0xff, 0x80}}}}.der(t), "serial number cannot be read"},
		"a serial number without a byte":           {list{by: ca, entries: []listed{{raw: []byte{}}}}.der(t), "serial number cannot be read"},
		"an entry with a serial of 32 bytes":       {list{by: ca, entries: []listed{{serial: new(big.Int).Lsh(big.NewInt(1), 254)}}}.der(t), ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := revocation.ParseCRL(c.der)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestACRLThatIsTooLargeIsNotLookedAt(t *testing.T) {
	if _, err := revocation.ParseCRL(make([]byte, revocation.MaxCRLBytes+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}

func TestAListIsItsIssuersAlone(t *testing.T) {
	ca, key := newCA(t, "CA"), newCA(t, "CA").Key
	usage := func(u x509.KeyUsage) testca.Template {
		return testca.Template{CommonName: "CA", CA: true, KeyUsage: &u, Key: ca.Key}
	}
	unused := usage(0)
	unused.ExtraExtensions = []pkix.Extension{{Id: ce(15), Critical: true, Value: tlv(0x03, []byte{0})}}
	for sentence, c := range map[string]struct {
		list   list
		issuer *testca.Issued
		want   string
	}{
		"of the CA": {list{by: ca}, ca, ""},
		"of the CA, its name in another spelling":     {list{by: ca, name: respelled(t, "ca")}, ca, ""},
		"of the CA, renewed with the same key":        {list{by: ca}, selfSigned(t, usage(x509.KeyUsageCertSign|x509.KeyUsageCRLSign)), ""},
		"of a CA without keyUsage":                    {list{by: ca}, selfSigned(t, usage(0)), ""},
		"of a CA without cRLSign":                     {list{by: ca}, selfSigned(t, usage(x509.KeyUsageCertSign)), "cRLSign"},
		"of a CA whose keyUsage has no bit":           {list{by: ca}, selfSigned(t, unused), "cRLSign"},
		"of a certificate that is no CA":              {list{by: ca}, selfSigned(t, testca.Template{CommonName: "CA", Key: ca.Key}), "no CA"},
		"of another CA of the same name":              {list{by: ca}, selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: key}), "not signed"},
		"of a CA of another name and the same key":    {list{by: ca}, selfSigned(t, testca.Template{CommonName: "Other", CA: true, Key: ca.Key}), "another name"},
		"with a signature that was changed":           {list{by: ca, spoil: true}, ca, "not signed"},
		"with the AKI of another key":                 {list{by: ca, extensions: []extension{{ce(35), false, tlv(0x30, tlv(0x80, []byte("other")))}}}, ca, "another key"},
		"with the AKI of the CA's key":                {list{by: ca, extensions: []extension{{ce(35), false, tlv(0x30, tlv(0x80, ca.Certificate.SubjectKeyId))}}}, ca, ""},
		"with the CA's name, signed by somebody else": {list{by: newCA(t, "Eve"), name: ca.Certificate.RawSubject}, ca, "not signed"},
	} {
		t.Run(sentence, func(t *testing.T) {
			parsed := c.list.parsed(t)
			for range 2 { // what was found is remembered
				err := parsed.SignedBy(c.issuer.Certificate)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
		})
	}
}

func TestAListSignedWithSHA1IsNobodys(t *testing.T) {
	key, err := testca.NewKey(testca.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: key})
	for algorithm, want := range map[x509.SignatureAlgorithm]bool{
		x509.SHA1WithRSA: false, x509.SHA256WithRSA: true, x509.SHA384WithRSAPSS: true,
	} {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			SignatureAlgorithm: algorithm, Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon.Add(time.Hour),
		}, ca.Certificate, ca.Key)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := revocation.ParseCRL(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := parsed.SignedBy(ca.Certificate); (err == nil) != want {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
}

func TestAListIsOfOneKeyAlsoOnceItsSignerIsKnown(t *testing.T) {
	ca := newCA(t, "CA")
	parsed := list{by: ca}.parsed(t)
	for range 2 {
		if err := parsed.SignedBy(ca.Certificate); err != nil {
			t.Fatal(err)
		}
		if parsed.SignedBy(newCA(t, "CA").Certificate) == nil {
			t.Error("signed by a namesake")
		}
	}
}

func TestAListSaysWhatKindItIs(t *testing.T) {
	ca := newCA(t, "CA")
	parsed := list{by: ca, extensions: []extension{distributionPoint(indirect)}, entries: []listed{{serial: big.NewInt(1)}}}.parsed(t)
	if !parsed.Indirect() || !(list{by: ca, extensions: []extension{distributionPoint(onlyUsers)}}).parsed(t).Partial() || parsed.Len() != 1 {
		t.Errorf("indirect %v, %d entries", parsed.Indirect(), parsed.Len())
	}
}

// Whatever crypto/x509 finds in a list, the walk finds, and nothing else.
func TestEverySerialNumberIsFoundAndNoOther(t *testing.T) {
	ca := newCA(t, "CA")
	var entries []listed
	for _, bits := range []uint{0, 1, 7, 8, 15, 16, 63, 64, 127, 159, 160, 200} {
		for _, off := range []int64{-1, 0, 1} {
			entries = append(entries, listed{serial: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(off))})
		}
	}
	view := revocation.NewView(nil, []*revocation.CRL{list{by: ca, entries: entries}.parsed(t)}, nil)
	in := func(serial *big.Int) bool {
		return slices.ContainsFunc(entries, func(e listed) bool { return e.serial.Cmp(serial) == 0 })
	}
	for _, e := range entries {
		for _, off := range []int64{0, 2, 3, 256} {
			serial := new(big.Int).Add(e.serial, big.NewInt(off))
			leaf := &x509.Certificate{SerialNumber: serial, RawIssuer: ca.Certificate.RawSubject}
			_, err := view.Judge([]*x509.Certificate{leaf, ca.Certificate}, revocation.Policy{Mode: revocation.Hard}, noon)
			if (err != nil) != in(serial) {
				t.Errorf("%s: listed %v, judged %v", serial, in(serial), err)
			}
		}
	}
}

// Under the race detector a million take minutes to write.
func TestAListOfManyEntriesIsSmall(t *testing.T) {
	const count = 100_000
	ca := newCA(t, "CA")
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon.Add(time.Hour),
		RevokedCertificateEntries: make([]x509.RevocationListEntry, count)}
	serial := func(i int) *big.Int {
		return new(big.Int).SetBytes(append([]byte{1 + byte(i*7)%100, byte(i * 13), byte(i >> 16), byte(i >> 8), byte(i)}, make([]byte, 11)...))
	}
	for i := range template.RevokedCertificateEntries {
		template.RevokedCertificateEntries[i] = x509.RevocationListEntry{SerialNumber: serial(i), RevocationTime: noon, ReasonCode: 1}
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.Certificate, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	template = nil
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	parsed, err := revocation.ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := parsed.SignedBy(ca.Certificate); err != nil { // lets go of the DER
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 40*count {
		t.Errorf("%d bytes are kept of each", kept/count)
	}
	view := revocation.NewView(nil, []*revocation.CRL{parsed}, nil)
	for _, c := range []struct {
		serial *big.Int
		want   string
	}{{serial(0), "certificate_revoked"}, {serial(count - 1), "certificate_revoked"}, {serial(count), "good"}} {
		leaf := &x509.Certificate{SerialNumber: c.serial, RawIssuer: ca.Certificate.RawSubject}
		if got := outcome(view.Judge([]*x509.Certificate{leaf, ca.Certificate}, revocation.Policy{Mode: revocation.Hard}, noon)); got != c.want {
			t.Errorf("%s: %s", c.serial, got)
		}
	}
	if parsed.Len() != count {
		t.Errorf("%d entries", parsed.Len())
	}
	runtime.KeepAlive(der)
}

func TestAFileOfCRLs(t *testing.T) {
	ca := newCA(t, "CA")
	der := list{by: ca}.der(t)
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for sentence, c := range map[string]struct {
		text []byte
		want int
		err  string
	}{
		"DER":                           {der, 1, ""},
		"a PEM block":                   {block, 1, ""},
		"two, with white space":         {bytes.Join([][]byte{block, block}, []byte("\n \r\n")), 2, ""},
		"nothing":                       {[]byte(" \n"), 0, "no CRL"},
		"a certificate":                 {ca.PEM(), 0, "block 1: text that is no PEM block of type X509 CRL, which is all that openssl crl -in FILE writes"},
		"text behind a block":           {append(slices.Clone(block), "x"...), 0, "block 2"},
		"a block cut short":             {block[:len(block)-30], 0, "cut short"},
		"a second block inside a first": {append(slices.Clone(block[:60]), block...), 0, "cut short"},
		"headers":                       {pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Headers: map[string]string{"a": "b"}, Bytes: der}), 0, "cut short"},
		"what is no CRL":                {pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte("x")}), 0, "block 1: not a CRL"},
		"more than a thousand":          {bytes.Repeat(block, 1001), 0, "more than 1000"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := revocation.ParseCRLs(c.text)
			if len(got) != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%d lists, %v", len(got), err)
			}
		})
	}
}

func TestWhenSomethingWasRevoked(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, testca.Template{CommonName: "leaf"})
	for text, want := range map[string]string{
		"250228235959Z": "2025-02-28T23:59:59Z", "491231000000Z": "2049-12-31T00:00:00Z", "700101000000Z": "1970-01-01T00:00:00Z",
		"240229000000Z": "2024-02-29T00:00:00Z", "250229000000Z": "", "251301000000Z": "", "250132000000Z": "", "250101240000Z": "",
		"250101006000Z": "", "250101000060Z": "", "2501010000:0Z": "", "25010100000/Z": "", "": "", "000000000000Z": "",
	} {
		entry := tlv(0x30, marshal(t, leaf.Certificate.SerialNumber), tlv(0x17, []byte(text)))
		c, err := revocation.ParseCRL(list{by: ca, written: entry}.der(t))
		if err != nil {
			if want != "" || !strings.Contains(err.Error(), "revocationDate") {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		_, err = revocation.NewView(nil, []*revocation.CRL{c}, nil).Judge(path(leaf, ca), revocation.Policy{Mode: revocation.Soft}, noon)
		if want == "" || err == nil || !strings.Contains(err.Error(), "since "+want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseCRL(f *testing.F) {
	ca := newCA(f, "CA")
	for _, l := range []list{
		{by: ca},
		{by: ca, entries: []listed{{serial: big.NewInt(1)}, {serial: big.NewInt(-1)}, {serial: big.NewInt(128), extensions: []extension{reasonCode(6)}}}},
		{by: ca, extensions: []extension{{ce(27), true, []byte{2, 1, 1}}}, entries: []listed{{serial: big.NewInt(1), extensions: []extension{reasonCode(8)}}}},
		{by: ca, extensions: []extension{distributionPoint(fullName(uriName("http://a/")), onlyUsers, []byte{0x83, 2, 1, 0x60})}},
		{by: ca, extensions: []extension{distributionPoint(indirect)}, entries: []listed{{serial: big.NewInt(1), extensions: []extension{{ce(29), true, tlv(0x30, tlv(0xa4, ca.Certificate.RawSubject))}}}}},
		{by: ca, extensions: []extension{distributionPoint(tlv(0xa0, tlv(0xa1, tlv(0x30, marshal(f, asn1.ObjectIdentifier{2, 5, 4, 3}), marshal(f, "x")))))}},
	} {
		f.Add(l.der(f))
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := revocation.ParseCRL(der)
		if err != nil {
			return
		}
		_ = c.SignedBy(ca.Certificate)
		other, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatalf("crypto/x509 refuses it: %v", err)
		}
		if c.Indirect() || c.Delta {
			return
		}
		if c.Len() != len(other.RevokedCertificateEntries) {
			t.Fatalf("%d entries, crypto/x509 has %d", c.Len(), len(other.RevokedCertificateEntries))
		}
	})
}
