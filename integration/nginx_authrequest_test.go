package integration_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// rendered starts nginx with what `render nginx` writes, at a port of its own.
func (w *world) rendered(t *testing.T) *proxyServer { return w.renderedBehind(t, "") }

// renderedBehind is rendered in an http block that says more.
func (w *world) renderedBehind(t *testing.T, more string) *proxyServer {
	t.Helper()
	port := freePort(t)
	editSettings(t, w.config, settings{"nginx": map[string]any{"listen": "127.0.0.1:" + port}})
	folder := filepath.Join(w.folder, "envoy-nginx-conf")
	mustRun(t, "render", "nginx", "--config", w.config, "--output-dir", folder)
	if _, err := os.Stat(filepath.Join(folder, "certbearer.conf")); err != nil {
		t.Fatal(err)
	}
	return w.nginx(t, port, more+" include "+filepath.Join(folder, "*.conf")+";")
}

// ask sends a request whose path stands in it as it is, and returns what the
// upstream received of it too.
func (p *proxyServer) ask(t *testing.T, a ask) answer {
	t.Helper()
	before := p.world.upstream.count()
	request, err := http.NewRequestWithContext(context.Background(), orElse(a.method, http.MethodGet), p.base, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(orElse(a.path, "/hello"), "?")
	request.URL.Opaque, request.URL.RawQuery = path, query // as it is
	request.Host = a.host
	for name, values := range a.header {
		request.Header[name] = values
	}
	got := p.do(t, request, a.as)
	got.received = p.world.upstream.since(before)
	return got
}

const behindNginx = `
audience: https://api.example
nginx: {serverNames: [localhost, "*.example"]}
routes:
- {name: open, match: {pathPrefix: /public}, access: public}
- {name: preflight, match: {pathPrefix: /orders}, access: preflight}
- {name: foreign, match: {pathPrefix: /foreign}, inboundAuthorization: pass}
- {name: told, match: {pathPrefix: /told}, inject: {clientCert: rfc9440}}
- {name: elsewhere, match: {pathPrefix: /elsewhere}, audience: "https://other.example"}
- {name: host, match: {host: partner.example}, clientId: partner}
- {name: posts, match: {pathPrefix: /orders, methods: [POST]}}
- {name: orders, match: {pathPrefix: /orders}, inboundAuthorization: replace}
- {name: default, inboundAuthorization: replace}
`

// What the upstream has to have received.
const (
	nothing   = "nothing"
	anonymous = "without Authorization"
	withToken = "a token"
	asItCame  = "Basic own"
)

func TestAuthRequestOfNginx(t *testing.T) {
	lab, partner, stranger := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "partner"}), selfSigned(t, testca.Template{CommonName: "lab"})
	w := openBehindNginx(t, plan{settings: behindNginx, clients: map[string]document{
		"lab": trusting(lab).with("scope", []string{"orders.read"}), "partner": trusting(partner),
	}})
	p := w.rendered(t)
	keys := keysOf(t, p.site)
	own := func(values ...string) http.Header { return http.Header{"Authorization": values} }
	as, other, no := presents(lab), presents(stranger), (*tls.Certificate)(nil)
	for sentence, test := range map[string]struct {
		ask    ask
		status int
		reason string
		got    string
	}{
		"what a caller says of a certificate comes off":         {ask{as: as, header: http.Header{"X-Ssl-Client-Verify": {"SUCCESS"}, "X-Ssl-Client-S-Dn": {"CN=partner"}}}, 200, allowed, withToken},
		"a known certificate becomes a token":                   {ask{as: as}, 200, allowed, withToken},
		"over a POST, whose body arrives":                       {ask{as: as, method: "POST", path: "/orders", body: strings.Repeat("x", 5000)}, 200, allowed, withToken},
		"over a HEAD":                                           {ask{as: as, method: "HEAD"}, 200, allowed, withToken},
		"the caller's Authorization is overwritten":             {ask{as: as, header: own("Basic own")}, 200, allowed, withToken},
		"two of them nginx itself refuses":                      {ask{as: as, header: own("Basic own", "Bearer other")}, 400, "", nothing},
		"a stranger gets nowhere":                               {ask{as: other}, 401, "client_unknown", nothing},
		"nor does who has no certificate":                       {ask{as: no}, 401, "certificate_missing", nothing},
		"nor with the certificate in a header":                  {ask{as: no, header: http.Header{"X-Mtls-Cert": {escaped(lab)}}}, 401, "certificate_missing", nothing},
		"nor with one beside its own":                           {ask{as: other, header: http.Header{"X-Mtls-Cert": {escaped(lab)}}}, 401, "client_unknown", nothing},
		"nor by saying what nginx would":                        {ask{as: no, path: "/orders", header: http.Header{"X-Original-Uri": {"/public"}, "X-Original-Method": {"GET"}, "X-Original-Host": {"a"}}}, 401, "certificate_missing", nothing},
		"a public route needs none":                             {ask{as: no, path: "/public/a"}, 200, allowedPublic, anonymous},
		"and takes the caller's Authorization off":              {ask{as: no, path: "/public/a", header: own("Basic own")}, 200, allowedPublic, anonymous},
		"a preflight passes without":                            {ask{as: no, method: "OPTIONS", path: "/orders", header: http.Header{"Origin": {"https://a.example"}, "Access-Control-Request-Method": {"POST"}}}, 200, allowedPreflight, anonymous},
		"another OPTIONS does not":                              {ask{as: no, method: "OPTIONS", path: "/orders"}, 401, "certificate_missing", nothing},
		"a foreign Authorization stays where it may":            {ask{as: as, path: "/foreign", header: own("Basic own")}, 200, "allowed_foreign", asItCame},
		"a forbidden audience is a 403":                         {ask{as: as, path: "/elsewhere"}, 403, "audience_not_allowed", nothing},
		"a route is chosen by the host":                         {ask{as: presents(partner), host: "partner.example"}, 200, allowed, withToken},
		"and is another client's then":                          {ask{as: as, host: "partner.example"}, 401, "client_conflict", nothing},
		"in other capitals and with a port too":                 {ask{as: as, host: "PARTNER.example:8443"}, 401, "client_conflict", nothing},
		"dots in a path are a refusal, which nginx calls 500":   {ask{as: as, path: "/public/../orders"}, 500, "path_ambiguous", nothing},
		"so are encoded dots":                                   {ask{as: no, path: "/public/%2e%2e/orders"}, 500, "path_ambiguous", nothing},
		"and an encoded slash":                                  {ask{as: no, path: "/public/..%2forders"}, 500, "path_ambiguous", nothing},
		"and dots before a semicolon":                           {ask{as: no, path: "/public/..;/orders"}, 500, "path_ambiguous", nothing},
		"and an empty segment":                                  {ask{as: no, path: "/public//orders"}, 500, "path_ambiguous", nothing},
		"and what a service may read on behind a fragment":      {ask{as: no, path: "/public/a#/../../orders"}, 500, "request_malformed", nothing},
		"a query is no path":                                    {ask{as: no, path: "/public/a?b=/../c"}, 200, allowedPublic, anonymous},
		"a token in the query is refused":                       {ask{as: as, path: "/orders?access_token=x"}, 500, "token_in_query", nothing},
		"what nginx asks is not for callers":                    {ask{as: as, path: "/_certbearer"}, 404, "", nothing},
		"nor is certbearer's own path, which is the upstream's": {ask{as: as, path: "/authz"}, 200, allowed, withToken},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := p.ask(t, test.ask)
			if got.status != test.status {
				t.Errorf("status %d with %s, want %d", got.status, got.body, test.status)
			}
			if got.id == "" {
				t.Error("the answer names no request")
			}
			if test.reason != "" {
				if r := w.record(t, got.id); r.Reason != test.reason {
					t.Errorf("the record is %+v, want %s", r, test.reason)
				}
			}
			checkArrived(t, keys, got.received, test.got)
			checkRefused(t, got)
		})
	}
}

