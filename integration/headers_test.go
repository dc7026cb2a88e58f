package integration_test

import (
	"crypto/tls"
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
		"x-forwarded-client-cert":          {`Hash=00;Cert="` + victim.URLEncodedPEM() + `"`},
		"x-amzn-mtls-clientcert":           {pem},
		"x-amzn-mtls-clientcert-leaf":      {pem},
		"x-amzn-mtls-clientcert-subject":   {"CN=victim"},
		"x-amzn-mtls-clientcert-unheardof": {pem},
		"client-cert":                      {der},
		"client-cert-chain":                {der + ", " + der},
		"ssl-client-cert":                  {pem},
		"ssl-client-verify":                {"SUCCESS"},
		"x-ssl-client-cert":                {pem},
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
		xfcc int  // status of a caller with a certificate and this header
	}{
		"Envoy as rendered":                        {w.envoy(), true, 200},
		"an Envoy that does not take them off":     {w.envoy(noEarlyRemoval()), false, 200},
		"one that forwards certificates that came": {w.envoy(noEarlyRemoval(), appendForward()), false, 401},
	} {
		for name, values := range smuggled(victim) {
			if !c.all && !known[name] && name != "x-forwarded-client-cert" {
				continue
			}
			status := 200
			if name == "x-forwarded-client-cert" {
				status = c.xfcc
			}
			t.Run(sentence+": "+name, func(t *testing.T) {
				c.gate.dropsHeader(t, name, values, presents(own), status)
				c.gate.dropsHeader(t, name, append(values, "another value"), presents(own), status)
			})
		}
	}
}

// dropsHeader sends the header with and without a certificate, where one is
// asked for and where none is. status is what a known caller gets.
func (g *gate) dropsHeader(t *testing.T, name string, values []string, own *tls.Certificate, status int) {
	t.Helper()
	header := http.Header{http.CanonicalHeaderKey(name): values}
	for _, c := range []struct {
		ask    ask
		status int
	}{
		{ask{path: "/rest", as: own, header: header}, status},
		{ask{path: "/rest", header: header}, 401},
		{ask{path: "/public", as: own, header: header}, 200},
		{ask{path: "/public", header: header}, 200},
	} {
		got := g.ask(t, c.ask)
		if got.status != c.status || (c.status == 200) != (len(got.received) == 1) {
			t.Errorf("%s: status %d and %d requests at the upstream, want %d", c.ask.path, got.status, len(got.received), c.status)
			continue
		}
		for _, r := range got.received {
			if values := r.Header[http.CanonicalHeaderKey(name)]; len(values) > 0 {
				t.Errorf("%s: the upstream received %s: %q", c.ask.path, name, values)
			}
		}
		if c.status == 200 && c.ask.path == "/rest" {
			if b := g.token(t, got); b.ClientID != "partner" {
				t.Errorf("the token is for %q", b.ClientID)
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
