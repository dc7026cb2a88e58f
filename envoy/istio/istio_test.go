package istio_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/envoy/istio"
)

func base() istio.Params {
	return istio.Params{
		Namespace: "certbearer", Image: "certbearer:dev", TrustDomain: "cluster.local", ClusterDomain: "cluster.local",
		Gateway: istio.Gateway{
			Namespace: "istio-system", Selector: map[string]string{"istio": "ingressgateway"}, ServiceAccount: "edge", Port: 443,
		},
		Hosts: []string{"gateway.example"}, CredentialName: "certbearer-gateway",
		Upstream: istio.Upstream{Host: "orders.shop.svc.cluster.local", Port: 8080},
		Issuer:   "https://gateway.example", Audiences: []string{"https://orders.example"},
		Settings: []byte("issuer: https://gateway.example\n"),
		GRPC:     "/run/certbearer/sockets/extauthz.sock", HTTP: "/run/certbearer/sockets/http.sock",
		OpsPort: 9193, Clients: "/etc/certbearer-clients", State: "/var/lib/certbearer", Timeout: 500 * time.Millisecond,
		Routes: []istio.Route{{Host: "*", PathPrefix: "/", Access: envoy.Certificate}},
	}
}

func TestParamsThatWouldRenderSomethingElseAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*istio.Params)
		param  string
	}{
		"no namespace":                           {func(p *istio.Params) { p.Namespace = "" }, "Namespace"},
		"no labels of the gateway":               {func(p *istio.Params) { p.Gateway.Selector = nil }, "Gateway.Selector"},
		"no hosts":                               {func(p *istio.Params) { p.Hosts = nil }, "Hosts"},
		"no timeout, which would be Istio's own": {func(p *istio.Params) { p.Timeout = 0 }, "Timeout"},
		"a TCP address for a socket":             {func(p *istio.Params) { p.GRPC = "0.0.0.0:9191" }, "GRPC"},
		"sockets in two folders":                 {func(p *istio.Params) { p.HTTP = "/run/other/sockets/http.sock" }, "HTTP"},
		"a socket in the volume's own folder":    {func(p *istio.Params) { p.GRPC, p.HTTP = "/run/a.sock", "/run/b.sock" }, "GRPC"},
		"the ops port of the Service's":          {func(p *istio.Params) { p.OpsPort = 8081 }, "OpsPort"},
		"the provider's socket elsewhere":        {func(p *istio.Params) { p.Proxy = "/run/other/sockets/g.sock" }, "Proxy"},
		"a relative folder":                      {func(p *istio.Params) { p.Clients = "clients" }, "Clients"},
		"the root as the volume":                 {func(p *istio.Params) { p.State = "/" }, "State"},
	} {
		t.Run(name, func(t *testing.T) {
			p := base()
			c.change(&p)
			_, err := istio.Files(p)
			var fault *istio.ParamError
			if !errors.As(err, &fault) || fault.Param != c.param {
				t.Errorf("got %v, want a fault of %s", err, c.param)
			}
		})
	}
}

func TestMoreRoutesThanAPolicyCanTellApartAreRefused(t *testing.T) {
	p := base()
	p.Routes = nil
	for i := range 6 {
		p.Routes = append(p.Routes, istio.Route{Host: fmt.Sprintf("h%d.example", i), PathPrefix: "/a", Methods: []string{"GET"}, Access: envoy.Public})
	}
	p.Routes = append(p.Routes, istio.Route{Host: "*", PathPrefix: "/", Access: envoy.Certificate})
	var fault *istio.ParamError
	if _, err := istio.Files(p); !errors.As(err, &fault) || fault.Param != "Routes" {
		t.Errorf("got %v", err)
	}
}

// policy is as much of an AuthorizationPolicy as the test evaluates.
type policy struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Rules []struct {
			To []struct{ Operation operation }
		}
	}
}

type operation struct {
	Hosts      []string
	NotHosts   []string `yaml:"notHosts"`
	Paths      []string
	NotPaths   []string `yaml:"notPaths"`
	Methods    []string
	NotMethods []string `yaml:"notMethods"`
}

// covers is how Istio documents an operation: all that is given must hold.
func (o operation) covers(r request) bool {
	holds := func(values []string, got string) bool { return values == nil || slices.ContainsFunc(values, like(got)) }
	fails := func(values []string, got string) bool { return !slices.ContainsFunc(values, like(got)) }
	return holds(o.Hosts, r.host) && fails(o.NotHosts, r.host) && holds(o.Paths, r.path) && fails(o.NotPaths, r.path) &&
		holds(o.Methods, r.method) && fails(o.NotMethods, r.method)
}

func like(got string) func(string) bool {
	return func(pattern string) bool {
		if below, found := strings.CutSuffix(pattern, "*"); found {
			return strings.HasPrefix(got, below)
		}
		if below, found := strings.CutPrefix(pattern, "*"); found {
			return strings.HasSuffix(got, below)
		}
		return got == pattern
	}
}

type request struct{ host, path, method string }

