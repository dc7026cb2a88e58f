package integration_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/certbearer/certbearer/extauthz/testca"
)

const httpCluster = "certbearer-over-http"

// overHTTP has Envoy ask by HTTP, at the socket, as Istio's envoyExtAuthzHttp does.
func overHTTP(socket string, edit func(*authzv3.ExtAuthz)) change {
	names := func(all ...string) *matcherv3.ListStringMatcher {
		list := new(matcherv3.ListStringMatcher)
		for _, name := range all {
			list.Patterns = append(list.Patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}})
		}
		return list
	}
	filter := manager(func(t *testing.T, m *hcmv3.HttpConnectionManager) {
		t.Helper()
		for _, f := range m.GetHttpFilters() {
			if f.GetName() != extAuthz {
				continue
			}
			authz := new(authzv3.ExtAuthz)
			if err := f.GetTypedConfig().UnmarshalTo(authz); err != nil {
				t.Fatal(err)
			}
			authz.IncludePeerCertificate = false
			authz.AllowedHeaders = names("x-forwarded-client-cert", "authorization", "origin", "access-control-request-method", "x-request-id")
			authz.Services = &authzv3.ExtAuthz_HttpService{HttpService: &authzv3.HttpService{
				ServerUri: &corev3.HttpUri{
					Uri: "http://certbearer", Timeout: durationpb.New(10 * time.Second),
					HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: httpCluster},
				},
				PathPrefix:            "/authz",
				AuthorizationResponse: &authzv3.AuthorizationResponse{AllowedUpstreamHeaders: names("authorization", "certbearer-statement")},
			}}
			if edit != nil {
				edit(authz)
			}
			if err := f.GetTypedConfig().MarshalFrom(authz); err != nil {
				t.Fatal(err)
			}
		}
	})
	return func(t *testing.T, b *bootstrapv3.Bootstrap) {
		t.Helper()
		filter(t, b)
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, &clusterv3.Cluster{
			Name: httpCluster, ConnectTimeout: durationpb.New(time.Second),
			LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: httpCluster, Endpoints: []*endpointv3.LocalityLbEndpoints{{
				LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
					Address: &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: socket}}},
				}}}},
			}}},
		})
	}
}

const overHTTPSettings = `
audience: https://api.example
proxies: [{name: mesh, socket: "unix:run/mesh.sock", format: xfcc}]
routes:
- {name: token, match: {pathPrefix: /oauth2/token}, access: endpoint}
- {name: open, match: {pathPrefix: /public}, access: public, inboundAuthorization: replace}
- {name: cors, match: {pathPrefix: /orders}, access: preflight}
- {name: foreign, match: {pathPrefix: /foreign}, inboundAuthorization: pass}
- {name: elsewhere, match: {pathPrefix: /elsewhere}, audience: "https://other.example"}
- {name: rest, inboundAuthorization: replace}
`

func openOverHTTP(t *testing.T, clients map[string]document, edit func(*authzv3.ExtAuthz), more ...change) *gate {
	t.Helper()
	realEnvoy(t)
	w := open(t, plan{settings: overHTTPSettings, clients: clients})
	return w.envoy(append(more, overHTTP(filepath.Join(w.folder, "run", "mesh.sock"), edit))...)
}