// checkArrived holds what the upstream received to one request with such an
// Authorization.
func checkArrived(t *testing.T, keys *keySet, received []received, want string) {
	t.Helper()
	if (len(received) > 0) != (want != nothing) || len(received) > 1 {
		t.Fatalf("the upstream received %+v, want %s", received, want)
	}
	if want == nothing {
		return
	}
	header := received[0].Header
	for _, name := range []string{"X-Mtls-Cert", "X-Original-Uri", "X-Forwarded-Client-Cert", "Certbearer-Body", "X-Ssl-Client-Verify", "X-Ssl-Client-S-Dn"} {
		if _, found := header[name]; found {
			t.Errorf("the upstream received %s", name)
		}
	}
	switch values := header["Authorization"]; want {
	case anonymous:
		if len(values) > 0 {
			t.Errorf("the upstream received %q", values)
		}
	case withToken:
		if _, err := keys.verify(values); err != nil {
			t.Error(err)
		}
	default:
		if len(values) != 1 || values[0] != want {
			t.Errorf("the upstream received %q, want %q", values, want)
		}
	}
}

// checkRefused holds a refusal to the words that a caller of Envoy gets.
func checkRefused(t *testing.T, got answer) {
	t.Helper()
	switch got.status {
	case http.StatusUnauthorized:
		if challenge := got.header["Www-Authenticate"]; len(challenge) != 1 || challenge[0] != "Bearer" {
			t.Errorf("WWW-Authenticate is %q", challenge)
		}
		if got.oauth != "invalid_client" {
			t.Errorf("the body is %q", got.body)
		}
	case http.StatusForbidden:
		if got.oauth != "access_denied" {
			t.Errorf("the body is %q", got.body)
		}
	}
	if text := got.header.Get("Certbearer-Body") + got.header.Get("Authorization"); text != "" {
		t.Errorf("the caller got %q", text)
	}
}

