package truststore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
)

// madeByOpenSSL are CAs and certificates as people make them by hand.
const madeByOpenSSL = `
printf '[req]\ndistinguished_name=n\nx509_extensions=ca\n[n]\n[ca]\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always,issuer:always\nbasicConstraints=CA:true\nkeyUsage=cRLSign,keyCertSign\n' >easyrsa.cnf
printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n' >leaf.ext
printf 'subjectAltName=DNS:a_b.example\nauthorityKeyIdentifier=keyid\n' >underscore.ext
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n' >ca.ext
ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $ec -keyout root.key -out root.pem -subj /CN=root -days 9
openssl req -x509 $ec -keyout easyrsa.key -out easyrsa.pem -subj /CN=easyrsa -days 9 -config easyrsa.cnf
openssl req -new $ec -keyout leaf.key -out leaf.csr -subj /CN=leaf
sign() { openssl x509 -req -in leaf.csr -days 9 -CAcreateserial "$@"; }
sign -CA root.pem -CAkey root.key -out plain.pem
sign -CA root.pem -CAkey root.key -extfile leaf.ext -out extended.pem
sign -CA root.pem -CAkey root.key -extfile underscore.ext -out underscore.pem
sign -CA root.pem -CAkey root.key -extfile ca.ext -out ca.pem
sign -CA easyrsa.pem -CAkey easyrsa.key -extfile leaf.ext -out ofeasyrsa.pem
`

// TestWhatOpenSSLMakes holds docs/validation.md to what it says of openssl. Releases
// differ in whether they add an authorityKeyIdentifier of their own accord.
func TestWhatOpenSSLMakes(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("left out: %v", err)
	}
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), "sh", "-ec", madeByOpenSSL)
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	read := func(name string) truststore.Entry {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		entries, err := truststore.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return entries[0]
	}
	for leaf, c := range map[string]struct{ root, strict, compatible string }{
		"plain.pem":      {"root.pem", "as its identifier", "accepted"},
		"extended.pem":   {"root.pem", "as its identifier", "accepted"},
		"underscore.pem": {"root.pem", "path_invalid", "accepted"},
		"ca.pem":         {"root.pem", "certificate_is_ca", "certificate_is_ca"},
		"ofeasyrsa.pem":  {"easyrsa.pem", "path_invalid", "accepted"},
	} {
		certificate := read(leaf).Certificate
		if c.strict == "as its identifier" {
			c.strict = "accepted"
			if len(certificate.AuthorityKeyId) == 0 {
				c.strict = "path_invalid"
			}
		}
		var got []string
		for _, profile := range truststore.Profiles() {
			terms := truststore.Terms{At: time.Now(), Profile: profile}
			_, err := terms.Verify(truststore.NewChain(certificate, nil), []*truststore.Anchor{truststore.NewAnchor(read(c.root))})
			got = append(got, reasonText(err))
		}
		if strings.Join(got, " ") != c.strict+" "+c.compatible {
			t.Errorf("%s: %v, want %s and %s", leaf, got, c.strict, c.compatible)
		}
	}
}
