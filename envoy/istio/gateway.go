package istio

import (
	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/envoy/kubernetes"
)

// gateway is where callers come in.
func gateway(p Params) []manifest {
	return []manifest{
		{"Asks for a certificate and judges none: certbearer does. Envoy asks only where it\nhas a CA, so the Secret " + p.CredentialName + "-cacert must be there; any CA will do.", made("networking.istio.io/v1", "Gateway", p.Gateway.Namespace, object{
			"selector": p.Gateway.Selector,
			"servers": []object{{
				"hosts": p.Hosts,
				"port":  object{"name": "https-" + name, "number": p.Gateway.Port, "protocol": "HTTPS"},
				"tls": object{
					"mode":               "OPTIONAL_MUTUAL",
					"insecureSkipVerify": true,
					"credentialName":     p.CredentialName,
					"minProtocolVersion": "TLSV1_2",
					"cipherSuites":       envoy.CipherSuites(),
				},
			}},
		})},
		{"x-forwarded-client-cert ends at the gateway: it can hold a certificate that nobody\nhas judged.", made("networking.istio.io/v1", "VirtualService", p.Gateway.Namespace, object{
			"hosts":    p.Hosts,
			"gateways": []string{name},
			"http":     httpRoutes(p),
		})},
		envoyFilter(p),
		{"Every request to the gateway, CORS preflights included, but for the key set and\nthe metadata, which are for everybody. It holds for all hosts of the gateway.", named(made("security.istio.io/v1", "AuthorizationPolicy", p.Gateway.Namespace, object{
			"selector": object{"matchLabels": p.Gateway.Selector},
			"action":   "CUSTOM",
			"provider": object{"name": name},
			"rules":    asked(p),
		}), name+"-ask")},
	}
}

// published are the paths that are for everybody, as an AuthorizationPolicy has
// them. RFC 8414 section 3.1 puts the path of an issuer behind the well-known one.
func published() []string { return []string{jwksPath, metadataPath, metadataPath + "/*"} }

// asked covers all but GET and HEAD of what is published on hosts of ours.
func asked(p Params) []object {
	rule := func(operation object) object { return object{"to": []object{{"operation": operation}}} }
	rules := []object{
		rule(object{"notPaths": published()}),
		rule(object{"paths": published(), "notMethods": []string{"GET", "HEAD"}}),
	}
	if hosts := withPorts(p.Hosts); hosts != nil {
		rules = append(rules, rule(object{"paths": published(), "notHosts": hosts}))
	}
	return rules
}

// withPorts adds to each host its own with a port. Nil: any host.
func withPorts(hosts []string) []string {
	var all []string
	for _, host := range hosts {
		if host == "*" {
			return nil
		}
		all = append(all, host)
		if host[0] != '*' { // a pattern has one star
			all = append(all, host+":*")
		}
	}
	return all
}

func httpRoutes(p Params) []object {
	ours := object{"host": p.service(), "port": object{"number": httpPort}}
	route := func(name string, match []object, to object, remove ...string) object {
		r := object{
			"name":    name,
			"route":   []object{{"destination": to}},
			"headers": object{"request": object{"remove": append(remove, xfcc)}},
		}
		if match != nil {
			r["match"] = match
		}
		return r
	}
	exact := func(path string) object { return object{"uri": object{"exact": path}} }
	read := object{"regex": "GET|HEAD"}
	routes := []object{route("published", []object{
		kubernetes.With(exact(jwksPath), "method", read),
		kubernetes.With(exact(metadataPath), "method", read),
		kubernetes.With(object{"uri": object{"prefix": metadataPath + "/"}}, "method", read),
	}, ours, "authorization", "cookie")}
	var endpoints []object
	for _, r := range p.Routes {
		if r.Access == envoy.OwnEndpoint {
			endpoints = append(endpoints, exact(r.PathPrefix))
		}
	}
	if endpoints != nil {
		routes = append(routes, route("endpoints", endpoints, ours, "cookie"))
	}
	return append(routes, route("upstream", nil, object{"host": p.Upstream.Host, "port": object{"number": p.Upstream.Port}}))
}