// keysOf is the JWKS behind a site.
func keysOf(t *testing.T, s site) *keySet {
	t.Helper()
	return &keySet{get: func() (answer, error) { return s.get(t, "/.well-known/jwks.json", nil), nil }}
}

func TestNginxHandsTheProvenCertificateOn(t *testing.T) {
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	w := openBehindNginx(t, plan{settings: behindNginx, clients: map[string]document{"lab": trusting(lab)}})
	p := w.rendered(t)
	forged := http.Header{"Client-Cert": {":MIIB:"}, "Client-Cert-Chain": {":MIIB:"}}
	for path, want := range map[string][]string{"/told": {":" + standardBase64(lab) + ":"}, "/hello": nil, "/public": nil} {
		got := p.ask(t, ask{as: presents(lab), path: path, header: forged})
		if len(got.received) != 1 {
			t.Fatalf("%s: status %d", path, got.status)
		}
		header := got.received[0].Header
		if diff := cmp.Diff(want, header["Client-Cert"]); diff != "" || header["Client-Cert-Chain"] != nil {
			t.Errorf("%s: Client-Cert (-want +got)\n%s", path, diff)
		}
	}
}

func TestNginxInShadow(t *testing.T) {
	lab, stranger := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "lab"})
	w := openBehindNginx(t, plan{settings: "mode: shadow", clients: map[string]document{"lab": trusting(lab)}})
	p := w.rendered(t)
	for sentence, as := range map[string]*tls.Certificate{"a stranger": presents(stranger), "nobody": nil, "a client": presents(lab)} {
		got := p.ask(t, ask{as: as, header: http.Header{"Authorization": {"Basic own"}}})
		if got.status != http.StatusOK {
			t.Errorf("%s: status %d", sentence, got.status)
		}
		checkArrived(t, nil, got.received, asItCame)
		if r := w.record(t, got.id); r.Mode != "shadow" {
			t.Errorf("%s: the record is %+v", sentence, r)
		}
	}
}

func TestEndpointsBehindTheRenderedNginx(t *testing.T) {
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	w := openBehindNginx(t, plan{settings: behindNginx, clients: map[string]document{"lab": trusting(lab)}})
	p := w.rendered(t)
	token := p.tokenFor(t, "lab", presents(lab))
	if got := p.introspect(t, "lab", presents(lab), token); got["active"] != true {
		t.Errorf("introspection says %v", got)
	}
	p.refuses(t, posted{form: granting("lab"), header: http.Header{"X-Mtls-Cert": {escaped(lab)}}}, 401, "invalid_client")
	revoked := p.post(t, posted{path: revokePath, form: url.Values{"client_id": {"lab"}, "token": {token}}, as: presents(lab)})
	if revoked.status != http.StatusOK {
		t.Errorf("revocation: status %d with %s", revoked.status, revoked.body)
	}
	if got := p.introspect(t, "lab", presents(lab), token); got["active"] != false {
		t.Errorf("after its revocation introspection says %v", got)
	}
	if got := p.metadata(t); got["token_endpoint"] == nil {
		t.Errorf("metadata is %v", got)
	}
	got := p.post(t, posted{form: granting("lab"), as: presents(lab)})
	if r := w.judged(t, got.id); r.Reason != "token_issued" || r.RequestID != got.id {
		t.Errorf("the record is %+v", r)
	}
}

// nginx refuses an answer whose headers have more than a page of memory, unless told
// otherwise; this one has a token and the largest certificate that is handed on.
func TestALargeCertificateIsHandedOnThroughNginx(t *testing.T) {
	large := testca.Template{CommonName: "lab"}
	for i := range 110 {
		large.DNSNames = append(large.DNSNames, fmt.Sprintf("%03d.%s.example", i, strings.Repeat("a", 60)))
	}
	lab := selfSigned(t, large)
	w := openBehindNginx(t, plan{settings: behindNginx, clients: map[string]document{"lab": trusting(lab)}})
	p := w.rendered(t)
	got := p.ask(t, ask{as: presents(lab), path: "/told"})
	want := ":" + standardBase64(lab) + ":"
	if got.status != http.StatusOK || len(got.received) != 1 || got.received[0].Header.Get("Client-Cert") != want {
		t.Errorf("%d bytes: status %d, the upstream received %d", len(want), got.status, len(got.received))
	}
}

