package envoy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/envoy"
	"sigs.k8s.io/yaml"
)

func TestParamsThatAreRefusedAndTheParameterNamed(t *testing.T) {
	route := func(r envoy.Route) func(*envoy.Params) {
		return func(p *envoy.Params) { p.Routes = []envoy.Route{r} }
	}
	cases := map[string]struct {
		change func(*envoy.Params)
		param  string
	}{
		"a version of Envoy that is not rendered for":         {func(p *envoy.Params) { p.Version = "1.36" }, "Version"},
		"a name to listen on":                                 {func(p *envoy.Params) { p.Listen = "localhost:8443" }, "Listen"},
		"an admin interface beyond loopback":                  {func(p *envoy.Params) { p.AdminListen = "0.0.0.0:9901" }, "AdminListen"},
		"no server certificate":                               {func(p *envoy.Params) { p.ServerCertificate = "" }, "ServerCertificate"},
		"no server key":                                       {func(p *envoy.Params) { p.ServerKey = "" }, "ServerKey"},
		"a path with a line break":                            {func(p *envoy.Params) { p.ServerKey = "a\nb" }, "ServerKey"},
		"an SDS file whose format Envoy cannot tell":          {func(p *envoy.Params) { p.SDSPath = "secrets" }, "SDSPath"},
		"an unknown word for the client certificate":          {func(p *envoy.Params) { p.ClientCertificate = "maybe" }, "ClientCertificate"},
		"a way past without a certificate, which is required": {func(p *envoy.Params) { p.WithoutCertificate, p.ClientCertificate = envoy.Legacy, envoy.Required }, "WithoutCertificate"},
		"a way past a proxy in front": {func(p *envoy.Params) {
			p.WithoutCertificate, p.Front = envoy.Legacy, &envoy.Front{TrustedCA: "ca.crt", SANs: []string{"a"}}
		}, "WithoutCertificate"},
		"an unknown word for who has no certificate": {func(p *envoy.Params) { p.WithoutCertificate = "allow" }, "WithoutCertificate"},
		"an old upstream that nothing leads to":      {func(p *envoy.Params) { p.LegacyUpstream = p.Upstream }, "LegacyUpstream"},
		"an old upstream without a port": {func(p *envoy.Params) {
			p.WithoutCertificate, p.LegacyUpstream = envoy.Legacy, envoy.Upstream{Scheme: "http", Host: "old"}
		}, "LegacyUpstream.Port"},
		"a proxy in front without a CA":         {func(p *envoy.Params) { p.Front = &envoy.Front{SANs: []string{"a"}} }, "Front.TrustedCA"},
		"a proxy in front of any name":          {func(p *envoy.Params) { p.Front = &envoy.Front{TrustedCA: "ca.crt"} }, "Front.SANs"},
		"a proxy in front of an empty name":     {func(p *envoy.Params) { p.Front = &envoy.Front{TrustedCA: "ca.crt", SANs: []string{""}} }, "Front.SANs[0]"},
		"no certbearer":                         {func(p *envoy.Params) { p.ExtAuthz = envoy.Endpoint{} }, "ExtAuthz.Address"},
		"certbearer over a network without TLS": {func(p *envoy.Params) { p.ExtAuthz.Address = "10.0.0.7:9191" }, "ExtAuthz.TLS"},
		"the JWKS over a network without TLS":   {func(p *envoy.Params) { p.HTTP.Address = "certbearer:9192" }, "HTTP.TLS"},
		"TLS on a Unix socket": {func(p *envoy.Params) {
			p.HTTP.TLS = &envoy.ClientTLS{Certificate: "a", Key: "b", TrustedCA: "c", ServerName: "d"}
		}, "HTTP.TLS"},
		"TLS without a name to verify": {func(p *envoy.Params) {
			p.ExtAuthz = envoy.Endpoint{Address: "10.0.0.7:9191", TLS: &envoy.ClientTLS{Certificate: "a", Key: "b", TrustedCA: "c"}}
		}, "ExtAuthz.TLS.ServerName"},
		"TLS without a CA": {func(p *envoy.Params) {
			p.ExtAuthz = envoy.Endpoint{Address: "10.0.0.7:9191", TLS: &envoy.ClientTLS{Certificate: "a", Key: "b", ServerName: "d"}}
		}, "ExtAuthz.TLS.TrustedCA"},
		"a socket path longer than the system takes": {func(p *envoy.Params) { p.HTTP.Address = "unix:/" + strings.Repeat("a", 103) }, "HTTP.Address"},
		"a negative timeout":                         {func(p *envoy.Params) { p.Timeout = -1 }, "Timeout"},
		"a timeout of an hour":                       {func(p *envoy.Params) { p.Timeout = time.Hour }, "Timeout"},
		"an upstream scheme that is none":            {func(p *envoy.Params) { p.Upstream.Scheme = "ftp" }, "Upstream.Scheme"},
		"an upstream host that is none":              {func(p *envoy.Params) { p.Upstream.Host = "a b" }, "Upstream.Host"},
		"an upstream without port":                   {func(p *envoy.Params) { p.Upstream.Port = 0 }, "Upstream.Port"},
		"https without a CA to verify by":            {func(p *envoy.Params) { p.Upstream.Scheme = "https" }, "Upstream.TrustedCA"},
		"a CA where there is no TLS":                 {func(p *envoy.Params) { p.Upstream.TrustedCA = "ca.crt" }, "Upstream.TrustedCA"},
		"jwt_authn with no JWKS to fetch": {func(p *envoy.Params) {
			p.HTTP = envoy.Endpoint{}
			p.JWTAuthn = &envoy.JWTAuthn{Issuer: "i", Audiences: []string{"a"}}
		}, "HTTP.Address"},
		"jwt_authn that takes tokens for any audience":   {func(p *envoy.Params) { p.JWTAuthn = &envoy.JWTAuthn{Issuer: "i"} }, "JWTAuthn.Audiences"},
		"jwt_authn that takes tokens of any issuer":      {func(p *envoy.Params) { p.JWTAuthn = &envoy.JWTAuthn{Audiences: []string{"a"}} }, "JWTAuthn.Issuer"},
		"a route without a name":                         {route(envoy.Route{}), "Routes[0].Name"},
		"a route host with a port":                       {route(envoy.Route{Name: "a", Host: "example.com:443"}), "Routes[0].Host"},
		"a route host that is an expression":             {route(envoy.Route{Name: "a", Host: ".*"}), "Routes[0].Host"},
		"a prefix without its slash":                     {route(envoy.Route{Name: "a", PathPrefix: "api"}), "Routes[0].PathPrefix"},
		"a prefix that ends with a slash":                {route(envoy.Route{Name: "a", PathPrefix: "/api/"}), "Routes[0].PathPrefix"},
		"a prefix with a query":                          {route(envoy.Route{Name: "a", PathPrefix: "/api?x"}), "Routes[0].PathPrefix"},
		"a prefix that normalisation would change":       {route(envoy.Route{Name: "a", PathPrefix: "/a/../b"}), "Routes[0].PathPrefix"},
		"a prefix with an escape":                        {route(envoy.Route{Name: "a", PathPrefix: "/a%2e"}), "Routes[0].PathPrefix"},
		"a method in lower case":                         {route(envoy.Route{Name: "a", Methods: []string{"get"}}), "Routes[0].Methods"},
		"a method that is an expression":                 {route(envoy.Route{Name: "a", Methods: []string{"GET", ".*"}}), "Routes[0].Methods"},
		"a preflight by another method":                  {route(envoy.Route{Name: "a", Access: envoy.Preflight, Methods: []string{"GET"}}), "Routes[0].Methods"},
		"an access that is none":                         {route(envoy.Route{Name: "a", Access: "open"}), "Routes[0].Access"},
		"two routes of one name":                         {func(p *envoy.Params) { p.Routes = []envoy.Route{{Name: "a"}, {Name: "a"}} }, "Routes[1].Name"},
		"more routes than anybody has":                   {func(p *envoy.Params) { p.Routes = make([]envoy.Route, 1001) }, "Routes"},
		"an access log with a control character in path": {func(p *envoy.Params) { p.AccessLog = "a\x00" }, "AccessLog"},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			_, err := envoy.Bootstrap(with(c.change))
			var fault *envoy.ParamError
			if !errors.As(err, &fault) {
				t.Fatalf("error is %v, want a ParamError", err)
			}
			if fault.Param != c.param {
				t.Errorf("parameter is %q, want %q (%v)", fault.Param, c.param, err)
			}
		})
	}
}

