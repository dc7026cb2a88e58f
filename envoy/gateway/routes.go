package gateway

import (
	"strings"

	"github.com/certbearer/certbearer/envoy/kubernetes"
)

const (
	jwksPath     = "/.well-known/jwks.json"
	metadataPath = "/.well-known/oauth-authorization-server"

	// ownBodyBytes is above the bound of certbearer's own endpoints, whose refusal
	// has a reason and a record.
	ownBodyBytes = "64Ki"
)

// Routes returns the HTTPRoutes, and what they need. The error joins
// [RouteError]s: the Gateway API has an order of its own, and where it is another
// than that of p.Routes, a request would not be asked about by the name that
// certbearer.yaml gives it.
func Routes(p Params) ([]Object, error) {
	if err := check(p); err != nil {
		return nil, err
	}
	var objects []Object
	for _, h := range hosts(p) {
		objects = append(objects, p.object(standard, "HTTPRoute", h.route(), p.route(h, upstreamRules(p, h))))
		if p.HTTPPort != 0 {
			objects = append(objects, p.object(standard, "HTTPRoute", h.own(), p.route(h, ownRules(p))))
		}
	}
	if p.HTTPPort != 0 {
		objects = append(objects, p.buffer())
	}
	if p.Upstream.Namespace != p.Namespace {
		objects = append(objects, p.grant())
	}
	return objects, nil
}

func (p Params) route(h host, rules List) Object {
	spec := Object{"parentRefs": List{Object{"name": name, "sectionName": section}}, "rules": rules}
	if names := h.names(); names != nil {
		spec["hostnames"] = names
	}
	return spec
}

// upstreamRules are those of the routes, and one without a name: what nobody
// thought of is certbearer's to refuse and record, not a 404 that nobody sees.
func upstreamRules(p Params, h host) List {
	rules := List{}
	routes := h.routes(p)
	for _, r := range routes {
		rules = append(rules, p.rule(ruleName(r), matches(r)))
	}
	if n := len(routes); n > 0 && coversAll(routes[n-1]) {
		return rules
	}
	return append(rules, p.rule("unnamed", List{Object{"path": prefix("/")}}))
}

// rule leads to the upstream. x-forwarded-client-cert ends here: it can hold a
// certificate that nobody has judged, on a public route for one, and an upstream
// that trusts it would be fooled. The total timeout is none: the idle timeout and
// the hour bound streams.
func (p Params) rule(name string, matches List) Object {
	backend := Object{"name": p.Upstream.Name, "port": p.Upstream.Port}
	if p.Upstream.Namespace != p.Namespace {
		backend["namespace"] = p.Upstream.Namespace
	}
	return Object{
		"name":        name,
		"matches":     matches,
		"filters":     removing("x-forwarded-client-cert"),
		"timeouts":    Object{"request": "0s"},
		"backendRefs": List{backend},
	}
}

// ownRules are for everyone: keys and metadata, which are public, and the
// endpoints, which judge the certificate in x-forwarded-client-cert.
func ownRules(p Params) List {
	own := List{Object{"name": p.Certbearer, "port": p.HTTPPort}}
	published := func(name string, path Object) Object {
		return Object{
			"name":        name,
			"matches":     List{Object{"path": path, "method": "GET"}, Object{"path": path, "method": "HEAD"}},
			"filters":     removing("authorization", "cookie", "x-forwarded-client-cert"),
			"backendRefs": own,
		}
	}
	// RFC 8414 section 3.1 puts the path of an issuer behind the well-known one.
	rules := List{published("jwks", exact(jwksPath)), published("metadata", prefix(metadataPath))}
	if len(p.Endpoints) == 0 {
		return rules
	}
	endpoints := List{}
	for _, path := range p.Endpoints {
		endpoints = append(endpoints, Object{"path": exact(path)})
	}
	return append(rules, Object{
		"name":        "endpoints",
		"matches":     endpoints,
		"filters":     removing("cookie"),
		"backendRefs": own,
	})
}

// buffer has a body that comes slowly wait in the gateway, where it takes nothing
// of certbearer's.
func (p Params) buffer() Object {
	targets := List{}
	for _, h := range hosts(p) {
		targets = append(targets, targetRule(h.own(), ""))
	}
	return p.object(extended, "BackendTrafficPolicy", name+"-own", Object{
		"targetRefs":    targets,
		"requestBuffer": Object{"limit": ownBodyBytes},
	})
}

// grant lets the routes lead into the namespace of the upstream.
func (p Params) grant() Object {
	return kubernetes.With(kubernetes.Named(gatewayAPI+"/v1beta1", "ReferenceGrant", p.Upstream.Namespace, name), "spec", Object{
		"from": List{Object{"group": gatewayAPI, "kind": "HTTPRoute", "namespace": p.Namespace}},
		"to":   List{Object{"group": "", "kind": "Service", "name": p.Upstream.Name}},
	})
}

func matches(r Route) List {
	match := Object{"path": prefix(r.PathPrefix)}
	if r.Preflight {
		// That a header is there can only be said by what it holds.
		present := func(name string) Object { return Object{"type": "RegularExpression", "name": name, "value": ".*"} }
		match["method"] = "OPTIONS"
		match["headers"] = List{present("origin"), present("access-control-request-method")}
		return List{match}
	}
	if len(r.Methods) == 0 {
		return List{match}
	}
	all := List{}
	for _, method := range r.Methods {
		all = append(all, Object{"path": match["path"], "method": method})
	}
	return all
}

func prefix(path string) Object {
	if path == "" {
		path = "/"
	}
	return Object{"type": "PathPrefix", "value": path}
}

func exact(path string) Object { return Object{"type": "Exact", "value": path} }

func removing(headers ...string) List {
	return List{Object{"type": "RequestHeaderModifier", "requestHeaderModifier": Object{"remove": headers}}}
}

// ruleName is the name of a route as Kubernetes takes it: it knows no capitals
// and no underscores.
func ruleName(r Route) string { return strings.ReplaceAll(strings.ToLower(r.Name), "_", "-") }
