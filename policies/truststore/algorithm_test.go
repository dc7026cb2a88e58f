package truststore_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// Identifiers of algorithms, as they stand in a certificate.
var (
	rsaEncryption = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
	rsassaPSS     = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")
	rsaesOAEP     = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07")
	withSHA256    = []byte("\x2a\x86\x48\xce\x3d\x04\x03\x02")
	withUnknown   = []byte("\x2a\x86\x48\xce\x3d\x04\x03\x63")
	pssOfSHA256   = []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x01")
	pssOfSHA224   = []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x04")
)

// keyOfKind is the certificate with its RSA key said to be of another kind, and a
// good signature of its issuer.
func keyOfKind(t testing.TB, c, by *testca.Issued, kind []byte) *x509.Certificate {
	t.Helper()
	head := len(c.Certificate.RawTBSCertificate) - len(body(c.Certificate.RawTBSCertificate))
	at := bytes.Index(c.Certificate.RawTBSCertificate, rsaEncryption) - head
	return resigned(t, c.Certificate, by, uint16(at), uint16(len(kind)), kind)
}

// replaced is the certificate with one algorithm in place of another, and the
// signature that was made for the first.
func replaced(t testing.TB, c *testca.Issued, from, to []byte) *x509.Certificate {
	t.Helper()
	read, err := x509.ParseCertificate(bytes.ReplaceAll(c.Certificate.Raw, from, to))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestADenialNamesTheAlgorithmThatIsNotAccepted(t *testing.T) {
	root := selfSigned(t, ca("root"))
	rsaKey := newKey(t, testca.RSA2048)
	rsaRoot := selfSigned(t, testca.Template{CommonName: "rsa root", CA: true, Key: rsaKey})
	keyed := issue(t, root, testca.Template{CommonName: "leaf", Key: rsaKey})
	for sentence, c := range map[string]struct {
		leaf *x509.Certificate
		want string
	}{
		"a key that is kept to RSA-PSS": {keyOfKind(t, keyed, root, rsassaPSS), `key_unsupported: certificate "CN=leaf": an RSA key for RSA-PSS only; RSA, EC and Ed25519 are accepted`},
		"a key of a kind without name":  {keyOfKind(t, keyed, root, rsaesOAEP), `key_unsupported: certificate "CN=leaf": a key of the kind 1.2.840.113549.1.1.7; RSA, EC and Ed25519 are accepted`},
		"RSA-PSS with another hash": {replaced(t, issue(t, rsaRoot, testca.Template{CommonName: "leaf", SignatureAlgorithm: x509.SHA256WithRSAPSS}), pssOfSHA256, pssOfSHA224),
			`signature_weak: certificate "CN=leaf": signed with RSA-PSS of other parameters than SHA-256, SHA-384 or SHA-512 has, which is not accepted`},
		"a signature without name": {replaced(t, issue(t, root, with()), withSHA256, withUnknown), `signature_weak: certificate "CN=leaf": signed with the algorithm 1.2.840.10045.4.3.99, which is not accepted`},
	} {
		if err := truststore.CheckLeaf(c.leaf, time.Now()); err == nil || err.Error() != c.want {
			t.Errorf("%s\ngot  %v\nwant %s", sentence, err, c.want)
		}
	}
}

// A CA whose key is kept to RSA-PSS may have signed what is so signed, and nothing here
// reads the key: that is no other key. What is signed otherwise it did not sign.
func TestACAWhoseKeyIsKeptToPSSIsNamed(t *testing.T) {
	root := selfSigned(t, ca("root"))
	inter := issue(t, root, testca.Template{CommonName: "inter", CA: true, Key: newKey(t, testca.RSA2048)})
	kept := keyOfKind(t, inter, root, rsassaPSS)
	for algorithm, want := range map[x509.SignatureAlgorithm]string{
		x509.SHA256WithRSAPSS: `key_unsupported: certificate "CN=inter": an RSA key for RSA-PSS only; RSA, EC and Ed25519 are accepted`,
		x509.SHA256WithRSA:    `path_not_found: certificate "CN=leaf": no signature leads to it from 1 CA of the trust store`,
	} {
		leaf := issue(t, inter, testca.Template{CommonName: "leaf", SignatureAlgorithm: algorithm})
		_, err := truststore.Verify(truststore.NewChain(leaf.Certificate, []*x509.Certificate{kept}), anchorsOf(t, root), time.Now())
		if err == nil || err.Error() != want {
			t.Errorf("signed by %s\ngot  %v\nwant %s", algorithm, err, want)
		}
		chain := truststore.NewChain(leaf.Certificate, []*x509.Certificate{kept, inter.Certificate})
		if _, err := truststore.Verify(chain, anchorsOf(t, root), time.Now()); err != nil {
			t.Errorf("signed by %s, beside the same CA with a key that can be read: %v", algorithm, err)
		}
	}
}

// The attributes of a long subject have the names that those of a short one have.
func TestALongSubjectIsShownAsAShortOneIs(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "leaf"})
	mailbox := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "a@lab.example"}
	unit := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: "Lab"}
	long := changed(leaf, func(c *x509.Certificate) {
		c.Subject.Names = append(slices.Repeat([]pkix.AttributeTypeAndValue{unit}, 8), mailbox)
	})
	if got := truststore.NameOf(long); !strings.HasPrefix(got, "emailAddress=a@lab.example,OU=Lab,") || !strings.HasSuffix(got, ",OU=Lab,…") {
		t.Error(got)
	}
}
