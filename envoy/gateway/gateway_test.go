package gateway_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/envoy/gateway"
)

func params(routes ...gateway.Route) gateway.Params {
	for i := range routes {
		routes[i].Index = i
	}
	return gateway.Params{
		Namespace: "certbearer", Port: 443,
		Certbearer: "certbearer", GRPCPort: 9191, HTTPPort: 9192, ServerName: "certbearer.internal",
		Timeout:  1500 * time.Millisecond,
		Upstream: gateway.Service{Name: "orders", Namespace: "certbearer", Port: 8080},
		Routes:   routes,
	}
}

// The Gateway API chooses the longer path, then the one with a method; we the
// first. Where a request could be chosen differently the routes are refused.
func TestAnOrderThatTheGatewayAPIDoesNotKeepIsRefused(t *testing.T) {
	for sentence, c := range map[string]struct {
		routes []gateway.Route
		says   string // "" is kept
	}{
		"the longer path first":                   {[]gateway.Route{{Name: "a", PathPrefix: "/a/b"}, {Name: "b", PathPrefix: "/a"}}, ""},
		"the longer path last":                    {[]gateway.Route{{Name: "b", PathPrefix: "/a"}, {Name: "a", PathPrefix: "/a/b"}}, "routes[1].match: the Gateway API would choose it before routes[0]"},
		"paths that share nothing":                {[]gateway.Route{{Name: "b", PathPrefix: "/a"}, {Name: "a", PathPrefix: "/long"}}, ""},
		"paths that share letters only":           {[]gateway.Route{{Name: "b", PathPrefix: "/a"}, {Name: "a", PathPrefix: "/ab"}}, ""},
		"the whole before a part":                 {[]gateway.Route{{Name: "b"}, {Name: "a", PathPrefix: "/a"}}, "routes[1].match"},
		"methods first":                           {[]gateway.Route{{Name: "a", Methods: []string{"GET"}}, {Name: "b"}}, ""},
		"methods last":                            {[]gateway.Route{{Name: "b"}, {Name: "a", Methods: []string{"GET"}}}, "routes[1].match"},
		"two of one path and other methods":       {[]gateway.Route{{Name: "a", Methods: []string{"GET"}}, {Name: "b", Methods: []string{"PUT"}}}, ""},
		"methods of the shorter path first":       {[]gateway.Route{{Name: "a", Methods: []string{"GET"}}, {Name: "b", PathPrefix: "/b"}}, "routes[1].match"},
		"other methods of the shorter path first": {[]gateway.Route{{Name: "a", Methods: []string{"GET"}}, {Name: "b", PathPrefix: "/b", Methods: []string{"PUT"}}}, ""},
		"a preflight first":                       {[]gateway.Route{{Name: "a", Preflight: true}, {Name: "b"}}, ""},
		"a preflight after its method":            {[]gateway.Route{{Name: "b", Methods: []string{"OPTIONS"}}, {Name: "a", Preflight: true}}, "routes[1].match"},
		"other hosts":                             {[]gateway.Route{{Name: "a", Host: "a.example"}, {Name: "b", Host: "b.example", PathPrefix: "/b"}}, ""},
		"a host below the other":                  {[]gateway.Route{{Name: "a", Host: "*.example"}, {Name: "b", Host: "b.example", PathPrefix: "/b"}}, "routes[1].match"},
		"any host":                                {[]gateway.Route{{Name: "a"}, {Name: "b", Host: "b.example", PathPrefix: "/b"}}, "routes[1].match"},
		"names that become one":                   {[]gateway.Route{{Name: "a_b", PathPrefix: "/a"}, {Name: "A-B", PathPrefix: "/b"}}, `routes[1].name: becomes "a-b" in Kubernetes, as another route's does`},
		"a name of ours":                          {[]gateway.Route{{Name: "unnamed"}}, "routes[0].name"},
		"a name that ends with a hyphen":          {[]gateway.Route{{Name: "a-"}}, "routes[0].name"},
		"a name that is too long":                 {[]gateway.Route{{Name: strings.Repeat("a", 53)}}, "routes[0].name"},
		"an address for a host":                   {[]gateway.Route{{Name: "a", Host: "192.0.2.1"}}, "routes[0].match.host"},
		"a method of its own":                     {[]gateway.Route{{Name: "a", Methods: []string{"PURGE"}}}, "routes[0].match.methods: PURGE"},
		"sixteen rules":                           {many(15), ""},
		"seventeen":                               {many(16), "routes[15].name: one too many: an HTTPRoute takes 16 rules, and 17 are for any host"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := gateway.Routes(params(c.routes...))
			var fault *gateway.RouteError
			switch {
			case c.says == "" && err != nil, c.says != "" && !errors.As(err, &fault):
				t.Errorf("the error is %v", err)
			case c.says != "" && !strings.Contains(err.Error(), c.says):
				t.Errorf("the error is %v, want %q in it", err, c.says)
			}
		})
	}
}

