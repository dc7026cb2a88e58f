package truststore_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/policies/truststore"
)

// Whoever copies the subject that is shown into tlsClientAuth binds the client to it.
func TestTheSubjectThatIsShownBindsTheCertificate(t *testing.T) {
	files, err := filepath.Glob("testdata/names/*.pem")
	if err != nil || len(files) < 13 {
		t.Fatalf("%d names, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pem")
		certificate := certificateFile(t, "names/"+name+".pem")
		want := "accepted"
		if name == "t61" { // has no one reading, and so is no text to bind to
			want = "subject_mismatch"
		}
		shown := truststore.SubjectOf(certificate)
		if got := reasonText(binding(t, truststore.SubjectDN, shown).Check(certificate)); got != want {
			t.Errorf("%s: shown as %q: got %s, want %s", name, shown, got, want)
		}
	}
}

func TestNamesAreWrittenInTheirOwnOrder(t *testing.T) {
	for name, want := range map[string]string{
		"seed":        "O=My Organization,CN=My Integration Client",
		"printable":   "CN=lab-partner,O=Acme,C=DE",
		"multivalued": "L=Köln,OU=Sales+CN=J. Smith+UID=jsmith,DC=example,DC=org",
		"escapes":     `CN=\#first \\ last\ ,O=Acme\, Inc. \+ Sons\; \"north\" \<a=b\>`,
		"unknownoid":  "CN=oid,1.3.6.1.4.1.55555.1=#1303616263",
	} {
		if got := truststore.SubjectOf(certificateFile(t, "names/"+name+".pem")); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", name, got, want)
		}
	}
}

func TestANameThatWasReadFromNothingIsWrittenToo(t *testing.T) {
	made := &x509.Certificate{Subject: pkix.Name{CommonName: "lab", Organization: []string{"Lab"}}}
	if got := truststore.SubjectOf(made); got != "CN=lab,O=Lab" {
		t.Error(got)
	}
	if got := truststore.IssuerOf(made); got != "" {
		t.Error(got)
	}
}
