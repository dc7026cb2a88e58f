package integration_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// stand is the world in which most of docs/conformance.md is shown, and who is in
// it. The clients' names say what is special of them.
type stand struct {
	*gate
	site
	lab, other, resource, off, expired *testca.Issued
	first, second                      *testca.Issued // of one key, both the client rotating's
	seed                               *testca.Issued // made as the seed says, self-signed
	ca                                 *testca.Issued // of the clients that are bound
	alone, uncovered                   *testca.Issued // CAs that one client each trusts, unbound
	grantless                          *testca.Issued

	front      *front
	profile    *profile
	forwarding *forwarding
}

const standSettings = `
audience: https://api.example
inboundAuthorization: verify
routes:
  - {name: token, match: {pathPrefix: /oauth2/token}, access: endpoint}
  - {name: introspect, match: {pathPrefix: /oauth2/introspect}, access: endpoint}
  - {name: revoke, match: {pathPrefix: /oauth2/revoke}, access: endpoint}
  - {name: writes, match: {pathPrefix: /writes}, scope: [orders.write]}
  - {name: elsewhere, match: {pathPrefix: /elsewhere}, audience: "https://other.example"}
  - {name: rest}
`

func openStand(t *testing.T) *stand {
	t.Helper()
	key := keyOf(t, testca.P256)
	named := func(name string) *testca.Issued { return selfSigned(t, testca.Template{CommonName: name}) }
	s := &stand{
		lab: named("lab"), other: named("other"), resource: named("resource"), off: named("off"),
		expired: selfSigned(t, testca.Template{CommonName: "expired", NotAfter: time.Now().Add(-time.Minute)}),
		first:   selfSigned(t, testca.Template{CommonName: "rotating", Key: key}),
		second:  selfSigned(t, testca.Template{CommonName: "rotating", Key: key}),
		seed:    made(t)(testca.LikeOpenSSL("My Integration Client", "My Organization")),
		ca:      authority(t, "Shared CA"),
		alone:   authority(t, "CA of one"), uncovered: authority(t, "CA of another"),
		grantless: named("no-grant"),
	}
	w := open(t, plan{settings: standSettings, clients: s.documents()})
	s.gate = w.envoy()
	s.site = s.gate.site()
	s.front, s.profile, s.forwarding = openFront(t), openProfile(t), openForwarding(t)
	return s
}

func (s *stand) documents() map[string]document {
	both := []string{"https://api.example", "https://other.example"}
	bound := func(kind, value string) document {
		return trusting(s.ca).with("tokenEndpointAuthMethod", "tls_client_auth").with("tlsClientAuth", map[string]any{kind: value})
	}
	return map[string]document{
		"lab": trusting(s.lab).with("audience", both).
			with("scope", []string{"orders.read", "orders.write"}).with("defaultScope", []string{"orders.read"}),
		"other":     trusting(s.other).with("accessTokenLifetime", "60s"),
		"resource":  trusting(s.resource).with("introspects", []string{"https://api.example"}),
		"off":       trusting(s.off).with("status", "off"),
		"expired":   trusting(s.expired),
		"rotating":  trusting(s.first, s.second),
		"seed":      trusting(s.seed).with("tokenEndpointAuthMethod", "self_signed_tls_client_auth"),
		"no-grant":  trusting(s.grantless).with("grantType", []string{"authorization_code"}),
		"by-dn":     bound("subjectDn", `OU=Trade+CN=lab,O=Acme\2C Inc.`),
		"by-dns":    bound("sanDns", "lab.example"),
		"by-uri":    bound("sanUri", "spiffe://td/lab"),
		"by-ip":     bound("sanIp", "192.0.2.7"),
		"by-ip6":    bound("sanIp", "2001:DB8:0::7"),
		"by-email":  bound("sanEmail", "ops@lab.example"),
		"unbound":   trusting(s.alone),
		"uncovered": trusting(s.uncovered),
	}
}

// refusesToken sends a token to the gateway, which must refuse it for the reason.
func (s *stand) refusesToken(t *testing.T, token string, as *testca.Issued, reason string) {
	t.Helper()
	a := ask{path: "/rest", header: carrying(token)}
	if as != nil {
		a.as = presents(as)
	}
	got, _ := s.expect(t, a, want{status: http.StatusUnauthorized, reason: reason, oauth: "invalid_token"})
	if challenge := got.header["Www-Authenticate"]; len(challenge) != 1 || challenge[0] != `Bearer error="invalid_token"` {
		t.Errorf("WWW-Authenticate is %q", challenge)
	}
}

// takesToken sends a token to the gateway, which must let the client through.
func (s *stand) takesToken(t *testing.T, token, client string, as *testca.Issued) {
	t.Helper()
	s.expect(t, ask{path: "/rest", as: presents(as), header: carrying(token)}, admitted(client))
}

// bound is the cnf of tokens for a certificate.
func boundTo(issued *testca.Issued) values { return values{"x5t#S256": thumbprint(presents(issued))} }
