package integration_test

import (
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"net/url"
	"testing"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// smuggled are the headers in which a caller could pass off another's
// certificate as its own, with the certificate of a client.
func smuggled(victim *testca.Issued) map[string][]string {
	pem := url.PathEscape(string(victim.PEM()))
	der := ":MIIB:"
	return map[string][]string{
		"x-forwarded-client-cert":          {elementOf(victim)},
		"x-amzn-mtls-clientcert":           {pem},
		"x-amzn-mtls-clientcert-leaf":      {pem},
		"x-amzn-mtls-clientcert-subject":   {"CN=victim"},
		"x-amzn-mtls-clientcert-unheardof": {pem},
		"client-cert":                      {der},
		"client-cert-chain":                {der + ", " + der},
		"ssl-client-cert":                  {pem},
		"ssl-client-verify":                {"SUCCESS"},
		"x-ssl-client-cert":                {pem},
		"x-ssl-client-verify":              {"SUCCESS"},
		"x-ssl-client-s-dn":                {"CN=victim"},
		"ssl-client-s-dn":                  {"CN=victim"},
		"x-client-cert":                    {pem},
		"x-forwarded-tls-client-cert":      {pem},
		"certbearer-statement":             {"of-its-own"},
		"x-client-cert-leaf":               {pem},
		"x-arr-clientcert":                 {pem},
		"x-tls-client-cert":                {pem},
		"x-client-dn":                      {"CN=victim"},
		"x-client-verify":                  {"SUCCESS"},
		"cf-client-cert-sha256":            {"00"},
	}
}

// elementOf is what Envoy would write into x-forwarded-client-cert: nothing is
// wrong with it but who sends it.
func elementOf(victim *testca.Issued) string {
	sum := victim.Thumbprint()
	return `Hash=` + hex.EncodeToString(sum[:]) + `;Cert="` + victim.URLEncodedPEM() + `"`
}

// headerRoutes has a route of each kind.
const headerRoutes = `
routes:
  - {name: open, match: {pathPrefix: /public}, access: public}
  - {name: open-replacing, match: {pathPrefix: /lax}, access: public, inboundAuthorization: replace}
  - {name: replacing, match: {pathPrefix: /replacing}, inboundAuthorization: replace}
  - {name: rest}
`

func TestACallersOwnCertificateHeaderReachesNobody(t *testing.T) {
	realEnvoy(t)
	own, victim := selfSigned(t, testca.Template{CommonName: "partner"}), selfSigned(t, testca.Template{CommonName: "victim"})
	w := open(t, plan{settings: headerRoutes, clients: map[string]document{"partner": trusting(own), "victim": trusting(victim)}})
	known := map[string]bool{}
	for _, name := range envoy.CertificateHeaders() {
		known[name] = true
	}
	for sentence, c := range map[string]struct {
		gate *gate
		all  bool // families of names too
		xfcc want // of a caller with a certificate and this header
	}{
		"Envoy as rendered":                        {w.envoy(), true, admitted("partner")},
		"an Envoy that does not take them off":     {w.envoy(noEarlyRemoval()), false, admitted("partner")},
		"one that forwards certificates that came": {w.envoy(noEarlyRemoval(), appendForward()), false, unauthenticated("xfcc_element_count")},
	} {
		sent := map[string][]smuggling{}
		for name, values := range smuggled(victim) {
			if !c.all && !known[name] && name != "x-forwarded-client-cert" {
				continue
			}
			known := admitted("partner")
			if name == "x-forwarded-client-cert" {
				known = c.xfcc
			}
			sent[name] = append(c.gate.smuggle(t, name, values, presents(own), known),
				c.gate.smuggle(t, name, append(values, values[0]), presents(own), known)...)
		}
		for name, all := range sent { // by now their records are written
			t.Run(sentence+": "+name, func(t *testing.T) { c.gate.dropped(t, name, all) })
		}
	}
}

// smuggling is a request with a header of its caller's and what came of it.
type smuggling struct {
	ask  ask
	want want
	got  answer
}

// smuggle sends the header with and without a certificate, where one is asked
// for and where none is. known is what the caller with one gets.
func (g *gate) smuggle(t *testing.T, name string, values []string, own *tls.Certificate, known want) []smuggling {
	t.Helper()
	header := http.Header{http.CanonicalHeaderKey(name): values}
	public := want{status: 200, reason: allowedPublic}
	all := []smuggling{
		{ask: ask{path: "/rest", as: own, header: header}, want: known},
		{ask: ask{path: "/rest", header: header}, want: unauthenticated("certificate_missing")},
		{ask: ask{path: "/public", as: own, header: header}, want: public},
		{ask: ask{path: "/public", header: header}, want: public},
	}
	for i := range all {
		all[i].got = g.ask(t, all[i].ask)
	}
	return all
}

func (g *gate) dropped(t *testing.T, name string, all []smuggling) {
	t.Helper()
	for _, s := range all {
		g.hold(t, s.ask, s.want, s.got)
		for _, r := range s.got.received {
			if values := r.Header[http.CanonicalHeaderKey(name)]; len(values) > 0 {
				t.Errorf("%s: the upstream received %s: %q", s.ask.path, name, values)
			}
		}
	}
}

// Some services take the path or the host of such a header for the request's
// own, and so another than the one that the route was chosen for.
func TestACallerCannotRerouteItsRequestByAHeader(t *testing.T) {
	realEnvoy(t)
	clients, known, _ := partner(t)
	g := open(t, plan{settings: headerRoutes, clients: clients}).envoy()
	for name, value := range map[string]string{
		"X-Original-Url": "/rest", "X-Rewrite-Url": "/rest", "X-Forwarded-Host": "other.example", "Forwarded": "host=other.example",
	} {
		for _, a := range []ask{{path: "/public"}, {path: "/rest", as: known}} {
			a.header = http.Header{name: {value}}
			got := g.ask(t, a)
			if got.status != 200 || len(got.received) != 1 || len(got.received[0].Header[name]) > 0 {
				t.Errorf("%s on %s: status %d, the upstream received %+v", name, a.path, got.status, got.received)
			}
		}
	}
}

func TestACallersOwnAuthorizationReachesNobody(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	g := open(t, plan{settings: "inboundAuthorization: reject" + headerRoutes, clients: clients}).envoy()
	refused := want{status: 401, reason: "authorization_refused", oauth: "invalid_token"}
	for sentence, c := range map[string]struct {
		path string
		as   *tls.Certificate
		want want
	}{
		"it is refused where a certificate is asked for":       {"/rest", known, refused},
		"it is refused before the certificate is looked at":    {"/rest", unknown, refused},
		"it is refused on a public route":                      {"/public", nil, refused},
		"it is overwritten on a route that replaces it":        {"/replacing", known, admitted("partner")},
		"it is no help to a stranger where it is replaced":     {"/replacing", unknown, unauthenticated("client_unknown")},
		"it is no help to nobody where it is replaced":         {"/replacing", nil, unauthenticated("certificate_missing")},
		"it is taken off on a public route that replaces it":   {"/lax", nil, want{status: 200, reason: allowedPublic}},
		"a certificate changes nothing on such a public route": {"/lax", known, want{status: 200, reason: allowedPublic}},
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, own := range [][]string{{"Bearer of-its-own"}, {"Bearer of-its-own", "Basic b3duOm93bg=="}, {"Bearer " + forgedToken}, {""}} {
				got, _ := g.expect(t, ask{path: c.path, as: c.as, header: http.Header{"Authorization": own}}, c.want)
				if challenge := got.header.Get("Www-Authenticate"); c.want.oauth == "invalid_token" && challenge != `Bearer error="invalid_token"` {
					t.Errorf("WWW-Authenticate is %q", challenge)
				}
			}
		})
	}
}

// forgedToken is a JWT that nobody signed: alg none, sub admin.
const forgedToken = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJhZG1pbiJ9."
