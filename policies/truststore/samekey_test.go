package truststore_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// keyInfo is SubjectPublicKeyInfo (RFC 5280 4.1).
type keyInfo struct {
	Algorithm asn1.RawValue
	Key       asn1.BitString
}

// unusedBit writes the key's octets one bit to the left, with one bit unused.
// The first bit of an EC or RSA key is 0.
func unusedBit(t testing.TB, info keyInfo) keyInfo {
	t.Helper()
	octets := info.Key.Bytes
	shifted := make([]byte, len(octets))
	for i := range octets {
		shifted[i] = octets[i] << 1
		if i+1 < len(octets) {
			shifted[i] |= octets[i+1] >> 7
		}
	}
	info.Key = asn1.BitString{Bytes: shifted, BitLength: 8*len(shifted) - 1}
	return info
}

// moreInKey has an element behind modulus and exponent.
func moreInKey(t testing.TB, info keyInfo) keyInfo {
	t.Helper()
	var numbers []asn1.RawValue
	if _, err := asn1.Unmarshal(info.Key.Bytes, &numbers); err != nil {
		t.Fatal(err)
	}
	octets := marshal(t, append(numbers, asn1.NullRawValue))
	info.Key = asn1.BitString{Bytes: octets, BitLength: 8 * len(octets)}
	return info
}

// moreInAlgorithm has an element behind the algorithm's parameters.
func moreInAlgorithm(t testing.TB, info keyInfo) keyInfo {
	t.Helper()
	var parts []asn1.RawValue
	if _, err := asn1.Unmarshal(info.Algorithm.FullBytes, &parts); err != nil {
		t.Fatal(err)
	}
	info.Algorithm = asn1.RawValue{FullBytes: marshal(t, append(parts, asn1.NullRawValue))}
	return info
}

func marshal(t testing.TB, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// withKeyInfo is the certificate with its key written another way. Its
// signature no longer fits, which nobody asks of an anchor.
func withKeyInfo(t testing.TB, c *x509.Certificate, change func(testing.TB, keyInfo) keyInfo) *x509.Certificate {
	t.Helper()
	var info keyInfo
	var parts, fields []asn1.RawValue
	for from, into := range map[*[]byte]any{&c.RawSubjectPublicKeyInfo: &info, &c.Raw: &parts, &c.RawTBSCertificate: &fields} {
		if _, err := asn1.Unmarshal(*from, into); err != nil {
			t.Fatal(err)
		}
	}
	for i := range fields {
		if bytes.Equal(fields[i].FullBytes, c.RawSubjectPublicKeyInfo) {
			fields[i] = asn1.RawValue{FullBytes: marshal(t, change(t, info))}
		}
	}
	parts[0] = asn1.RawValue{FullBytes: marshal(t, fields)}
	changed, err := x509.ParseCertificate(marshal(t, parts))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(changed.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo) {
		t.Fatal("the key is written as before")
	}
	return changed
}

func TestAKeyThatIsWrittenAnotherWayMakesNoOtherCA(t *testing.T) {
	for sentence, c := range map[string]struct {
		key    testca.KeyKind
		change func(testing.TB, keyInfo) keyInfo
	}{
		"EC, with an unused bit":               {testca.P256, unusedBit},
		"RSA, with an unused bit":              {testca.RSA2048, unusedBit},
		"RSA, with more than the key needs":    {testca.RSA2048, moreInKey},
		"RSA, with more behind the parameters": {testca.RSA2048, moreInAlgorithm},
	} {
		t.Run(sentence, func(t *testing.T) {
			root := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: newKey(t, c.key)})
			changed := withKeyInfo(t, root.Certificate, c.change)
			if truststore.NewAnchor(truststore.Entry{Certificate: changed}).ID != anchorsOf(t, root)[0].ID {
				t.Error("one subject and one key: want one ID")
			}
			_, err := truststore.Parse(append(root.PEM(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: changed.Raw})...))
			var block *truststore.BlockError
			if !errors.As(err, &block) || block.Block != 2 || block.Problem != "a malformed certificate: its public key is encoded in a way that no CA encodes it: one key could pass for two" {
				t.Errorf("Parse = %v, want the key's encoding refused in block 2", err)
			}
		})
	}
}

// RFC 5280 7.1: a name is the same in another string type.
func TestTheNameOfACAInAnotherStringTypeIsTheSameCA(t *testing.T) {
	key := newKey(t, testca.P256)
	printable := selfSigned(t, testca.Template{CommonName: "CA", CA: true, Key: key})
	raw := bytes.Replace(printable.Certificate.RawTBSCertificate, []byte{asn1.TagPrintableString, 2, 'C', 'A'}, []byte{asn1.TagUTF8String, 2, 'C', 'A'}, 2)
	var parts []asn1.RawValue
	if _, err := asn1.Unmarshal(printable.Certificate.Raw, &parts); err != nil {
		t.Fatal(err)
	}
	parts[0] = asn1.RawValue{FullBytes: raw}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: marshal(t, parts)})
	entries, err := truststore.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	utf8 := truststore.NewAnchor(entries[0])
	if utf8.Certificate.Subject.String() != "CN=CA" || bytes.Equal(utf8.Certificate.RawSubject, printable.Certificate.RawSubject) {
		t.Fatal("the name is not the same in another string type")
	}
	if utf8.ID != anchorsOf(t, printable)[0].ID {
		t.Error("one name and one key: want one ID")
	}
	leaf := issue(t, printable, testca.Template{CommonName: "leaf"})
	if _, err := truststore.Verify(chainOf(leaf), []*truststore.Anchor{utf8}, leaf.Certificate.NotBefore); err != nil {
		t.Error(err)
	}
}
