package integration_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/testca"
)

func conformanceA(t *testing.T, s *stand) {
	lab := presents(s.lab)
	holds(t, "A1 a request without client_id fails, whatever the certificate says", func(t *testing.T) {
		form := granting("lab")
		for _, without := range [][]string{nil, {""}} {
			form["client_id"] = without
			s.refuses(t, posted{form: form, as: lab}, http.StatusBadRequest, "invalid_request")
		}
	})
	holds(t, "A2 the certificate is judged by the client that client_id names, and by no other", func(t *testing.T) {
		got := s.refuses(t, posted{form: granting("other"), as: lab}, http.StatusUnauthorized, "invalid_client")
		if r := s.world.judged(t, got.id); r.Client != "other" || r.Reason != "certificate_not_pinned" {
			t.Errorf("the record is %+v", r)
		}
	})
	otherwise(t, "A3 the chain alone does not do where a subject is registered", s.a3)
	holds(t, "A4 a client has one subject parameter", func(t *testing.T) {
		for want, d := range map[string]document{
			"a client is bound to one subject": trusting(s.ca).with("tlsClientAuth", map[string]any{"sanDns": "a.example", "sanUri": "spiffe://a"}),
			"tlsClientAuth: is missing":        trusting(s.ca).with("tokenEndpointAuthMethod", "tls_client_auth"),
		} {
			refusesDocument(t, d, want)
		}
	})
	holds(t, "A5 names are compared as they parse, not as they are written", s.a5)
	holds(t, "A6 alternative names are compared by type, and to the letter", s.a6)
	holds(t, "A7 of self-signed certificates it is the registered one that counts", s.a7)
	holds(t, "A8 a registered certificate that has expired is refused", func(t *testing.T) {
		got := s.refuses(t, posted{form: granting("expired"), as: presents(s.expired)}, http.StatusUnauthorized, "invalid_client")
		if r := s.world.judged(t, got.id); r.Reason != "certificate_expired" {
			t.Errorf("the record is %+v", r)
		}
	})
	holds(t, "A9 only the certificate of the handshake counts", s.a9)
	holds(t, "A10 a second way to authenticate is refused", s.a10)
	holds(t, "A11 no answer tells an unknown client from a wrong certificate", s.a11)
	holds(t, "A12 introspection and revocation take the certificate too", func(t *testing.T) {
		for _, path := range []string{introspectPath, revokePath} {
			form := map[string][]string{"client_id": {"lab"}, "token": {"nothing"}}
			if got := s.post(t, posted{path: path, form: form, as: lab}); got.status != http.StatusOK {
				t.Errorf("%s: status %d with %s", path, got.status, got.oauth)
			}
			s.refuses(t, posted{path: path, form: form}, http.StatusUnauthorized, "invalid_client")
			s.refuses(t, posted{path: path, form: form, as: presents(s.other)}, http.StatusUnauthorized, "invalid_client")
		}
	})
	holds(t, "A13 the CA of one client proves nothing of another", func(t *testing.T) {
		leaf := presents(issue(t, s.alone, testca.Template{CommonName: "leaf"}))
		s.tokenFor(t, "unbound", leaf)
		for _, client := range []string{"uncovered", "by-dns", "lab"} {
			s.refuses(t, posted{form: granting(client), as: leaf}, http.StatusUnauthorized, "invalid_client")
		}
	})
	otherwise(t, "A14 there are no public clients", func(t *testing.T) {
		refusesDocument(t, trusting(s.lab).with("tokenEndpointAuthMethod", "none"), "is none of self_signed_tls_client_auth, tls_client_auth")
		s.refuses(t, posted{form: granting("lab")}, http.StatusUnauthorized, "invalid_client")
	})
}

// refusesDocument has `clients check` read the document of a client, and refuse it.
func refusesDocument(t *testing.T, d document, says string) {
	t.Helper()
	w := prepare(t, plan{clients: map[string]document{"bad": d}})
	if code, printed := certbearer(t, "clients", "check", "--config", w.config); code == 0 || !strings.Contains(printed, says) {
		t.Errorf("exit code %d, want another and %q:\n%s", code, says, printed)
	}
}

func (s *stand) a3(t *testing.T) {
	named := testca.Template{CommonName: "leaf", DNSNames: []string{"lab.example"}}
	s.tokenFor(t, "by-dns", presents(issue(t, s.ca, named)))
	got := s.refuses(t, posted{form: granting("by-dns"), as: presents(issue(t, s.ca, testca.Template{CommonName: "lab.example"}))}, http.StatusUnauthorized, "invalid_client")
	if r := s.world.judged(t, got.id); r.Reason != "subject_mismatch" {
		t.Errorf("the record is %+v", r)
	}
	s.refuses(t, posted{form: granting("by-dns"), as: presents(issue(t, s.alone, named))}, http.StatusUnauthorized, "invalid_client")
	// What is chosen otherwise: a client without a subject, whose CA is no other's.
	s.tokenFor(t, "unbound", presents(issue(t, s.alone, testca.Template{CommonName: "anybody"})))
}

