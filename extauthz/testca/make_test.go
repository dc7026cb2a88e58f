package testca_test

import (
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func selfSigned(t *testing.T, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := testca.SelfSigned(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func issue(t *testing.T, issuer *testca.Issued, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := issuer.Issue(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func ca(t *testing.T) *testca.Issued {
	t.Helper()
	return selfSigned(t, testca.Template{CommonName: "Root", CA: true})
}
