package truststore_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

func TestTerms(t *testing.T) {
	root := selfSigned(t, ca("root"))
	inter := issue(t, root, ca("inter"))
	leaf := issue(t, root, testca.Template{CommonName: "leaf"})
	under := issue(t, inter, testca.Template{CommonName: "under"})
	web := issue(t, root, testca.Template{CommonName: "web", ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	anyPurpose := truststore.Terms{AnyPurpose: true}

	for sentence, c := range map[string]struct {
		terms truststore.Terms
		leaf  *testca.Issued
		want  string
	}{
		"no bound allows an intermediate":                  {truststore.Terms{}, under, "accepted"},
		"three certificates are an intermediate":           {truststore.Terms{MaxIntermediates: pointer(1)}, under, "accepted"},
		"two certificates leave no room for one":           {truststore.Terms{MaxIntermediates: pointer(0)}, under, "path_invalid"},
		"two certificates are the leaf and its CA":         {truststore.Terms{MaxIntermediates: pointer(0)}, leaf, "accepted"},
		"a server's certificate is no client's":            {truststore.Terms{}, web, "certificate_purpose"},
		"any purpose takes a server's":                     {anyPurpose, web, "accepted"},
		"any purpose takes no CA":                          {anyPurpose, inter, "certificate_is_ca"},
		"any purpose is not any time":                      {truststore.Terms{AnyPurpose: true, At: leaf.Certificate.NotAfter.Add(time.Second)}, leaf, "certificate_expired"},
		"any purpose needs a signature of the CA all same": {anyPurpose, selfSigned(t, testca.Template{CommonName: "own"}), "path_not_found"},
	} {
		t.Run(sentence, func(t *testing.T) {
			terms := c.terms
			if terms.At.IsZero() {
				terms.At = time.Now()
			}
			err := terms.CheckLeaf(c.leaf.Certificate)
			if err == nil {
				_, err = terms.Verify(chainOf(c.leaf, inter), anchorsOf(t, root))
			}
			if got := reasonText(err); got != c.want {
				t.Errorf("%s, want %s (%v)", got, c.want, err)
			}
		})
	}
}

func TestCheckUsable(t *testing.T) {
	now := time.Now()
	for sentence, c := range map[string]struct {
		template testca.Template
		want     string
	}{
		"a CA in its time":      {testca.Template{}, "accepted"},
		"a CA that has ended":   {testca.Template{NotAfter: now.Add(-time.Minute)}, "path_expired"},
		"a CA that is to begin": {testca.Template{NotBefore: now.Add(time.Hour)}, "path_expired"},
		"a CA with a weak key":  {testca.Template{Key: newKey(t, testca.RSA1024)}, "key_weak"},
	} {
		t.Run(sentence, func(t *testing.T) {
			template := c.template
			template.CommonName, template.CA = "CA", true
			anchor := anchorsOf(t, selfSigned(t, template))[0]
			if got := reasonText(anchor.CheckUsable(now)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
