package policies_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies"
)

// twinOf writes a certificate anew with the other signature that the CA's key has
// for it, as anybody can.
func twinOf(t *testing.T, of, by *testca.Issued) *testca.Issued {
	t.Helper()
	var parts struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	var numbers struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(of.Certificate.Raw, &parts); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(parts.Signature.Bytes, &numbers); err != nil {
		t.Fatal(err)
	}
	numbers.S.Sub(by.Certificate.PublicKey.(*ecdsa.PublicKey).Params().N, numbers.S)
	octets, err := asn1.Marshal(numbers)
	if err != nil {
		t.Fatal(err)
	}
	parts.Signature = asn1.BitString{Bytes: octets, BitLength: 8 * len(octets)}
	der, err := asn1.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := certificate.CheckSignatureFrom(by.Certificate); err != nil || certificate.Equal(of.Certificate) {
		t.Fatalf("not another certificate of the CA: %v", err)
	}
	return &testca.Issued{Certificate: certificate, Key: of.Key}
}

// Whoever has a certificate of an ECDSA key can write it with another thumbprint. It
// is to be no way past the client that pins it.
func TestAPinnedCertificateWrittenAnewIsNobodyElses(t *testing.T) {
	for curve, kind := range map[string]testca.KeyKind{"P-256": testca.P256, "P-384": testca.P384, "P-521": testca.P521} {
		root := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, kind)})
		lab := issue(t, root, leaf("lab"))
		anew := twinOf(t, lab, root)
		trusts := func(all ...*testca.Issued) fields { return fields{"certificateTrustStore": store(all...)} }
		off := trusts(lab)
		off["status"] = "off"
		for sentence, c := range map[string]struct {
			clients clients
			hint    policies.Hint
			want    string
		}{
			"it is no way past a client that is off":               {clients{"chain": trusts(root), "pin": off}, policies.Hint{}, "pin refuses: client_inactive"},
			"nor to another client from one that is active":        {clients{"chain": trusts(root), "pin": trusts(lab)}, policies.Hint{}, "pin refuses: certificate_not_pinned"},
			"nor where the route names another":                    {clients{"chain": trusts(root), "pin": off}, policies.Hint{Route: "chain"}, "refused: client_conflict"},
			"nor past two clients that pin it":                     {clients{"a": trusts(lab), "b": trusts(lab), "chain": trusts(root)}, policies.Hint{}, "refused: client_ambiguous"},
			"the client that pins it may accept it by its CA":      {clients{"pin": trusts(lab, root)}, policies.Hint{}, "pin by chain"},
			"one that is itself pinned is that client's":           {clients{"a": trusts(lab), "b": trusts(anew)}, policies.Hint{}, "b by pin"},
			"it is good by chain where nobody pins it":             {clients{"chain": trusts(root)}, policies.Hint{}, "chain by chain"},
			"a caller that names itself is judged by itself alone": {clients{"chain": trusts(root), "pin": trusts(lab)}, policies.Hint{Parameter: "chain"}, "chain by chain"},
		} {
			if got := decide(snapshotOf(t, c.clients), chainOf(anew), c.hint, time.Now()); got != c.want {
				t.Errorf("%s, %s: got %s, want %s", curve, sentence, got, c.want)
			}
		}
	}
}

func TestTheDenialSaysWhichPinWasWrittenAnew(t *testing.T) {
	root := selfSigned(t, ca("root"))
	lab, other := issue(t, root, leaf("lab")), issue(t, root, leaf("other"))
	pin := client(t, "pin", fields{"certificateTrustStore": store(lab)})
	for presented, want := range map[*testca.Issued]bool{twinOf(t, lab, root): true, other: false} {
		_, err := pin.Judge(snapshotOf(t, nil), chainOf(presented), nil, time.Now(), nil)
		if err == nil || strings.Contains(err.Error(), "with another signature") != want {
			t.Errorf("%s: got %v", presented.Certificate.Subject, err)
		}
	}
}

// What follows the signature, and bits to spare in it, are other encodings still.
func TestACertificateWithMoreBehindItIsNobodys(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true, Key: newKey(t, testca.P256)})
	lab := issue(t, root, leaf("lab"))
	var parts struct{ TBS, Algorithm, Signature asn1.RawValue }
	if _, err := asn1.Unmarshal(lab.Certificate.Raw, &parts); err != nil {
		t.Fatal(err)
	}
	written := func(signature asn1.RawValue, more ...asn1.RawValue) *testca.Issued {
		t.Helper()
		der, err := asn1.Marshal(append([]asn1.RawValue{parts.TBS, parts.Algorithm, signature}, more...))
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := certificate.CheckSignatureFrom(root.Certificate); err != nil {
			t.Fatal(err)
		}
		return &testca.Issued{Certificate: certificate}
	}
	// A bit to the left, and one less: the first one is none, for a SEQUENCE begins so.
	shifted := asn1.RawValue{Tag: asn1.TagBitString, Bytes: []byte{1}}
	content := parts.Signature.Bytes[1:]
	for i, octet := range content {
		next := byte(0)
		if i+1 < len(content) {
			next = content[i+1] >> 7
		}
		shifted.Bytes = append(shifted.Bytes, octet<<1|next)
	}
	for sentence, c := range map[string]struct {
		of   *testca.Issued
		want string
	}{
		"as it was issued":             {written(parts.Signature), "chain by chain"},
		"with an element behind it":    {written(parts.Signature, asn1.NullRawValue), "chain refuses: certificate_malformed"},
		"with a second signature":      {written(parts.Signature, parts.Signature), "chain refuses: certificate_malformed"},
		"with a signature to the left": {written(shifted), "chain refuses: certificate_malformed"},
	} {
		s := snapshotOf(t, clients{"chain": {"certificateTrustStore": store(root)}})
		if got := decide(s, chainOf(c.of), policies.Hint{}, time.Now()); got != c.want {
			t.Errorf("%s: got %s, want %s", sentence, got, c.want)
		}
	}
}
