package extauthz_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokens"
)

// handingOn has a route of each kind, of which some hand the certificate on.
func handingOn(t *testing.T, remove ...string) *site {
	t.Helper()
	of := func(path string, access extauthz.Access, inbound extauthz.InboundAuthorization) extauthz.Route {
		r := extauthz.Route{Name: path[1:], Match: extauthz.Match{PathPrefix: path}, Access: access, Inbound: inbound}
		if access == extauthz.AccessCertificate {
			r.Audience, r.Inject.Typ = audience, tokens.TypAccessToken
		}
		return r
	}
	given := of("/given", extauthz.AccessCertificate, extauthz.InboundReplace)
	passing := of("/passing", extauthz.AccessCertificate, extauthz.InboundPass)
	given.Inject.ClientCert, passing.Inject.ClientCert = true, true
	s := newSite(t, func(c *extauthz.Config) {
		c.RemoveHeaders = remove
		c.Routes = newRoutes(t, given, passing, of("/public", extauthz.AccessPublic, extauthz.InboundReplace), apiRoute())
	})
	return s
}

func TestAnUpstreamIsGivenTheProvenCertificateWhereItIsToHaveIt(t *testing.T) {
	leaf, victim := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "victim"})
	proven := ":" + base64.StdEncoding.EncodeToString(leaf.Certificate.Raw) + ":"
	forged := ":" + base64.StdEncoding.EncodeToString(victim.Certificate.Raw) + ":"
	for sentence, test := range map[string]struct {
		from          *testca.Issued
		path          string
		authorization string
		reason        string
		set           string // of Client-Cert
	}{
		"with the token": {leaf, "/given", "", "allowed", proven},
		"where a foreign Authorization could pass":     {leaf, "/passing", "", "allowed", proven},
		"but not beside a foreign Authorization":       {leaf, "/passing", "Basic b3duOm93bg==", "allowed_foreign", ""},
		"but not on a route that does not say so":      {leaf, "/x", "", "allowed", ""},
		"but not on a public route, with one":          {leaf, "/public", "", "allowed_public", ""},
		"but not on a public route, without one":       {nil, "/public", "", "allowed_public", ""},
		"but not where the certificate is a strangers": {victim, "/given", "", "client_unknown", ""},
		"but not where there is none":                  {nil, "/given", "", "certificate_missing", ""},
	} {
		for _, remove := range [][]string{nil, {"x-ssl-cert"}, {"client-cert", "client-cert-chain", "x-ssl-cert"}} {
			t.Run(sentence+" "+strings.Join(remove, " "), func(t *testing.T) {
				s := handingOn(t, remove...)
				s.pin(t, "lab-partner", leaf)
				request := with(with(to(requestFrom(test.from), test.path), "client-cert", forged), "client-cert-chain", forged)
				if test.authorization != "" {
					with(request, "authorization", test.authorization)
				}
				got := check(t.Context(), t, s, request)
				if got.Reason != test.reason || got.headers["client-cert"] != test.set {
					t.Errorf("%s with Client-Cert %.80q", got.inWords(), got.headers["client-cert"])
				}
				if !got.Allowed {
					return
				}
				// Envoy removes after it sets.
				removed := got.GetOkResponse().GetHeadersToRemove()
				if slices.Contains(removed, "client-cert") != (test.set == "") || !slices.Contains(removed, "client-cert-chain") {
					t.Errorf("headers removed: %q", removed)
				}
			})
		}
	}
}

func TestACertificateThatIsTooLargeToHandOnIsRefused(t *testing.T) {
	large := selfSigned(t, testca.Template{CommonName: "lab", DNSNames: strings.Fields(strings.Repeat("host.of.a.long.name.example ", 800))})
	s := handingOn(t)
	s.pin(t, "lab-partner", large)
	if got := check(t.Context(), t, s, to(requestFrom(large), "/given")); got.inWords() != "401 evidence_too_large" || len(got.headers["client-cert"]) != 0 {
		t.Errorf("where it is handed on: %s", got.inWords())
	}
	if got := check(t.Context(), t, s, to(requestFrom(large), "/x")); !got.Allowed {
		t.Errorf("where it is not: %s", got.inWords())
	}
	foreign := with(to(requestFrom(large), "/passing"), "authorization", "Basic b3duOm93bg==")
	if got := check(t.Context(), t, s, foreign); got.inWords() != "allowed_foreign" {
		t.Errorf("beside a foreign Authorization: %s", got.inWords())
	}
}

func TestARouteThatAsksForNoCertificateHandsNoneOn(t *testing.T) {
	for _, access := range []extauthz.Access{extauthz.AccessPublic, extauthz.AccessPreflight, extauthz.AccessEndpoint} {
		route := extauthz.Route{Name: "r", Access: access}
		route.Inject.ClientCert = true
		if routes, err := extauthz.NewRoutes([]extauthz.Route{route}); err == nil || routes != nil {
			t.Errorf("access %d is taken", access)
		}
	}
}