func (s *stand) a5(t *testing.T) {
	attribute := func(id int, value string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, id}, Value: value}
	}
	cn, ou, o := attribute(3, "lab"), attribute(11, "Trade"), attribute(10, "Acme, Inc.")
	for sentence, c := range map[string]struct {
		name   pkix.RDNSequence
		status int
	}{
		"the name itself, its last element first in text":    {pkix.RDNSequence{{o}, {cn, ou}}, http.StatusOK},
		"the two attributes of one element in another order": {pkix.RDNSequence{{o}, {ou, cn}}, http.StatusOK},
		"the elements in another order":                      {pkix.RDNSequence{{cn, ou}, {o}}, http.StatusUnauthorized},
		"the attributes as elements of their own":            {pkix.RDNSequence{{o}, {cn}, {ou}}, http.StatusUnauthorized},
		"one name less": {pkix.RDNSequence{{o}, {cn}}, http.StatusUnauthorized},
		"one name more": {pkix.RDNSequence{{o}, {o}, {cn, ou}}, http.StatusUnauthorized},
		"a value that holds what the text holds as it stands": {pkix.RDNSequence{{attribute(10, `Acme\2C Inc.`)}, {cn, ou}}, http.StatusUnauthorized},
		"the text as one value":                               {pkix.RDNSequence{{attribute(3, `lab,O=Acme\2C Inc.`)}}, http.StatusUnauthorized},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := s.post(t, posted{form: granting("by-dn"), as: issueNamed(t, s.ca, c.name)}); got.status != c.status {
				t.Errorf("status %d with %s, want %d", got.status, got.oauth, c.status)
			}
		})
	}
}

// issueNamed is for subjects that a Template cannot say.
func issueNamed(t *testing.T, ca *testca.Issued, name pkix.RDNSequence) *tls.Certificate {
	t.Helper()
	subject, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	key := keyOf(t, testca.P256)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), RawSubject: subject, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (s *stand) a6(t *testing.T) {
	for sentence, c := range map[string]struct {
		client   string
		template testca.Template
		status   int
	}{
		"the DNS name":                    {"by-dns", testca.Template{DNSNames: []string{"lab.example"}}, 200},
		"the DNS name as URI":             {"by-dns", testca.Template{URIs: []string{"lab.example"}}, 401},
		"the DNS name as common name":     {"by-dns", testca.Template{CommonName: "lab.example"}, 401},
		"a wildcard that would cover it":  {"by-dns", testca.Template{DNSNames: []string{"*.example"}}, 401},
		"a DNS name below it":             {"by-dns", testca.Template{DNSNames: []string{"a.lab.example"}}, 401},
		"the URI":                         {"by-uri", testca.Template{URIs: []string{"spiffe://td/lab"}}, 200},
		"the URI as DNS name":             {"by-uri", testca.Template{DNSNames: []string{"spiffe://td/lab"}}, 401},
		"a URI that means the same":       {"by-uri", testca.Template{URIs: []string{"spiffe://td/l%61b"}}, 401},
		"the address":                     {"by-ip", testca.Template{IPs: []net.IP{net.IPv4(192, 0, 2, 7)}}, 200},
		"the address as DNS name":         {"by-ip", testca.Template{DNSNames: []string{"192.0.2.7"}}, 401},
		"another address":                 {"by-ip", testca.Template{IPs: []net.IP{net.IPv4(192, 0, 2, 8)}}, 401},
		"the address in another spelling": {"by-ip6", testca.Template{IPs: []net.IP{net.ParseIP("2001:db8::7")}}, 200},
		"the e-mail address":              {"by-email", testca.Template{Emails: []string{"ops@lab.example"}}, 200},
		"the e-mail address as URI":       {"by-email", testca.Template{URIs: []string{"ops@lab.example"}}, 401},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := s.post(t, posted{form: granting(c.client), as: presents(issue(t, s.ca, c.template))}); got.status != c.status {
				t.Errorf("status %d with %s, want %d", got.status, got.oauth, c.status)
			}
		})
	}
}

