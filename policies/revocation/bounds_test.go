package revocation_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/revocation"
)

// A list is read entry by entry, some microseconds each: one of as many entries as a
// location may care to send would take minutes.
func TestAListIsRefusedByItsSizeBeforeAnyEntryIsRead(t *testing.T) {
	const size = 64 << 20
	ca := newCA(t, "CA")
	entry := tlv(0x30, tlv(2, []byte{1}), tlv(0x17, []byte("260101000000Z")))
	algorithm := tlv(0x30, marshal(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}))
	der := large(0x30, large(0x30,
		tlv(2, []byte{1}), algorithm, ca.Certificate.RawSubject,
		tlv(0x17, []byte("260101000000Z")), tlv(0x17, []byte("270101000000Z")),
		large(0x30, bytes.Repeat(entry, size/len(entry))),
		tlv(0xa0, tlv(0x30, tlv(0x30, marshal(t, asn1.ObjectIdentifier(ce(20))), tlv(4, []byte{2, 1, 1})))),
	), algorithm, tlv(3, []byte{0, 1}))
	if _, err := revocation.ParseCRL(der); err == nil || !strings.Contains(err.Error(), "bytes, more than") {
		t.Errorf("a list of %d bytes: %v", len(der), err)
	}
}

// large is tlv for content of 16 to 256 MiB.
func large(tag byte, content ...[]byte) []byte {
	length := 0
	for _, c := range content {
		length += len(c)
	}
	head := binary.BigEndian.AppendUint32([]byte{tag, 0x84}, uint32(length))
	return slices.Concat(append([][]byte{head}, content...)...)
}

// What each of these would take without its bound is in docs/security-model.md, for an
// input that is larger than what can be presented or fetched.
func TestEachBoundOfAJudgementHoldsWhereWithoutItItWouldTakeSeconds(t *testing.T) {
	root := newCA(t, "CA")
	leaf := issue(t, root, crldp(pointAt(uriName("http://a/"))))
	for sentence, build := range map[string]func() (lists []*revocation.CRL, answers []*revocation.Answer, certificates []*x509.Certificate){
		"the signatures of lists": func() ([]*revocation.CRL, []*revocation.Answer, []*x509.Certificate) {
			// As dear as RSA keys are: 8192 bits and a large exponent.
			dear := *root.Certificate
			dear.PublicKeyAlgorithm = x509.RSA
			dear.PublicKey = &rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 8192), big.NewInt(1)), E: 1<<31 - 1}
			var lists []*revocation.CRL
			for i := range 1000 {
				lists = append(lists, list{by: root, number: int64(i + 1), octets: bytes.Repeat([]byte{1}, 1024)}.parsed(t))
			}
			return lists, nil, []*x509.Certificate{leaf.Certificate, &dear}
		},
		"the names of distribution points": func() ([]*revocation.CRL, []*revocation.Answer, []*x509.Certificate) {
			return parts(t, root, 500), nil, append([]*x509.Certificate{leaf.Certificate}, slices.Repeat([]*x509.Certificate{root.Certificate}, 1000)...)
		},
		"the lists that an OCSP responder may be on": func() ([]*revocation.CRL, []*revocation.Answer, []*x509.Certificate) {
			responder := issue(t, root, testca.Template{CommonName: "responder", ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}})
			one := answer{about: leaf, issuer: root, signer: responder}.parsed(t)
			return parts(t, root, 500), slices.Repeat([]*revocation.Answer{one}, 100_000), path(leaf, root)
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			lists, answers, certificates := build()
			_, err := revocation.NewView(nil, lists, answers).Judge(certificates, revocation.Policy{Mode: revocation.Soft}, noon)
			if got := outcome(revocation.Verdict{}, err); got != "path_too_complex" {
				t.Errorf("got %s (%v)", got, err)
			}
		})
	}
}

// parts are lists for 64 points each, whose signer is known.
func parts(t testing.TB, ca *testca.Issued, count int) []*revocation.CRL {
	t.Helper()
	var all []*revocation.CRL
	for i := range count {
		var names [][]byte
		for j := range 64 {
			names = append(names, uriName(fmt.Sprintf("http://b/%d/%d", i, j)))
		}
		parsed := list{by: ca, extensions: []extension{distributionPoint(fullName(names...))}}.parsed(t)
		if err := parsed.SignedBy(ca.Certificate); err != nil {
			t.Fatal(err)
		}
		all = append(all, parsed)
	}
	return all
}
