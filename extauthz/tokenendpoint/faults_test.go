package tokenendpoint_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
)

// The faults are those of reference/medplum.md, by number; what a token is bound
// to is tested where tokens come back, at the gateway.

func TestMedplumFault09_AClientNeedsNoSecret(t *testing.T) {
	leaf, err := testca.LikeOpenSSL("My Integration Client", "Example")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, nil)
	s.put(t, "lab-partner", map[string]any{"name": "My Integration Client", "certificateTrustStore": string(leaf.PEM())})
	if got := do(t, s, leaf, tokenendpoint.TokenPath, grant("lab-partner")); got.status != http.StatusOK {
		t.Errorf("%s", got.inWords())
	}
}

func TestMedplumFault11_AnAnswerDoesNotTellWhichClientsThereAre(t *testing.T) {
	leaf, expired := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "lab", NotAfter: time.Now().Add(-time.Minute)})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	s.pin(t, "expired", expired, nil)
	unknown := do(t, s, leaf, tokenendpoint.TokenPath, grant("nobody"))
	for sentence, got := range map[string]answer{
		"another's certificate": do(t, s, leaf, tokenendpoint.TokenPath, grant("expired")),
		"one that has expired":  do(t, s, expired, tokenendpoint.TokenPath, grant("expired")),
		"none":                  do(t, s, nil, tokenendpoint.TokenPath, grant("lab-partner")),
	} {
		if got.inWords() != "Unauthorized invalid_client" || got.body != unknown.body || got.status != unknown.status {
			t.Errorf("%s: %s %q, of an unknown client %s %q", sentence, got.inWords(), got.body, unknown.inWords(), unknown.body)
		}
	}
}

func TestMedplumFault13_AScopeThatIsNotTheClientsIsNotGranted(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, map[string]any{"scope": []string{"system/Patient.rs"}})
	for _, scope := range []string{"system/*.*", "system/Patient.rs system/*.*"} {
		if got := do(t, s, leaf, tokenendpoint.TokenPath, grant("lab-partner", "scope", scope)); got.inWords() != "Bad Request invalid_scope" {
			t.Errorf("%s: %s", scope, got.inWords())
		}
	}
}

func TestMedplumFault14_BesideAPasswordNoCertificateIsIgnored(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, func(c *tokenendpoint.Config) { c.IgnoreSecrets = true })
	s.pin(t, "lab-partner", leaf, nil)
	request := asked(t, leaf, tokenendpoint.TokenPath, grant("lab-partner").Encode())
	request.SetBasicAuth("lab-partner", "wrong")
	if got := serve(t, s, request); got.inWords() != "Unauthorized invalid_client" {
		t.Errorf("%s", got.inWords())
	}
}
