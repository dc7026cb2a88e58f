package gateway

import (
	"strconv"
	"time"
)

// checksInFlight is above any limit that certbearer sets itself: its refusal has a
// reason and a record, Envoy's circuit breaker has neither.
const checksInFlight = 1 << 16

// routeExtension is the context extension that names a route to certbearer.
const routeExtension = "certbearer.route"

// Security returns the policies: one of the Gateway, which holds wherever no other
// does, one for each route with its name, and an empty one for what is published.
func Security(p Params) []Object {
	objects := []Object{p.object(extended, "SecurityPolicy", name, Object{
		"targetRefs": List{targetGateway()},
		"extAuth":    extAuth(p, ""),
	})}
	for _, r := range p.Routes {
		targets := List{}
		for _, h := range hosts(p) {
			if h.has(p, r) {
				targets = append(targets, targetRule(h.route(), ruleName(r)))
			}
		}
		if len(targets) == 0 {
			continue // a route before it covers all
		}
		spec := Object{"targetRefs": targets, "extAuth": extAuth(p, r.Name)}
		if p.JWT != nil && !r.Public && !r.Preflight {
			spec["jwt"] = jwt(p)
		}
		objects = append(objects, p.object(extended, "SecurityPolicy", name+"-"+ruleName(r), spec))
	}
	if p.HTTPPort != 0 {
		objects = append(objects, p.published())
	}
	return objects
}

// published has no check in it: keys and metadata are public, and the endpoints
// judge the certificate themselves. A policy of a route takes the place of that of
// the Gateway, so that it can be empty.
func (p Params) published() Object {
	targets := List{}
	for _, h := range hosts(p) {
		targets = append(targets, targetRule(h.own(), ""))
	}
	return p.object(extended, "SecurityPolicy", name+"-own", Object{"targetRefs": targets})
}

// extAuth asks certbearer. A check that fails, for whatever reason, is a 503 and
// never an allow. The route is chosen once: the header that certbearer sets must
// not move the request to another.
func extAuth(p Params, route string) Object {
	check := Object{
		"failOpen":       false,
		"recomputeRoute": false,
		"statusOnError":  503,
		"timeout":        duration(p.Timeout),
		"grpc": Object{
			"backendRefs": List{Object{"name": p.Certbearer, "port": p.GRPCPort}},
			"backendSettings": Object{
				"timeout": Object{"tcp": Object{"connectTimeout": "1s"}},
				"http2":   Object{"connectionKeepalive": Object{"interval": "30s", "timeout": "5s"}},
				"circuitBreaker": Object{
					"maxConnections": checksInFlight, "maxPendingRequests": checksInFlight, "maxParallelRequests": checksInFlight,
				},
			},
		},
	}
	if route != "" {
		check["contextExtensions"] = List{Object{"name": routeExtension, "type": "Value", "value": route}}
	}
	return check
}

// jwt verifies the injected token behind the check. It is read from Authorization
// alone; by default a query parameter would do as well.
func jwt(p Params) Object {
	return Object{"providers": List{Object{
		"name":        name,
		"issuer":      p.JWT.Issuer,
		"audiences":   p.JWT.Audiences,
		"extractFrom": Object{"headers": List{Object{"name": "Authorization", "valuePrefix": "Bearer "}}},
		"remoteJWKS": Object{
			"uri":           p.keysURL(),
			"backendRefs":   List{Object{"name": p.Certbearer, "port": p.HTTPPort}},
			"cacheDuration": "1m",
		},
	}}}
}

// duration is one as the Gateway API writes it, which knows no fractions.
func duration(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }
