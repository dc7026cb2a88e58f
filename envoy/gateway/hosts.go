package gateway

import (
	"slices"
	"strings"
)

// host is one for which there is an HTTPRoute: a request goes to that of the most
// specific name alone, so each has to hold all that covers it.
type host string // "" is any

// hosts returns any host, and each that some route names.
func hosts(p Params) []host {
	all := []host{""}
	for _, r := range p.Routes {
		if h := host(r.Host); !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	return all
}

// covered says whether the route takes requests for the host.
func (h host) covered(r Route) bool {
	if r.Host == "" || r.Host == string(h) {
		return true
	}
	below, wild := strings.CutPrefix(r.Host, "*")
	return wild && strings.HasSuffix(string(h), below)
}

// routes are those that cover it, up to one that covers all of it: what comes after
// that is never chosen.
func (h host) routes(p Params) []Route {
	var all []Route
	for _, r := range p.Routes {
		if !h.covered(r) {
			continue
		}
		all = append(all, r)
		if coversAll(r) {
			break
		}
	}
	return all
}

// has says whether the route is one of them.
func (h host) has(p Params, r Route) bool {
	return slices.ContainsFunc(h.routes(p), func(one Route) bool { return one.Index == r.Index })
}

func coversAll(r Route) bool { return path(r) == "" && !hasMethod(r) }

// route is the name of the HTTPRoute to the upstream, own that of the one to
// certbearer.
func (h host) route() string { return name + h.suffix() }

func (h host) own() string { return name + "-own" + h.suffix() }

func (h host) suffix() string {
	if h == "" {
		return ""
	}
	if below, wild := strings.CutPrefix(string(h), "*."); wild {
		return "-any." + below
	}
	return "-" + string(h)
}

// names are the hostnames of its HTTPRoutes.
func (h host) names() List {
	if h == "" {
		return nil
	}
	return List{string(h)}
}
