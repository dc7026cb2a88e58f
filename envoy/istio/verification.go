package istio

import (
	"errors"
	"fmt"

	"github.com/certbearer/certbearer/envoy"
)

// maxOperations bounds one rule: what earlier routes have taken can triple it each
// time.
const maxOperations = 81

// verification has the gateway verify the token that certbearer put on the request:
// jwt_authn stands behind ext_authz there. A waypoint or a sidecar of the upstream
// takes the same two with a selector of its own.
func verification(p Params) ([]manifest, error) {
	if p.Unverified != "" {
		return nil, nil
	}
	rules, err := withoutToken(p)
	if err != nil {
		return nil, err
	}
	manifests := []manifest{
		{"istiod fetches the JWKS, every 20 minutes. forwardOriginalToken, or the token\nwould end here.", made("security.istio.io/v1", "RequestAuthentication", p.Gateway.Namespace, object{
			"selector": object{"matchLabels": p.Gateway.Selector},
			"jwtRules": []object{{
				"issuer":               p.Issuer,
				"audiences":            p.Audiences,
				"jwksUri":              p.jwksURI(),
				"forwardOriginalToken": true,
			}},
		})},
	}
	if rules != nil {
		manifests = append(manifests, manifest{"A request that needs a token, and has none that was verified, ends here.", named(made("security.istio.io/v1", "AuthorizationPolicy", p.Gateway.Namespace, object{
			"selector": object{"matchLabels": p.Gateway.Selector},
			"action":   "DENY",
			"rules":    rules,
		}), name+"-verify")})
	}
	return manifests, nil
}

func (p Params) jwksURI() string {
	return fmt.Sprintf("http://%s:%d%s", p.service(), httpPort, jwksPath)
}

// withoutToken covers, of each route that injects a token, the requests whose
// token was not verified. What an earlier route has taken that injects none is
// left out: the first match decides, and a policy knows no order.
func withoutToken(p Params) ([]object, error) {
	var rules []object
	for i, r := range p.Routes {
		if r.Access != envoy.Certificate {
			continue
		}
		operations := []object{add(operation(r), "notPaths", published()...)}
		for _, earlier := range p.Routes[:i] {
			if earlier.Access != envoy.Certificate {
				operations = without(operations, earlier)
			}
			if len(operations) > maxOperations {
				return nil, errors.Join(&ParamError{"Routes", fmt.Sprintf("more routes without a token stand before the one in place %d than a policy can tell apart; put it further up", i+1)})
			}
		}
		if len(operations) > 0 {
			rules = append(rules, object{
				"from": []object{{"source": object{"notRequestPrincipals": []string{p.Issuer + "/*"}}}},
				"to":   eachOperation(operations),
			})
		}
	}
	return rules, nil
}

func eachOperation(operations []object) []object {
	var all []object
	for _, o := range operations {
		all = append(all, object{"operation": o})
	}
	return all
}

// operation says which requests a route covers.
func operation(r Route) object {
	o := object{}
	if hosts := withPorts([]string{r.Host}); hosts != nil {
		add(o, "hosts", hosts...)
	}
	if paths := r.paths(); paths != nil {
		add(o, "paths", paths...)
	}
	if methods := r.methods(); methods != nil {
		add(o, "methods", methods...)
	}
	return o
}

// without leaves out of each operation what the route covers: to be outside of it
// is to have another host, another path or another method.
func without(operations []object, r Route) []object {
	var all []object
	for _, o := range operations {
		for _, outside := range []struct {
			key    string
			values []string
		}{{"notHosts", withPorts([]string{r.Host})}, {"notMethods", r.methods()}, {"notPaths", r.paths()}} {
			if outside.values != nil {
				all = append(all, add(copied(o), outside.key, outside.values...))
			}
		}
	}
	return all
}

func copied(o object) object {
	other := object{}
	for key, values := range o {
		add(other, key, values.([]string)...)
	}
	return other
}

func add(o object, key string, values ...string) object {
	had, _ := o[key].([]string)
	o[key] = append(had, values...)
	return o
}

// paths are the route's as a policy has them; nil for any.
func (r Route) paths() []string {
	switch {
	case r.PathPrefix == "/" || r.PathPrefix == "":
		return nil
	case r.Access == envoy.OwnEndpoint:
		return []string{r.PathPrefix}
	}
	return []string{r.PathPrefix, r.PathPrefix + "/*"}
}

// methods are the route's; nil for any. A policy sees no preflight in an OPTIONS,
// so all of those count as one.
func (r Route) methods() []string {
	if r.Access == envoy.Preflight {
		return []string{"OPTIONS"}
	}
	return r.Methods
}