func (s *stand) a7(t *testing.T) {
	s.tokenFor(t, "seed", presents(s.seed))
	twin := made(t)(testca.LikeOpenSSL("My Integration Client", "My Organization"))
	for sentence, as := range map[string]*tls.Certificate{
		"another of the same name":       presents(twin),
		"one that the registered issued": presents(issue(t, s.seed, testca.Template{CommonName: "My Integration Client"})),
		"its key in a new certificate":   presents(selfSigned(t, testca.Template{CommonName: "My Integration Client", Key: s.seed.Key})),
	} {
		t.Run(sentence+" is refused", func(t *testing.T) {
			s.refuses(t, posted{form: granting("seed"), as: as}, http.StatusUnauthorized, "invalid_client")
		})
	}
}

func (s *stand) a9(t *testing.T) {
	lenient := s.world.envoy(noEarlyRemoval()).site()
	for how, through := range map[string]site{"Envoy as rendered": s.site, "an Envoy that takes nothing off": lenient} {
		for name, values := range smuggled(s.lab) {
			t.Run(how+": "+name, func(t *testing.T) {
				through.refuses(t, posted{form: granting("lab"), header: http.Header{name: values}}, http.StatusUnauthorized, "invalid_client")
			})
		}
		// This one is as good as certbearer's own: nothing but its removal helps.
		stated := http.Header{peercert.StatementHeader: {s.world.statement(t, s.lab, "https://localhost:8443"+tokenPath)}}
		t.Run(how+": a statement that is signed well", func(t *testing.T) {
			through.refuses(t, posted{form: granting("lab"), header: stated}, http.StatusUnauthorized, "invalid_client")
			through.refuses(t, posted{form: granting("lab"), header: stated, as: presents(s.other)}, http.StatusUnauthorized, "invalid_client")
			through.tokenFor(t, "other", presents(s.other))
		})
	}
}

// statement signs with certbearer's own key that a connection proved the certificate.
func (w *world) statement(t *testing.T, issued *testca.Issued, endpoint string) string {
	t.Helper()
	keys, err := signer.OpenStatementKeys(t.Context(), filepath.Join(w.folder, "keys"), signer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := keys.Signing(time.Now())
	text, err := peercert.SignStatement(peercert.StatementKey{ID: key.ID, Secret: key.Secret[:]},
		peercert.Evidence{Leaf: issued.Certificate, Thumbprint: issued.Thumbprint()}, endpoint, http.MethodPost, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s *stand) a10(t *testing.T) {
	lab := presents(s.lab)
	for _, more := range [][]string{
		{"client_secret", "secret"}, {"client_assertion", "e30.e30."},
		{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	} {
		s.refuses(t, posted{form: granting("lab", more...), as: lab}, http.StatusBadRequest, "invalid_request")
		s.refuses(t, posted{form: granting("lab", more...)}, http.StatusUnauthorized, "invalid_client")
	}
	basic := http.Header{"Authorization": {"Basic bGFiOnNlY3JldA=="}}
	s.refuses(t, posted{form: granting("lab"), as: lab, header: basic}, http.StatusUnauthorized, "invalid_client")
	s.refuses(t, posted{form: granting("lab"), header: basic}, http.StatusUnauthorized, "invalid_client")
}

func (s *stand) a11(t *testing.T) {
	unknown := s.refuses(t, posted{form: granting("nobody"), as: presents(s.lab)}, http.StatusUnauthorized, "invalid_client")
	for sentence, p := range map[string]posted{
		"an unknown client without a certificate": {form: granting("nobody")},
		"a client without a certificate":          {form: granting("lab")},
		"a client with another's certificate":     {form: granting("lab"), as: presents(s.other)},
		"a client with a certificate of no one":   {form: granting("lab"), as: presents(selfSigned(t, testca.Template{CommonName: "lab"}))},
		"a client with an expired certificate":    {form: granting("expired"), as: presents(s.expired)},
		"a client that is off":                    {form: granting("off"), as: presents(s.off)},
		"a client with another subject":           {form: granting("by-uri"), as: presents(issue(t, s.ca, testca.Template{CommonName: "lab"}))},
		"one that asks for too much":              {form: granting("lab", "scope", "admin"), as: presents(s.other)},
		"one that asks for another resource":      {form: granting("lab", "resource", "https://x.example"), as: presents(s.other)},
		"one that may not use the grant":          {form: granting("no-grant"), as: presents(s.other)},
		"one of another grant":                    {form: map[string][]string{"grant_type": {"password"}, "client_id": {"lab"}}, as: presents(s.other)},
	} {
		t.Run(sentence+" gets the answer of an unknown one", func(t *testing.T) {
			if diff := cmp.Diff(sayings(unknown), sayings(s.post(t, p))); diff != "" {
				t.Errorf("the answers differ (-unknown +this):\n%s", diff)
			}
		})
	}
	if challenge := unknown.header["Www-Authenticate"]; !slices.Equal(challenge, []string{"Bearer"}) {
		t.Errorf("WWW-Authenticate is %q", challenge)
	}
}