func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	err := envoy.Params{}.Validate()
	for _, param := range []string{"Listen", "ServerCertificate", "ServerKey", "SDSPath", "ExtAuthz.Address", "Upstream.Scheme", "Upstream.Host", "Upstream.Port"} {
		if !strings.Contains(err.Error(), "envoy: "+param+": ") {
			t.Errorf("%s is not named in:\n%v", param, err)
		}
	}
}

// Whatever the parameters hold, they are refused or become YAML that reads back.
func FuzzParams(f *testing.F) {
	f.Add("127.0.0.1:8443", "unix:/run/a.sock", "server.crt", "backend.example.com", "api", "api.example.com", "/api", "GET")
	f.Add("[::]:443", "10.0.0.7:9191", "/etc/tls/tls.crt", "::1", "a b", "::1", "/", "M-SEARCH")
	f.Add("[fe80::1%eth0]:443", "unix:a", "a\nb: c", "fe80::1%eth0", "\xff", ".*", "/a//b", "")
	f.Add(":8443", "[::1]:0", "", "-a.example", "", "a..b", "/%2e", "get")
	f.Fuzz(func(t *testing.T, listen, endpoint, path, host, name, routeHost, prefix, method string) {
		p := base()
		p.Listen, p.ExtAuthz.Address, p.ServerCertificate, p.Upstream.Host = listen, endpoint, path, host
		p.ExtAuthz.Plaintext = true
		p.Routes = []envoy.Route{{Name: name, Host: routeHost, PathPrefix: prefix, Methods: []string{method}}}
		b, err := envoy.Bootstrap(p)
		if err != nil {
			return
		}
		text, err := envoy.YAML(b)
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		if err := yaml.UnmarshalStrict(text, &back); err != nil {
			t.Fatalf("the YAML does not read back: %v\n%s", err, text)
		}
	})
}