func TestEnvoyThatAsksOverHTTP(t *testing.T) {
	lab, stranger := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "lab"})
	root := authority(t, "Root")
	leaf := issue(t, issue(t, root, testca.Template{CommonName: "Between", CA: true}), testca.Template{CommonName: "leaf"})
	// Envoy's own removal is off, so that certbearer's answer has to do it.
	g := openOverHTTP(t, map[string]document{"lab": trusting(lab), "chained": trusting(root)}, nil, noEarlyRemoval())
	own := http.Header{"Authorization": {"Basic own"}}
	smuggle := http.Header{"X-Forwarded-Client-Cert": {elementOf(lab)}}
	for sentence, test := range map[string]struct {
		ask  ask
		want want
	}{
		"a known certificate becomes a token":         {ask{as: presents(lab)}, admitted("lab")},
		"over HTTP/2 too":                             {ask{as: presents(lab), http2: true}, admitted("lab")},
		"over a POST with a body":                     {ask{as: presents(lab), method: "POST", body: "x"}, admitted("lab")},
		"with its intermediates":                      {ask{as: presents(leaf)}, admitted("chained")},
		"the caller's Authorization is overwritten":   {ask{as: presents(lab), header: own}, admitted("lab")},
		"two of them are":                             {ask{as: presents(lab), header: http.Header{"Authorization": {"Basic a", "Bearer b"}}}, admitted("lab")},
		"a stranger is refused":                       {ask{as: presents(stranger)}, unauthenticated("client_unknown")},
		"so is who has no certificate":                {ask{}, unauthenticated("certificate_missing")},
		"a header of the caller's is no certificate":  {ask{header: smuggle}, unauthenticated("certificate_missing")},
		"nor beside one":                              {ask{as: presents(stranger), header: smuggle}, unauthenticated("client_unknown")},
		"a public route takes Authorization off":      {ask{path: "/public", header: own}, want{status: 200, reason: allowedPublic}},
		"a preflight passes":                          {ask{method: "OPTIONS", path: "/orders", header: http.Header{"Origin": {"https://a"}, "Access-Control-Request-Method": {"GET"}}}, want{status: 200, reason: allowedPreflight}},
		"a forbidden audience is a 403":               {ask{as: presents(lab), path: "/elsewhere"}, want{status: 403, reason: "audience_not_allowed", oauth: "access_denied"}},
		"the path of checks is a path like any other": {ask{path: "/authz"}, unauthenticated("certificate_missing")},
		"so is one that climbs up to it":              {ask{path: "/x/../authz"}, unauthenticated("certificate_missing")},
		"and what nginx would say counts for nothing": {ask{path: "/authz", header: http.Header{"X-Original-Uri": {"/public"}, "X-Original-Method": {"GET"}, "X-Original-Host": {"a"}}}, unauthenticated("certificate_missing")},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, _ := g.expect(t, test.ask, test.want)
			if got.status == http.StatusUnauthorized && got.header.Get("Www-Authenticate") != "Bearer" {
				t.Errorf("WWW-Authenticate is %q", got.header.Get("Www-Authenticate"))
			}
		})
	}
	t.Run("targets that are no path get nowhere", func(t *testing.T) {
		for _, line := range []string{"OPTIONS * HTTP/1.1", "CONNECT api.example:443 HTTP/1.1", "GET ?a HTTP/1.1", "GET http://api.example HTTP/1.1"} {
			before, config := g.world.upstream.count(), g.tls(nil)
			config.NextProtos = []string{"http/1.1"}
			conn, err := tls.Dial("tcp", g.address.String(), config)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, err = io.WriteString(conn, line+"\r\nHost: api.example\r\nX-Original-Method: GET\r\nX-Original-URI: /public\r\nX-Original-Host: a\r\nConnection: close\r\n\r\n")
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || answer.StatusCode < 400 || len(g.world.upstream.since(before)) > 0 {
				t.Errorf("%s: %v, %v, %d requests at the upstream", line, answer, err, len(g.world.upstream.since(before)))
			}
			_ = conn.Close()
		}
	})
	t.Run("a foreign Authorization stays where it may", func(t *testing.T) {
		got := g.ask(t, ask{as: presents(lab), path: "/foreign", header: own})
		if len(got.received) != 1 || got.received[0].Header.Get("Authorization") != "Basic own" {
			t.Errorf("status %d, the upstream received %+v", got.status, got.received)
		}
	})
	t.Run("certificate headers of the caller come off", func(t *testing.T) {
		got := g.ask(t, ask{as: presents(lab), header: http.Header{"Client-Cert": {":MIIB:"}, "X-Amzn-Mtls-Clientcert": {"x"}, "X-Other": {"kept"}}})
		if len(got.received) != 1 {
			t.Fatalf("status %d", got.status)
		}
		header := got.received[0].Header
		if header.Get("Client-Cert") != "" || header.Get("X-Amzn-Mtls-Clientcert") != "" || header.Get("X-Other") != "kept" {
			t.Errorf("the upstream received %v", header)
		}
	})
	t.Run("the token endpoint gets the statement", func(t *testing.T) {
		// Nothing but the host says that Envoy leads the path to us.
		s := site{strings.Replace(g.site().base, "127.0.0.1", "localhost", 1), g.site().roots}
		s.tokenFor(t, "lab", presents(lab))
		g.site().refuses(t, posted{form: granting("lab"), as: presents(lab)}, 403, "access_denied")
		s.refuses(t, posted{form: granting("lab"), as: presents(stranger)}, 401, "invalid_client")
	})
}

// Envoy's HTTP service takes a 5xx for a failure of ours, and failure_mode_allow
// lets those pass: what is not available is refused with another status.
func TestWhatIsNotAvailablePassesNoEnvoyThatAsksOverHTTP(t *testing.T) {
	realEnvoy(t)
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	w := open(t, plan{settings: overHTTPSettings + "\nkeys: {generate: false}\n", clients: map[string]document{"lab": trusting(lab)}})
	g := w.envoy(overHTTP(filepath.Join(w.folder, "run", "mesh.sock"), func(a *authzv3.ExtAuthz) { a.FailureModeAllow = true }))
	g.expect(t, ask{as: presents(lab)}, admitted("lab"))
	keys, err := filepath.Glob(filepath.Join(w.folder, "keys", "*.json"))
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	for _, key := range keys {
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
	}
	g.until(t, "no key signs", ask{as: presents(lab)}, func(a answer) bool { return a.status != http.StatusOK })
	got := g.ask(t, ask{as: presents(lab)})
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "temporarily_unavailable") || len(got.received) > 0 {
		t.Errorf("status %d with %s, the upstream received %d", got.status, got.body, len(got.received))
	}
	if r := w.record(t, got.id); r.Reason != "signing_key_missing" {
		t.Errorf("the record is %+v", r)
	}
}
