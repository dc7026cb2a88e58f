package revocation_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// FuzzJudge has a CA sign whatever stands where its list has entries: a certificate
// that crypto/x509 finds in it is never vouched for.
func FuzzJudge(f *testing.F) {
	ca := newCA(f, "CA")
	leaf := issue(f, ca, testca.Template{CommonName: "leaf"})
	entry := func(serial []byte, extensions ...byte) []byte {
		return tlv(0x30, append(append(tlv(2, serial), tlv(0x17, []byte("260101000000Z"))...), extensions...))
	}
	reason := func(code byte) []byte {
		return tlv(0x30, tlv(0x30, []byte{6, 3, 0x55, 0x1d, 0x15, 4, 3, 0x0a, 1, code}))
	}
	for _, entries := range [][]byte{
		entry([]byte{1}), entry([]byte{0x00, 0x80}), bytes.Join([][]byte{entry([]byte{1}), entry([]byte{2}), entry([]byte{1})}, nil),
		entry(bytes.Repeat([]byte{0x7f}, 20)), entry([]byte{1}, reason(1)...), entry([]byte{1}, reason(6)...), entry([]byte{1}, reason(8)...),
		entry([]byte{0x80}), entry([]byte{1}, tlv(0x30, tlv(0x30, []byte{6, 3, 0x55, 0x1d, 0x63, 1, 1, 0xff, 4, 0}))...),
	} {
		f.Add(entries)
	}
	f.Fuzz(func(t *testing.T, entries []byte) {
		if len(entries) > 4096 {
			return
		}
		der := list{by: ca, written: entries}.der(t)
		parsed, err := revocation.ParseCRL(der)
		if err != nil {
			return
		}
		if err := parsed.SignedBy(ca.Certificate); err != nil {
			t.Fatalf("its CA signed it: %v", err)
		}
		other, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatalf("crypto/x509 refuses it: %v", err)
		}
		view := revocation.NewView(nil, []*revocation.CRL{parsed}, nil)
		for _, revoked := range other.RevokedCertificateEntries {
			c := *leaf.Certificate
			c.SerialNumber = revoked.SerialNumber
			verdict, err := view.Judge([]*x509.Certificate{&c, ca.Certificate}, revocation.Policy{Mode: revocation.Hard}, noon)
			if err == nil {
				t.Errorf("%x is in the list, and is %v", revoked.SerialNumber, verdict.Status)
			}
		}
		absent := *leaf.Certificate
		absent.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 250)
		first, firstErr := view.Judge([]*x509.Certificate{&absent, ca.Certificate}, revocation.Policy{Mode: revocation.Hard}, noon)
		again, againErr := view.Judge([]*x509.Certificate{&absent, ca.Certificate}, revocation.Policy{Mode: revocation.Hard}, noon)
		if first.Status != again.Status || (firstErr == nil) != (againErr == nil) {
			t.Errorf("one list, and two verdicts: %v %v, %v %v", first.Status, firstErr, again.Status, againErr)
		}
	})
}

// FuzzParseCRLs reads files of lists: what is read reads again, one list for each
// block.
func FuzzParseCRLs(f *testing.F) {
	ca := newCA(f, "CA")
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list{by: ca, entries: []listed{{serial: big.NewInt(1)}}}.der(f)})
	for _, text := range [][]byte{
		block, bytes.Repeat(block, 3), bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n")), block[:len(block)/2], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate.Raw}),
		append([]byte("Issuer: CN=CA\n"), block...), bytes.Replace(block, []byte("X509 CRL"), []byte("CRL"), 2), list{by: ca}.der(f), []byte("-----BEGIN X509 CRL-----\n"), nil,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lists, err := revocation.ParseCRLs(text)
		if err != nil {
			return
		}
		if blocks := bytes.Count(text, []byte("-----BEGIN X509 CRL-----")); bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----")) && len(lists) != blocks {
			t.Errorf("%d lists in %d blocks", len(lists), blocks)
		}
		if again, err := revocation.ParseCRLs(append(bytes.Clone(text), '\n')); bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----")) && (err != nil || len(again) != len(lists)) {
			t.Errorf("with a line more: %d lists, %v", len(again), err)
		}
	})
}
