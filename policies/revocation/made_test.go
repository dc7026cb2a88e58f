package revocation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/revocation"
	"github.com/certbearer/certbearer/policies/truststore"
)

// noon is the time at which the tests judge.
var noon = time.Now().UTC().Truncate(time.Second)

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

func newCA(t testing.TB, name string) *testca.Issued {
	return selfSigned(t, testca.Template{CommonName: name, CA: true})
}

// extension is one as it is to be written.
type extension struct {
	id       asn1.ObjectIdentifier
	critical bool
	value    []byte
}

func ce(arc int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, arc} }

// listed is an entry of a list.
type listed struct {
	serial     *big.Int
	raw        []byte // the content of the INTEGER, instead
	since      time.Time
	extensions []extension
}

// list is a CRL to be written; the zero value is a good, empty one: number 1,
// from an hour ago to an hour from now.
type list struct {
	by         *testca.Issued
	name       []byte // of the issuer, where not that of by
	noNumber   bool
	number     int64
	this, next time.Time
	noNext     bool
	entries    []listed
	written    []byte // the content of the list of entries, instead
	extensions []extension
	version    int64  // of the DER, 0 for 1, below to leave it out
	spoil      bool   // the signature
	octets     []byte // the signature, instead, as if it were by RSA
	behind     []byte // the extensions
}

// der writes the list byte by byte, as crypto/x509 would never write the bad ones.
func (l list) der(t testing.TB) []byte {
	t.Helper()
	name := l.name
	if name == nil {
		name = l.by.Certificate.RawSubject
	}
	if l.this.IsZero() {
		l.this = noon.Add(-time.Hour)
	}
	if l.next.IsZero() {
		l.next = noon.Add(time.Hour)
	}
	algorithm := func(b *cryptobyte.Builder) {
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
			if l.octets != nil {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11})
				return
			}
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})
		})
	}
	var b cryptobyte.Builder
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		if l.version >= 0 {
			b.AddASN1Int64(max(l.version, 1))
		}
		algorithm(b)
		b.AddBytes(name)
		b.AddASN1UTCTime(l.this)
		if !l.noNext {
			b.AddASN1UTCTime(l.next)
		}
		if l.written != nil {
			b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(l.written) })
		} else if len(l.entries) > 0 {
			b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, e := range l.entries {
					e.write(b)
				}
			})
		}
		b.AddASN1(tags.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
				if !l.noNumber {
					extension{id: ce(20), value: marshal(t, max(l.number, 1))}.write(b)
				}
				for _, e := range l.extensions {
					e.write(b)
				}
			})
		})
		b.AddBytes(l.behind)
	})
	tbs := b.BytesOrPanic()
	signature := l.octets
	if signature == nil {
		signature = sign(t, l.by.Key, tbs)
	}
	if l.spoil {
		signature[len(signature)-1] ^= 1
	}
	var whole cryptobyte.Builder
	whole.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		algorithm(b)
		b.AddASN1BitString(signature)
	})
	return whole.BytesOrPanic()
}

func (e listed) write(b *cryptobyte.Builder) {
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		if e.raw != nil {
			b.AddBytes(tlv(2, e.raw))
		} else {
			b.AddASN1BigInt(e.serial)
		}
		since := e.since
		if since.IsZero() {
			since = noon.Add(-time.Hour)
		}
		b.AddASN1UTCTime(since)
		if len(e.extensions) > 0 {
			b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, x := range e.extensions {
					x.write(b)
				}
			})
		}
	})
}

func (e extension) write(b *cryptobyte.Builder) {
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(e.id)
		if e.critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1OctetString(e.value)
	})
}

func sign(t testing.TB, key crypto.Signer, text []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(text)
	signature, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func marshal(t testing.TB, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (l list) parsed(t testing.TB) *revocation.CRL {
	t.Helper()
	c, err := revocation.ParseCRL(l.der(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// revoking is the entry for a certificate.
func revoking(c *testca.Issued, extensions ...extension) listed {
	return listed{serial: c.Certificate.SerialNumber, extensions: extensions}
}

func reasonCode(reason byte) extension {
	return extension{id: ce(21), value: []byte{10, 1, reason}}
}

// tlv writes one element with a tag byte.
func tlv(tag byte, content ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tags.Tag(tag), func(b *cryptobyte.Builder) {
		for _, c := range content {
			b.AddBytes(c)
		}
	})
	return b.BytesOrPanic()
}

func uriName(uri string) []byte { return tlv(0x86, []byte(uri)) }

// distributionPoint is the critical extension with the given fields.
func distributionPoint(fields ...[]byte) extension {
	return extension{id: ce(28), critical: true, value: tlv(0x30, fields...)}
}

// fullName is the field distributionPoint with names.
func fullName(names ...[]byte) []byte { return tlv(0xa0, tlv(0xa0, names...)) }

var (
	onlyUsers      = []byte{0x81, 1, 0xff}
	onlyCAs        = []byte{0x82, 1, 0xff}
	indirect       = []byte{0x84, 1, 0xff}
	onlyAttributes = []byte{0x85, 1, 0xff}
)

func path(certificates ...*testca.Issued) []*x509.Certificate {
	var all []*x509.Certificate
	for _, c := range certificates {
		all = append(all, c.Certificate)
	}
	return all
}

// anchorsOf is a trust store of the CAs.
func anchorsOf(t testing.TB, stored ...*testca.Issued) []*truststore.Anchor {
	t.Helper()
	var all []*truststore.Anchor
	for _, s := range stored {
		entries, err := truststore.Parse(s.PEM())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, truststore.NewAnchor(entries[0]))
	}
	return all
}

// outcome is the verdict in a word: a status, or the reason of the refusal.
func outcome(v revocation.Verdict, err error) string {
	if err != nil {
		return decision.ReasonOf(err).String()
	}
	return v.Status.String()
}

func judged(v *revocation.View, mode revocation.Mode, certificates ...*testca.Issued) string {
	return outcome(v.Judge(path(certificates...), revocation.Policy{Mode: mode}, noon))
}

// certificateExtensions writes extensions as testca takes them.
func certificateExtensions(extensions ...extension) []pkix.Extension {
	var all []pkix.Extension
	for _, e := range extensions {
		all = append(all, pkix.Extension{Id: e.id, Critical: e.critical, Value: e.value})
	}
	return all
}

// commonName is the content of a RelativeDistinguishedName.
func commonName(t testing.TB, value string) []byte {
	t.Helper()
	return tlv(0x30, marshal(t, asn1.ObjectIdentifier{2, 5, 4, 3}), marshal(t, value))
}

// nameBelow is a name in DER with one more RelativeDistinguishedName.
func nameBelow(t testing.TB, name []byte, value string) []byte {
	t.Helper()
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(name, &raw); err != nil {
		t.Fatal(err)
	}
	return tlv(0x30, raw.Bytes, tlv(0x31, commonName(t, value)))
}
