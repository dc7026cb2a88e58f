package tokenendpoint_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
)

// Nobody learns from an answer which clients there are, or what is wrong with a
// certificate: status, header and body are the same to the byte.
func TestWhoIsNotAuthenticatedLearnsNothingMore(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	stranger := selfSigned(t, testca.Template{CommonName: "lab"})
	expired := selfSigned(t, testca.Template{CommonName: "expired", NotAfter: time.Now().Add(-time.Minute)})
	off := selfSigned(t, testca.Template{CommonName: "off"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	s.pin(t, "expired", expired, nil)
	s.pin(t, "off", off, map[string]any{"status": "off"})
	for path, name := range map[string]string{
		tokenendpoint.TokenPath: tokenendpoint.TokenName, tokenendpoint.IntrospectPath: tokenendpoint.IntrospectName, tokenendpoint.RevokePath: tokenendpoint.RevokeName,
	} {
		body := func(id string) string { return grant(id, "token", "x").Encode() }
		other := tokenendpoint.RevokePath
		if path == other {
			other = tokenendpoint.TokenPath
		}
		elsewhere := asked(t, nil, path, body("lab-partner"))
		elsewhere.Header.Set(peercert.StatementHeader, statementOf(t, leaf, other, http.MethodPost))
		twice := asked(t, leaf, path, body("lab-partner"))
		twice.Header.Add(peercert.StatementHeader, twice.Header.Get(peercert.StatementHeader))
		forged := asked(t, nil, path, body("lab-partner"))
		forged.Header.Set(peercert.StatementHeader, "a.b.c")
		var first answer
		var firstReason string
		for _, test := range []struct {
			sentence, reason string
			request          *http.Request
		}{
			{"a client that is unknown", "client_unknown", asked(t, leaf, path, body("nobody"))},
			{"a client id that can be none", "client_unknown", asked(t, leaf, path, body("<b> \r\n"))},
			{"another's certificate", "certificate_not_pinned", asked(t, leaf, path, body("expired"))},
			{"a certificate that is nobody's", "certificate_not_pinned", asked(t, stranger, path, body("lab-partner"))},
			{"a certificate that has expired", "certificate_expired", asked(t, expired, path, body("expired"))},
			{"a client that is off", "client_inactive", asked(t, off, path, body("off"))},
			{"no certificate", "certificate_missing", asked(t, nil, path, body("lab-partner"))},
			{"a statement for another endpoint", "statement_invalid", elsewhere},
			{"two statements", "statement_invalid", twice},
			{"a statement that is none", "statement_invalid", forged},
		} {
			t.Run(name+" and "+test.sentence, func(t *testing.T) {
				before := s.decisions(t, name, test.reason)
				got := serve(t, s, test.request)
				if got.inWords() != "Unauthorized invalid_client" {
					t.Fatalf("%s", got.inWords())
				}
				wantNotStored(t, got)
				if s.decisions(t, name, test.reason) != before+1 {
					t.Errorf("it is not counted as %s", test.reason)
				}
				if firstReason == "" {
					first, firstReason = got, test.reason
				}
				if got.body != first.body {
					t.Errorf("%q, and of %s %q", got.body, firstReason, first.body)
				}
				if diff := cmp.Diff(first.header, got.header); diff != "" {
					t.Errorf("header of %s (-) and this one\n%s", firstReason, diff)
				}
			})
		}
	}
}

func TestAuthenticationComesBeforeEveryOtherFault(t *testing.T) {
	s := newSite(t, nil)
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s.pin(t, "lab-partner", leaf, nil)
	stranger := selfSigned(t, testca.Template{CommonName: "lab"})
	for sentence, more := range map[string][]string{
		"a scope":     {"scope", "nobody.has"},
		"a resource":  {"resource", "https://other.example"},
		"a grant":     {"grant_type", ""},
		"a bad token": {"token", "x"},
	} {
		t.Run(sentence, func(t *testing.T) {
			values := grant("lab-partner")
			values.Set(more[0], more[1])
			for _, path := range tokenendpoint.Paths() {
				if got := do(t, s, stranger, path, values); got.inWords() != "Unauthorized invalid_client" {
					t.Errorf("%s: %s", path, got.inWords())
				}
			}
		})
	}
}

func TestWithoutAClientIDNobodyIsLookedFor(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	for sentence, id := range map[string][]string{"left out": nil, "empty": {""}, "twice": {"lab-partner", "lab-partner"}, "twice, once empty": {"lab-partner", ""}} {
		t.Run(sentence, func(t *testing.T) {
			values := grant("")
			values["client_id"] = id
			for _, path := range tokenendpoint.Paths() {
				if got := do(t, s, leaf, path, values); got.inWords() != "Bad Request invalid_request" {
					t.Errorf("%s: %s", path, got.inWords())
				}
			}
		})
	}
}

func TestOtherWaysToAuthenticateAreRefused(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	strict, medplum := newSite(t, nil), newSite(t, func(c *tokenendpoint.Config) { c.IgnoreSecrets = true })
	for _, s := range []*site{strict, medplum} {
		s.pin(t, "lab-partner", leaf, nil)
	}
	secret, assertion := []string{"client_secret", "s3cr3t"}, []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", "e30.e30.e30"}
	for sentence, test := range map[string]struct {
		leaf          *testca.Issued
		authorization []string
		more          []string
		strict        string
		medplum       string
		challenge     string
	}{
		"a secret beside a certificate":                {leaf, nil, secret, "Bad Request invalid_request", "OK", ""},
		"an empty secret beside a certificate":         {leaf, nil, []string{"client_secret", ""}, "OK", "OK", ""},
		"a secret alone":                               {nil, nil, secret, "Unauthorized invalid_client", "Unauthorized invalid_client", "Bearer"},
		"a secret twice":                               {leaf, nil, append(secret, secret...), "Bad Request invalid_request", "Bad Request invalid_request", ""},
		"an assertion beside a certificate":            {leaf, nil, assertion, "Bad Request invalid_request", "Bad Request invalid_request", ""},
		"an assertion alone":                           {nil, nil, assertion, "Unauthorized invalid_client", "Unauthorized invalid_client", "Bearer"},
		"the type of an assertion":                     {leaf, nil, assertion[:2], "Bad Request invalid_request", "Bad Request invalid_request", ""},
		"a password beside a certificate":              {leaf, []string{"Basic bGFiLXBhcnRuZXI6czNjcjN0"}, nil, "Unauthorized invalid_client", "Unauthorized invalid_client", `Basic realm="certbearer"`},
		"a password alone":                             {nil, []string{"Basic bGFiLXBhcnRuZXI6czNjcjN0"}, nil, "Unauthorized invalid_client", "Unauthorized invalid_client", `Basic realm="certbearer"`},
		"a password, the scheme in other case":         {leaf, []string{"bAsIc bGFiLXBhcnRuZXI6czNjcjN0"}, nil, "Unauthorized invalid_client", "Unauthorized invalid_client", `Basic realm="certbearer"`},
		"a password that is empty":                     {leaf, []string{"Basic"}, nil, "Unauthorized invalid_client", "Unauthorized invalid_client", `Basic realm="certbearer"`},
		"a token":                                      {leaf, []string{"Bearer e30.e30.e30"}, nil, "Unauthorized invalid_client", "Unauthorized invalid_client", "Bearer"},
		"an empty Authorization":                       {leaf, []string{""}, nil, "Unauthorized invalid_client", "Unauthorized invalid_client", "Bearer"},
		"two of them":                                  {leaf, []string{"Basic eDp5", "Bearer a"}, nil, "Unauthorized invalid_client", "Unauthorized invalid_client", `Basic realm="certbearer"`},
		"a secret and a password beside a certificate": {leaf, []string{"Basic eDp5"}, secret, "Unauthorized invalid_client", "Unauthorized invalid_client", `Basic realm="certbearer"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			for s, want := range map[*site]string{strict: test.strict, medplum: test.medplum} {
				request := asked(t, test.leaf, tokenendpoint.TokenPath, grant("lab-partner", test.more...).Encode())
				if test.authorization != nil {
					request.Header["Authorization"] = test.authorization
				}
				got := serve(t, s, request)
				if got.inWords() != want {
					t.Errorf("ignoring secrets %v: %s, want %s", s.config.IgnoreSecrets, got.inWords(), want)
				}
				if challenge := got.header.Get("Www-Authenticate"); challenge != test.challenge && want[:2] != "OK" {
					t.Errorf("WWW-Authenticate %q", challenge)
				}
			}
		})
	}
}

func TestMedplumFault14_ASecretIsNeverTheProof(t *testing.T) {
	leaf, stranger := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, func(c *tokenendpoint.Config) { c.IgnoreSecrets = true })
	s.pin(t, "lab-partner", leaf, map[string]any{"secret": "s3cr3t"})
	for sentence, certificate := range map[string]*testca.Issued{"no certificate": nil, "another's certificate": stranger} {
		if got := do(t, s, certificate, tokenendpoint.TokenPath, grant("lab-partner", "client_secret", "s3cr3t")); got.inWords() != "Unauthorized invalid_client" {
			t.Errorf("%s: %s", sentence, got.inWords())
		}
	}
}

func TestTheMethodOfTheDocumentHolds(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "Root", CA: true})
	issued := issue(t, root, testca.Template{CommonName: "lab", DNSNames: []string{"lab.example"}})
	otherName := issue(t, root, testca.Template{CommonName: "lab", DNSNames: []string{"other.example"}})
	bound := map[string]any{"sanDns": "lab.example"}
	for sentence, test := range map[string]struct {
		method string
		store  []*testca.Issued
		bound  map[string]any
		leaf   *testca.Issued
		want   string
	}{
		"self-signed takes a pin":                         {"self_signed_tls_client_auth", []*testca.Issued{issued}, nil, issued, "OK"},
		"self-signed takes nothing that a pin has issued": {"self_signed_tls_client_auth", []*testca.Issued{root}, nil, issued, "Unauthorized invalid_client"},
		"by CA takes what the CA has issued":              {"tls_client_auth", []*testca.Issued{root}, bound, issued, "OK"},
		"by CA takes no other subject":                    {"tls_client_auth", []*testca.Issued{root}, bound, otherName, "Unauthorized invalid_client"},
		"by CA takes no pin":                              {"tls_client_auth", []*testca.Issued{issued}, bound, issued, "Unauthorized invalid_client"},
		"nothing said takes a pin":                        {"", []*testca.Issued{issued}, nil, issued, "OK"},
		"nothing said takes what a CA has issued":         {"", []*testca.Issued{root}, nil, issued, "OK"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var store strings.Builder
			for _, certificate := range test.store {
				store.Write(certificate.PEM())
			}
			fields := map[string]any{"certificateTrustStore": store.String()}
			if test.method != "" {
				fields["tokenEndpointAuthMethod"] = test.method
			}
			if test.bound != nil {
				fields["tlsClientAuth"] = test.bound
			}
			s := newSite(t, nil)
			s.put(t, "lab-partner", fields)
			if got := do(t, s, test.leaf, tokenendpoint.TokenPath, grant("lab-partner")); got.inWords() != test.want {
				t.Errorf("%s", got.inWords())
			}
		})
	}
}

func TestWhereTLSEndsHereTheHandshakeIsTheEvidence(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, func(c *tokenendpoint.Config) {
		c.Authenticator = readerOf(t, peercert.TLS)
		c.Presented = func(r *http.Request, _ *state.State, _ time.Time) peercert.Presented {
			return peercert.Presented{TLSChain: r.TLS.PeerCertificates}
		}
	})
	s.pin(t, "lab-partner", leaf, nil)
	for sentence, test := range map[string]struct {
		proven []*x509.Certificate
		want   string
	}{
		"proven":                             {[]*x509.Certificate{leaf.Certificate}, "OK"},
		"not proven, whatever a header says": {nil, "Unauthorized invalid_client"},
	} {
		t.Run(sentence, func(t *testing.T) {
			request := asked(t, leaf, tokenendpoint.TokenPath, grant("lab-partner").Encode())
			request.TLS = &tls.ConnectionState{PeerCertificates: test.proven}
			if got := serve(t, s, request); got.inWords() != test.want {
				t.Errorf("%s", got.inWords())
			}
		})
	}
}

func TestBeforeThereAreClientsNobodyIsAuthenticated(t *testing.T) {
	s := newSite(t, nil)
	s.holder.Publish(func(current state.State) state.State {
		current.Clients = nil
		return current
	})
	for _, path := range tokenendpoint.Paths() {
		got := do(t, s, selfSigned(t, testca.Template{}), path, grant("lab-partner", "token", "x"))
		if got.inWords() != "Service Unavailable temporarily_unavailable" || got.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %s %v", path, got.inWords(), got.header)
		}
	}
}

func TestAServerThatLacksSomethingIsNotMade(t *testing.T) {
	whole := newSite(t, nil).config
	without := map[string]func(*tokenendpoint.Config){
		"State":            func(c *tokenendpoint.Config) { c.State = nil },
		"Authenticator":    func(c *tokenendpoint.Config) { c.Authenticator = nil },
		"Presented":        func(c *tokenendpoint.Config) { c.Presented = nil },
		"RequestID":        func(c *tokenendpoint.Config) { c.RequestID = nil },
		"Source":           func(c *tokenendpoint.Config) { c.Source = nil },
		"Audit":            func(c *tokenendpoint.Config) { c.Audit = nil },
		"Metrics":          func(c *tokenendpoint.Config) { c.Metrics = nil },
		"Revoke":           func(c *tokenendpoint.Config) { c.Revoke = nil },
		"an issuer":        func(c *tokenendpoint.Config) { c.Issuer = "" },
		"room for any one": func(c *tokenendpoint.Config) { c.InFlight = 0 },
	}
	for _, name := range slices.Sorted(maps.Keys(without)) {
		config := whole
		without[name](&config)
		if server, err := tokenendpoint.New(config); server != nil || err == nil {
			t.Errorf("%s: %v, %v", name, server, err)
		}
	}
	if _, err := tokenendpoint.New(whole); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(tokenendpoint.Paths(), tokenendpoint.Names()); got != "[/oauth2/token /oauth2/introspect /oauth2/revoke] [token_endpoint introspection_endpoint revocation_endpoint]" {
		t.Error(got)
	}
}
