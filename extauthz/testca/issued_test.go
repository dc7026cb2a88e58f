package testca_test

import (
	"bytes"
	"crypto/x509"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestIssueSignsWithTheIssuersKey(t *testing.T) {
	root := ca(t)
	inter := issue(t, root, testca.Template{CommonName: "Intermediate", CA: true})
	leaf := issue(t, inter, testca.Template{CommonName: "lab"})

	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root.Certificate)
	intermediates.AddCert(inter.Certificate)
	opts := x509.VerifyOptions{Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := leaf.Certificate.Verify(opts); err != nil {
		t.Error(err)
	}
	if leaf.Issuer != inter || inter.Issuer != root || root.Issuer != nil {
		t.Error("the issuers are not leaf, intermediate, root")
	}
}

func TestIssueByACertificateThatIsNoCA(t *testing.T) {
	leaf := issue(t, ca(t), testca.Template{CommonName: "lab"})
	below := issue(t, leaf, testca.Template{CommonName: "below"}).Certificate
	signer := leaf.Certificate
	if err := signer.CheckSignature(below.SignatureAlgorithm, below.RawTBSCertificate, below.Signature); err != nil {
		t.Error(err)
	}
}

func TestIssueByASameNamedCANamesItsKey(t *testing.T) {
	root := ca(t)
	namesake := issue(t, root, testca.Template{CommonName: "Root"}).Certificate
	if !bytes.Equal(namesake.AuthorityKeyId, root.Certificate.SubjectKeyId) {
		t.Errorf("authority key id %x, want the issuer's %x", namesake.AuthorityKeyId, root.Certificate.SubjectKeyId)
	}
}

func TestIssueWithSHA1(t *testing.T) {
	key, err := testca.NewKey(testca.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []x509.SignatureAlgorithm{x509.SHA1WithRSA, x509.SHA256WithRSAPSS} {
		root := selfSigned(t, testca.Template{CommonName: "Root", CA: true, Key: key, SignatureAlgorithm: alg})
		if got := root.Certificate.SignatureAlgorithm; got != alg {
			t.Errorf("signed with %v, want %v", got, alg)
		}
	}
}
