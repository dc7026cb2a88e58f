package truststore_test

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

func TestTheValidityHoldsToTheSecondBothWays(t *testing.T) {
	from, to := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC), time.Date(2025, 3, 2, 12, 0, 0, 0, time.UTC)
	leaf := selfSigned(t, testca.Template{CommonName: "leaf", NotBefore: from, NotAfter: to}).Certificate
	for sentence, c := range map[string]struct {
		at   time.Time
		want string
	}{
		"a second before notBefore": {from.Add(-time.Second), "certificate_not_yet_valid"},
		"at notBefore":              {from, "accepted"},
		"a second after notBefore":  {from.Add(time.Second), "accepted"},
		"a second before notAfter":  {to.Add(-time.Second), "accepted"},
		"at notAfter":               {to, "accepted"},
		"a second after notAfter":   {to.Add(time.Second), "certificate_expired"},
		"at the zero time":          {time.Time{}, "certificate_not_yet_valid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := reasonText(truststore.CheckLeaf(leaf, c.at)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestALeafIsHeldToItsKeySignaturePurposesAndExtensions(t *testing.T) {
	hugeKey := publicOnly{&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 16383, 1), E: 65537}}
	exponent := func(e int) publicOnly {
		return publicOnly{&rsa.PublicKey{N: newKey(t, testca.RSA2048).Public().(*rsa.PublicKey).N, E: e}}
	}
	rsaCA := selfSigned(t, testca.Template{CommonName: "RSA CA", CA: true, Key: newKey(t, testca.RSA2048)})
	ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true})
	unknown := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 7}
	for sentence, c := range map[string]struct {
		by       *testca.Issued
		template testca.Template
		want     string
	}{
		"RSA 1024":                            {ca, testca.Template{Key: newKey(t, testca.RSA1024)}, "key_weak"},
		"RSA 2048":                            {ca, testca.Template{Key: rsaCA.Key}, "accepted"},
		"RSA 16384":                           {ca, testca.Template{Key: hugeKey}, "key_weak"},
		"RSA with the exponent 3":             {ca, testca.Template{Key: exponent(3)}, "accepted"},
		"RSA with the exponent 1":             {ca, testca.Template{Key: exponent(1)}, "key_weak"},
		"RSA with an even exponent":           {ca, testca.Template{Key: exponent(65536)}, "key_weak"},
		"RSA with an exponent of 31 bits":     {ca, testca.Template{Key: exponent(1<<31 - 1)}, "accepted"},
		"RSA with an exponent of 32 bits":     {ca, testca.Template{Key: exponent(1<<31 + 1)}, "key_weak"},
		"P-224":                               {ca, testca.Template{Key: newKey(t, testca.P224)}, "key_weak"},
		"P-256":                               {ca, testca.Template{}, "accepted"},
		"P-384":                               {ca, testca.Template{Key: newKey(t, testca.P384)}, "accepted"},
		"P-521":                               {ca, testca.Template{Key: newKey(t, testca.P521)}, "accepted"},
		"Ed25519":                             {ca, testca.Template{Key: newKey(t, testca.Ed25519)}, "accepted"},
		"signed with SHA-1 and RSA":           {rsaCA, testca.Template{SignatureAlgorithm: x509.SHA1WithRSA}, "signature_weak"},
		"signed with SHA-1 and ECDSA":         {ca, testca.Template{SignatureAlgorithm: x509.ECDSAWithSHA1}, "signature_weak"},
		"signed with RSA-PSS":                 {rsaCA, testca.Template{SignatureAlgorithm: x509.SHA384WithRSAPSS}, "accepted"},
		"clientAuth":                          {ca, testca.Template{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, "accepted"},
		"serverAuth and clientAuth":           {ca, testca.Template{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, "accepted"},
		"any extended key usage":              {ca, testca.Template{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}, "accepted"},
		"no extended key usage":               {ca, testca.Template{NoExtKeyUsage: true}, "accepted"},
		"serverAuth only":                     {ca, testca.Template{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, "certificate_purpose"},
		"an extended key usage unknown to us": {ca, testca.Template{ExtraExtensions: []pkix.Extension{extKeyUsage(t, unknown)}}, "certificate_purpose"},
		"an extended key usage that lists nothing": {ca, testca.Template{ExtraExtensions: []pkix.Extension{extKeyUsage(t)}}, "certificate_purpose"},
		"no key usage":                              {ca, testca.Template{KeyUsage: pointer(x509.KeyUsage(0))}, "accepted"},
		"key usage without digitalSignature":        {ca, testca.Template{KeyUsage: pointer(x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement)}, "certificate_purpose"},
		"a key usage of no bits":                    {ca, testca.Template{ExtraExtensions: []pkix.Extension{emptyKeyUsage(t)}}, "certificate_purpose"},
		"an unknown critical extension":             {ca, testca.Template{ExtraExtensions: []pkix.Extension{{Id: unknown, Critical: true, Value: []byte{5, 0}}}}, "critical_extension_unknown"},
		"an unknown extension that is not critical": {ca, testca.Template{ExtraExtensions: []pkix.Extension{{Id: unknown, Value: []byte{5, 0}}}}, "accepted"},
	} {
		t.Run(sentence, func(t *testing.T) {
			c.template.CommonName = "leaf"
			leaf := issue(t, c.by, c.template).Certificate
			if got := reasonText(truststore.CheckLeaf(leaf, time.Now())); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func extKeyUsage(t testing.TB, usages ...asn1.ObjectIdentifier) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal(usages)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: value}
}

func TestCertificatesMadeByOpenSSL(t *testing.T) {
	for file, want := range map[string]string{
		"md5.pem":           "signature_weak",
		"dsa.pem":           "key_unsupported",
		"signed-by-dsa.pem": "signature_weak",
		"names/seed.pem":    "accepted",
	} {
		t.Run(file, func(t *testing.T) {
			leaf := certificateFile(t, file)
			if got := reasonText(truststore.CheckLeaf(leaf, leaf.NotBefore)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestTheSeedsCertificateIsAGoodLeaf(t *testing.T) {
	seed, err := testca.LikeOpenSSL("My Integration Client", "My Organization")
	if err != nil {
		t.Fatal(err)
	}
	if err := truststore.CheckLeaf(seed.Certificate, time.Now()); err != nil {
		t.Error(err)
	}
}