func policyOf(t *testing.T, p istio.Params, file, name string) policy {
	t.Helper()
	files, err := istio.Files(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name != file {
			continue
		}
		for decoder := yaml.NewDecoder(bytes.NewReader(f.Text)); ; {
			var found policy
			if decoder.Decode(&found) != nil {
				break
			}
			if found.Kind == "AuthorizationPolicy" && found.Metadata.Name == name {
				return found
			}
		}
	}
	return policy{}
}

func (p policy) covers(r request) bool {
	for _, rule := range p.Spec.Rules {
		for _, to := range rule.To {
			if to.Operation.covers(r) {
				return true
			}
		}
	}
	return false
}

func requests() []request {
	var all []request
	for _, host := range []string{"a.example", "a.example:8443", "b.example", "x.c.example"} {
		for _, path := range []string{"/", "/a", "/a/x", "/ab", "/b", "/oauth2/token", "/.well-known/jwks.json"} {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				all = append(all, request{host, path, method})
			}
		}
	}
	return all
}

// first is the access of the first route that covers the request, as certbearer
// decides. A policy sees no preflight in an OPTIONS, so here every OPTIONS is one.
func first(routes []istio.Route, r request) envoy.Access {
	host, _, _ := strings.Cut(r.host, ":")
	for _, route := range routes {
		byHost := route.Host == "*" || route.Host == host || strings.HasPrefix(route.Host, "*.") && strings.HasSuffix(host, route.Host[1:])
		byPath := route.PathPrefix == "/" || r.path == route.PathPrefix ||
			route.Access != envoy.OwnEndpoint && strings.HasPrefix(r.path, route.PathPrefix+"/")
		byMethod := len(route.Methods) == 0 || slices.Contains(route.Methods, r.method)
		if route.Access == envoy.Preflight {
			byMethod = r.method == "OPTIONS"
		}
		if byHost && byPath && byMethod {
			return route.Access
		}
	}
	return ""
}

// Over every list of three of these routes and every request: a token is asked for
// exactly where the first match injects one, but for what is published.
func TestATokenIsAskedForWhereTheFirstMatchInjectsOne(t *testing.T) {
	kinds := []istio.Route{
		{Host: "*", PathPrefix: "/", Access: envoy.Certificate},
		{Host: "a.example", PathPrefix: "/a", Access: envoy.Certificate},
		{Host: "*.c.example", PathPrefix: "/", Methods: []string{"GET"}, Access: envoy.Certificate},
		{Host: "*", PathPrefix: "/a", Methods: []string{"GET"}, Access: envoy.Public},
		{Host: "b.example", PathPrefix: "/", Access: envoy.Public},
		{Host: "*", PathPrefix: "/", Access: envoy.Public},
		{Host: "*", PathPrefix: "/", Access: envoy.Preflight},
		{Host: "*", PathPrefix: "/oauth2/token", Access: envoy.OwnEndpoint},
	}
	for _, a := range kinds {
		for _, b := range kinds {
			for _, c := range kinds {
				p := base()
				p.Routes = []istio.Route{a, b, c}
				verify := policyOf(t, p, istio.VerificationFile, "certbearer-verify")
				for _, r := range requests() {
					want := first(p.Routes, r) == envoy.Certificate && r.path != "/.well-known/jwks.json"
					if got := verify.covers(r); got != want {
						t.Fatalf("%+v: %+v: asked for a token: %t, want %t", p.Routes, r, got, want)
					}
				}
			}
		}
	}
}

func TestCertbearerIsAskedAboutAllButWhatIsPublishedOnItsHosts(t *testing.T) {
	ask := policyOf(t, base(), "gateway.yaml", "certbearer-ask")
	for name, c := range map[string]struct {
		request
		want bool
	}{
		"a request":                                {request{"gateway.example", "/orders", "GET"}, true},
		"a request for another host":               {request{"other.example", "/orders", "GET"}, true},
		"a preflight":                              {request{"gateway.example", "/orders", "OPTIONS"}, true},
		"the token endpoint":                       {request{"gateway.example", "/oauth2/token", "POST"}, true},
		"the key set":                              {request{"gateway.example", "/.well-known/jwks.json", "GET"}, false},
		"the key set, with a port":                 {request{"gateway.example:8443", "/.well-known/jwks.json", "HEAD"}, false},
		"the metadata of an issuer with a path":    {request{"gateway.example", "/.well-known/oauth-authorization-server/a", "GET"}, false},
		"a POST to the key set":                    {request{"gateway.example", "/.well-known/jwks.json", "POST"}, true},
		"that path on a host that is not ours":     {request{"other.example", "/.well-known/jwks.json", "GET"}, true},
		"that path on a host that begins like it":  {request{"gateway.example.evil.example", "/.well-known/jwks.json", "GET"}, true},
		"a path that begins like that of the keys": {request{"gateway.example", "/.well-known/jwks.jsonx", "GET"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask.covers(c.request); got != c.want {
				t.Errorf("asked: %t", got)
			}
		})
	}
}