func many(n int) []gateway.Route {
	var all []gateway.Route
	for i := range n {
		all = append(all, gateway.Route{Name: fmt.Sprint("r", i), PathPrefix: fmt.Sprint("/r", i)})
	}
	return all
}

// Of HTTPRoutes for several names a request is matched with those of the most
// specific one alone.
func TestTheRouteOfAHostHoldsAllThatCoverIt(t *testing.T) {
	p := params(
		gateway.Route{Name: "api", Host: "api.example", PathPrefix: "/api"},
		gateway.Route{Name: "below", Host: "*.example", PathPrefix: "/b"},
		gateway.Route{Name: "any", PathPrefix: ""},
	)
	objects, err := gateway.Routes(p)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, o := range objects {
		if o["kind"] != "HTTPRoute" {
			continue
		}
		spec := o["spec"].(gateway.Object)
		name := fmt.Sprint(o["metadata"].(gateway.Object)["name"], spec["hostnames"])
		for _, rule := range spec["rules"].(gateway.List) {
			got[name] = append(got[name], rule.(gateway.Object)["name"].(string))
		}
	}
	own := []string{"jwks", "metadata"}
	want := map[string][]string{
		"certbearer<nil>":                         {"any"},
		"certbearer-api.example[api.example]":     {"api", "below", "any"},
		"certbearer-any.example[*.example]":       {"below", "any"},
		"certbearer-own<nil>":                     own,
		"certbearer-own-api.example[api.example]": own,
		"certbearer-own-any.example[*.example]":   own,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules by HTTPRoute (-want +got):\n%s", diff)
	}
	targets := map[string]int{}
	for _, o := range gateway.Security(p) {
		targets[o["metadata"].(gateway.Object)["name"].(string)] = len(o["spec"].(gateway.Object)["targetRefs"].(gateway.List))
	}
	if diff := cmp.Diff(map[string]int{"certbearer": 1, "certbearer-api": 1, "certbearer-below": 2, "certbearer-any": 3, "certbearer-own": 3}, targets); diff != "" {
		t.Errorf("targets by policy (-want +got):\n%s", diff)
	}
}

// What is behind a route that covers all is never chosen, by us and by the gateway.
func TestARouteThatCannotBeChosenHasNoRule(t *testing.T) {
	p := params(gateway.Route{Name: "all"}, gateway.Route{Name: "never"})
	for _, o := range gateway.Security(p) {
		if o["metadata"].(gateway.Object)["name"] == "certbearer-never" {
			t.Error("it has a policy, whose target is nowhere")
		}
	}
}

func TestWithoutAListenerForTheGatewayNothingLeadsToCertbearer(t *testing.T) {
	p := params()
	p.HTTPPort = 0
	objects, err := gateway.Routes(p)
	if err != nil {
		t.Fatal(err)
	}
	objects = append(append(objects, gateway.Listener(p)...), gateway.Security(p)...)
	var got []string
	for _, o := range objects {
		got = append(got, fmt.Sprint(o["kind"], " ", o["metadata"].(gateway.Object)["name"]))
	}
	want := []string{"HTTPRoute certbearer", "GatewayClass certbearer", "Gateway certbearer", "ClientTrafficPolicy certbearer", "BackendTLSPolicy certbearer", "SecurityPolicy certbearer"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestATimeHasNoFraction(t *testing.T) {
	got := gateway.Security(params())[0]["spec"].(gateway.Object)["extAuth"].(gateway.Object)["timeout"]
	if got != "1500ms" {
		t.Errorf("the timeout is %v", got)
	}
}
