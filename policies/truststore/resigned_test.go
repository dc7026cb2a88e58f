package truststore_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// resigned is the certificate with bytes of the fuzzer's in place of some that are
// signed, and a good signature. It is nil where that is no certificate.
func resigned(t testing.TB, c *x509.Certificate, by *testca.Issued, offset, remove uint16, insert []byte) *x509.Certificate {
	var parts struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Raw, &parts); err != nil {
		t.Fatal(err)
	}
	content := parts.TBS.Bytes
	from := min(int(offset), len(content))
	to := min(from+int(remove), len(content))
	tbs := long(0x30, mendedLengths(content, from, to, insert))
	digest := sha256.Sum256(tbs)
	signature, err := ecdsa.SignASN1(rand.Reader, by.Key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	whole := long(0x30, slices.Concat(tbs, parts.Algorithm.FullBytes, tlv(3, append([]byte{0}, signature...)...)))
	read, err := x509.ParseCertificate(whole)
	if err != nil {
		return nil
	}
	return read
}

// mendedLengths puts the bytes in place and corrects the lengths of the elements
// around them, so that what is inserted may be longer or shorter.
func mendedLengths(content []byte, from, to int, insert []byte) []byte {
	var out []byte
	for at := 0; at < len(content); {
		var element asn1.RawValue
		rest, err := asn1.Unmarshal(content[at:], &element)
		end := len(content) - len(rest)
		if err != nil || len(element.FullBytes) > 0xffff {
			break
		}
		inner := at + len(element.FullBytes) - len(element.Bytes)
		switch {
		case to <= at || from >= end: // elsewhere
			out = append(out, content[at:end]...)
		case from >= inner && to <= end && (element.IsCompound || element.Tag == asn1.TagOctetString && element.Class == asn1.ClassUniversal):
			out = append(out, tlv(content[at], mendedLengths(element.Bytes, from-inner, to-inner, insert)...)...)
		case from >= inner && to <= end:
			out = append(out, tlv(content[at], slices.Concat(element.Bytes[:from-inner], insert, element.Bytes[to-inner:])...)...)
		default:
			return slices.Concat(out, content[at:max(at, from)], insert, content[to:])
		}
		at = end
	}
	return out
}

// FuzzResigned changes a good path anywhere, and signs it anew: FuzzDifferential
// puts whole extensions in.
func FuzzResigned(f *testing.F) {
	root := selfSigned(f, ca("root"))
	inter := issue(f, root, testca.Template{CommonName: "inter", Organization: "Lab", CA: true, MaxPathLen: pointer(1)})
	leaf := issue(f, inter, testca.Template{CommonName: "leaf", Organization: "Lab", DNSNames: []string{"lab.example"}, Emails: []string{"a@lab.example"}})
	for where, c := range []*testca.Issued{root, inter, leaf} {
		text := string(c.Certificate.RawTBSCertificate)
		for _, part := range []string{"\x55\x1d\x13", "\x55\x1d\x0f", "\x55\x1d\x0e", "\x55\x1d\x23", "\x55\x1d\x25", "\x55\x1d\x11", "\x55\x04\x03", "\x17\x0d", "\x02\x01\x02"} {
			if at := strings.Index(text, part); at > 4 {
				f.Add(byte(where), uint16(at-4), uint16(len(part)), []byte(part))
				f.Add(byte(where), uint16(at-4), uint16(len(part)), []byte("\x55\x1d\x1e"))
			}
		}
		f.Add(byte(where), uint16(0), uint16(0), []byte(nil))
	}
	f.Fuzz(func(t *testing.T, where byte, offset, remove uint16, insert []byte) {
		if len(insert) > 2000 {
			return
		}
		all := [3]*x509.Certificate{root.Certificate, inter.Certificate, leaf.Certificate}
		by := [3]*testca.Issued{root, root, inter}
		if all[where%3] = resigned(t, all[where%3], by[where%3], offset, remove, insert); all[where%3] == nil {
			return
		}
		anchor := truststore.Entry{Certificate: all[0]}
		if !anchor.IsAnchor() {
			return
		}
		differ(t, truststore.NewChain(all[2], all[1:2]), []*truststore.Anchor{truststore.NewAnchor(anchor)}, time.Now())
	})
}

// FuzzSubject writes a subject as RFC 4514 has it: the binding fits the certificate
// with that subject, and none with another.
func FuzzSubject(f *testing.F) {
	leaf := selfSigned(f, testca.Template{CommonName: "leaf"})
	for _, text := range []string{"lab.example", " a ", "#0c01", `Müller, "Labor" + Söhne; <a@b.example>\`, "Ärztekammer", "a=b", "\x00", "/CN=x", "O'Neil & Sons", "検査室"} {
		f.Add(text, "Example Health Ltd", false)
		f.Add("lab", text, true)
	}
	f.Fuzz(func(t *testing.T, commonName, organization string, together bool) {
		if commonName == "" || organization == "" || !utf8.ValidString(commonName) || !utf8.ValidString(organization) || len(commonName)+len(organization) > 2000 {
			return
		}
		cn := tlv(0x30, append([]byte{6, 3, 0x55, 4, 3}, tlv(0x0c, []byte(commonName)...)...)...)
		o := tlv(0x30, append([]byte{6, 3, 0x55, 4, 10}, tlv(0x0c, []byte(organization)...)...)...)
		text, der := "CN="+escaped(commonName)+",O="+escaped(organization), tlv(0x30, slices.Concat(tlv(0x31, o...), tlv(0x31, cn...))...)
		if together {
			text, der = strings.Replace(text, ",O=", "+O=", 1), tlv(0x30, tlv(0x31, slices.Concat(cn, o)...)...)
		}
		with := func(subject []byte) *x509.Certificate {
			return changed(leaf, func(c *x509.Certificate) { c.RawSubject = subject })
		}
		bound, err := truststore.ParseBinding(truststore.SubjectDN, text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if err := bound.Check(with(der)); err != nil {
			t.Errorf("%q does not fit its own subject: %v", text, err)
		}
		for name, other := range map[string][]byte{
			"another name":      tlv(0x30, slices.Concat(tlv(0x31, o...), tlv(0x31, tlv(0x30, append([]byte{6, 3, 0x55, 4, 3}, tlv(0x0c, []byte(commonName+"x")...)...)...)...))...),
			"one RDN less":      tlv(0x30, tlv(0x31, cn...)...),
			"an RDN more":       tlv(0x30, slices.Concat(der[len(der)-len(body(der)):], tlv(0x31, o...))...),
			"another structure": tlv(0x30, slices.Concat(tlv(0x31, cn...), tlv(0x31, o...))...),
		} {
			if bound.Check(with(other)) == nil {
				t.Errorf("%q fits %s: %x", text, name, other)
			}
		}
	})
}

// escaped has every byte but letters and digits as a pair of digits (RFC 4514 2.4).
func escaped(text string) string {
	var out strings.Builder
	for i := range len(text) {
		if c := text[i]; c < 0x80 && strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.", rune(c)) {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, `\%02x`, c)
		}
	}
	return out.String()
}

func body(der []byte) []byte {
	var element asn1.RawValue
	if _, err := asn1.Unmarshal(der, &element); err != nil {
		return nil
	}
	return element.Bytes
}
