package truststore_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// inPlace is the certificate with an extension as if crypto/x509 had read it:
// nothing that reads extensions here may lean on crypto/x509 having done so.
func inPlace(c *x509.Certificate, extension pkix.Extension) *x509.Certificate {
	changed := *c
	changed.Extensions = append(slices.Clone(c.Extensions), extension)
	return &changed
}

// subtrees is NameConstraints as encoding/asn1 reads it.
type subtrees struct {
	Permitted []struct{ Base asn1.RawValue } `asn1:"optional,tag:0"`
	Excluded  []struct{ Base asn1.RawValue } `asn1:"optional,tag:1"`
}

func FuzzNameConstraints(f *testing.F) {
	root := selfSigned(f, ca("root"))
	leaf := issue(f, root, testca.Template{CommonName: "leaf"})
	names := [][]byte{
		tlv(0x30, tlv(0x82, []byte("*.lab.example")...)...),
		tlv(0x30, tlv(0x81, []byte("a@lab.example")...)...),
		tlv(0x30, tlv(0x86, []byte("https://lab.example/")...)...),
		tlv(0x30, tlv(0x87, 192, 0, 2, 7)...),
		tlv(0x30, tlv(0xa4, tlv(0x30)...)...),
	}
	for _, by := range []pkix.Extension{
		permits(dns("lab.example")), permits(email(".lab.example")), excludes(uri("lab.example")),
		permits(network(f, "192.0.2.0/24")), excludes(organization(f, "Acme")), permits(dns(".x")),
	} {
		for _, san := range names {
			f.Add(by.Value, san)
		}
	}
	f.Fuzz(func(t *testing.T, by, san []byte) {
		anchor := truststore.NewAnchor(truststore.Entry{Certificate: inPlace(root.Certificate, ce(30, true, by...))})
		chain := truststore.NewChain(inPlace(leaf.Certificate, ce(17, false, san...)), nil)
		_, err := truststore.Verify(chain, []*truststore.Anchor{anchor}, time.Now())
		var read subtrees
		rest, asn1Err := asn1.Unmarshal(by, &read)
		if err == nil && (asn1Err != nil || len(rest) > 0 || len(read.Permitted)+len(read.Excluded) == 0) {
			t.Errorf("accepted by constraints that are none: %x: %v", by, asn1Err)
		}
		var list []asn1.RawValue
		if rest, asn1Err := asn1.Unmarshal(san, &list); err == nil && (asn1Err != nil || len(rest) > 0) {
			t.Errorf("accepted by names that are none: %x: %v", san, asn1Err)
		}
	})
}