// The rendered file stands in an http block of others, whose directives its server
// inherits.
func TestWhatTheHTTPBlockSaysOpensNothing(t *testing.T) {
	lab, stranger := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "lab"})
	w := openBehindNginx(t, plan{settings: behindNginx, clients: map[string]document{"lab": trusting(lab)}})
	keys := keysOf(t, w.rendered(t).site)
	for sentence, more := range map[string]string{
		"an address that is allowed is not enough": "satisfy any; allow all;",
		"no answer is kept": "proxy_cache_path " + filepath.Join(w.folder, "cache") + " keys_zone=answers:1m; proxy_cache answers; proxy_cache_valid any 1h;" +
			"proxy_cache_methods GET POST; proxy_ignore_headers Cache-Control Expires Vary Set-Cookie;",
		"a refusal stays one":          "proxy_intercept_errors on; recursive_error_pages on; error_page 401 403 500 =200 /public;",
		"a caller's headers are not":   "proxy_set_header X-Mtls-Cert forged; proxy_set_header X-Original-URI /public;",
		"nor is what is not passed on": "proxy_pass_request_headers off; proxy_request_buffering off;",
		"nor are odd names":            "underscores_in_headers on; ignore_invalid_headers off; merge_slashes off;",
	} {
		t.Run(sentence, func(t *testing.T) {
			p := w.renderedBehind(t, more)
			for _, method := range []string{"GET", "POST"} {
				got := p.ask(t, ask{as: presents(lab), path: "/orders", method: method})
				checkArrived(t, keys, got.received, withToken)
				for _, as := range []*tls.Certificate{nil, presents(stranger)} {
					got := p.ask(t, ask{as: as, path: "/orders", method: method, header: http.Header{"x_mtls_cert": {escaped(lab)}}})
					if got.status != http.StatusUnauthorized || len(got.received) > 0 {
						t.Errorf("%s: status %d, the upstream received %d", method, got.status, len(got.received))
					}
				}
			}
		})
	}
}

// The answer to a check has the token. nginx chooses a location by where the dots of a
// path lead, and one of certbearer's own must not take such a path to a check.
func TestNoPathLeadsAClientToTheAnswerOfACheck(t *testing.T) {
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	// One route, so that no path is refused because it could be another's.
	w := openBehindNginx(t, plan{settings: "audience: https://api.example\nroutes: [{name: default}]", clients: map[string]document{"lab": trusting(lab)}})
	port := freePort(t)
	for name, p := range map[string]*proxyServer{"the rendered file": w.rendered(t), "the seed's block": w.nginx(t, port, w.seedBlock(port))} {
		for _, path := range []string{
			"/authz/../oauth2/token", "/authz/%2e%2e/oauth2/token", "/authz/..%2Foauth2/token", "/authz/a/..%2f../oauth2/token",
			"/./authz/../oauth2/token", "//authz/../oauth2/token", "/authz/../.well-known/jwks.json",
		} {
			got := p.ask(t, ask{as: presents(lab), path: path})
			if token := got.header.Get("Authorization"); token != "" {
				t.Errorf("%s: %s was answered with a token, status %d", name, path, got.status)
			}
			if r := w.records(t); len(r) > 0 && r[len(r)-1].Reason == allowed {
				t.Errorf("%s: %s was a check that is allowed", name, path)
			}
		}
	}
}

func TestWithoutCertbearerNginxLetsNothingPass(t *testing.T) {
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	w := openBehindNginx(t, plan{settings: behindNginx, clients: map[string]document{"lab": trusting(lab)}})
	p := w.rendered(t)
	request := ask{as: presents(lab)}
	if got := p.ask(t, request); got.status != http.StatusOK {
		t.Fatalf("status %d", got.status)
	}
	for sentence, end := range map[string]func(){
		"stopped": func() { w.serve.stop(t) },
		"killed":  func() { w.serve.kill() },
	} {
		end()
		for _, a := range []ask{request, {path: "/public/a"}, {as: presents(lab), header: http.Header{"Authorization": {"Bearer own"}}}} {
			if got := p.ask(t, a); got.status != http.StatusInternalServerError || len(got.received) > 0 {
				t.Errorf("%s: status %d, the upstream received %d", sentence, got.status, len(got.received))
			}
		}
		w.start()
		eventually(t, "requests are admitted again", func() bool { return p.ask(t, request).status == http.StatusOK })
	}
}
