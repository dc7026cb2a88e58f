package truststore_test

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"slices"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// signedContent returns the parts of a TBSCertificate.
func signedContent(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	var tbs asn1.RawValue
	if _, err := asn1.Unmarshal(c.RawTBSCertificate, &tbs); err != nil {
		t.Fatal(err)
	}
	return tbs.Bytes
}

// crypto/x509 reads none of the extensions of these, and says nothing of it.
func TestWhatStandsWhereNothingShouldIsNotPassedOver(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true})
	inter := issue(t, root, testca.Template{CommonName: "inter", CA: true})
	leaf := issue(t, inter, testca.Template{CommonName: "leaf", ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	good := issue(t, inter, testca.Template{CommonName: "leaf"})
	written := func(of *testca.Issued, version byte, before, behind []byte) *x509.Certificate {
		t.Helper()
		content := signedContent(t, of.Certificate)
		var next []byte
		for rest := content; len(rest) > 0; {
			var part asn1.RawValue
			after, err := asn1.Unmarshal(rest, &part)
			if err != nil {
				t.Fatal(err)
			}
			switch whole := rest[:len(rest)-len(after)]; whole[0] {
			case 0xa0:
				next = append(next, 0xa0, 3, 2, 1, version-1)
			case 0xa3:
				next = append(append(next, before...), whole...)
			default:
				next = append(next, whole...)
			}
			rest = after
		}
		c := resigned(t, of.Certificate, inter, 0, uint16(len(content)), append(next, behind...))
		if c == nil {
			t.Fatal("crypto/x509 does not read it")
		}
		return c
	}
	uniqueID := []byte{0x81, 2, 0, 7}
	for sentence, c := range map[string]struct {
		leaf       *x509.Certificate
		compatible string
	}{
		"as it is issued":                                {written(good, 3, nil, nil), "accepted"},
		"and for servers only":                           {written(leaf, 3, nil, nil), "certificate_purpose"},
		"unique identifiers may be there":                {written(good, 3, uniqueID, nil), "accepted"},
		"and hide no extensions":                         {written(leaf, 3, uniqueID, nil), "certificate_purpose"},
		"in pieces they would":                           {written(leaf, 3, []byte{0xa1, 4, 3, 2, 0, 7}, nil), "certificate_malformed"},
		"an element behind the extensions":               {written(good, 3, nil, []byte{5, 0}), "certificate_malformed"},
		"extensions twice":                               {written(good, 3, nil, []byte{0xa3, 2, 0x30, 0}), "certificate_malformed"},
		"version 1 has no extensions":                    {written(leaf, 1, nil, nil), "certificate_malformed"},
		"nor has version 2":                              {written(leaf, 2, nil, nil), "certificate_malformed"},
		"nor are they read behind its unique identifier": {written(leaf, 2, uniqueID, nil), "certificate_malformed"},
	} {
		t.Run(sentence, func(t *testing.T) {
			terms := truststore.Terms{At: time.Now(), Profile: truststore.Compatible}
			_, err := terms.Verify(truststore.NewChain(c.leaf, certificates(inter)), anchorsOf(t, root))
			if got := reasonText(err); got != c.compatible {
				t.Errorf("by a path: got %s (%v), want %s", got, err, c.compatible)
			}
			_, err = truststore.Parse(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.leaf.Raw}))
			if stored := c.compatible != "certificate_malformed"; (err == nil) != stored {
				t.Errorf("in a trust store: got %v", err)
			}
			// A pin is held to it as well.
			if got := reasonText(truststore.CheckLeaf(c.leaf, terms.At)); got != c.compatible {
				t.Errorf("by a pin: got %s, want %s", got, c.compatible)
			}
		})
	}
}

func TestACAWithMoreThanItsVersionHasIssuesNothing(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "root", CA: true})
	inter := issue(t, root, testca.Template{CommonName: "inter", CA: true})
	leaf := issue(t, inter, testca.Template{CommonName: "leaf"})
	more := func(of, by *testca.Issued) *x509.Certificate {
		content := signedContent(t, of.Certificate)
		return resigned(t, of.Certificate, by, 0, uint16(len(content)), append(slices.Clone(content), 5, 0))
	}
	judge := func(anchor, ca *x509.Certificate) string {
		chain := truststore.NewChain(leaf.Certificate, []*x509.Certificate{ca})
		anchors := []*truststore.Anchor{truststore.NewAnchor(truststore.Entry{Certificate: anchor})}
		_, err := truststore.Verify(chain, anchors, time.Now())
		return reasonText(err)
	}
	if got := judge(root.Certificate, inter.Certificate); got != "accepted" {
		t.Errorf("as issued: got %s", got)
	}
	if got := judge(root.Certificate, more(inter, root)); got != "certificate_malformed" {
		t.Errorf("an intermediate: got %s", got)
	}
	if got := judge(more(root, root), inter.Certificate); got != "certificate_malformed" {
		t.Errorf("an anchor: got %s", got)
	}
}
