package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// maxRules is the number of rules that an HTTPRoute takes. One is the unnamed.
const maxRules = 16

// methods are those that the Gateway API can match.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

var ruleNames = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,50}[a-z0-9])?$`)

// taken are names of rules and policies that are not routes'.
var taken = []string{"unnamed", "own"}

func check(p Params) error {
	var faults []error
	fail := func(r Route, field, format string, args ...any) {
		faults = append(faults, &RouteError{r.Index, field, fmt.Sprintf(format, args...)})
	}
	for i, r := range p.Routes {
		switch named := ruleName(r); {
		case !ruleNames.MatchString(named) || strings.Contains(named, "..") || slices.Contains(taken, named):
			fail(r, "name", "%q is no name of a rule in Kubernetes: write letters, digits and hyphens, up to 52, and none of %s", named, strings.Join(taken, ", "))
		case slices.ContainsFunc(p.Routes[:i], func(before Route) bool { return ruleName(before) == named }):
			fail(r, "name", "becomes %q in Kubernetes, as another route's does", named)
		}
		if _, err := netip.ParseAddr(r.Host); err == nil {
			fail(r, "match.host", "is an IP address, which the Gateway API does not match")
		}
		for _, method := range r.Methods {
			if !slices.Contains(methods, method) {
				fail(r, "match.methods", "%s cannot be matched by the Gateway API", method)
			}
		}
		for _, before := range p.Routes[:i] {
			if overtakes(r, before) {
				fail(r, "match", "the Gateway API would choose it before routes[%d], which stands before it and covers some of its requests: put the one with the longer path first, of two with one path the one with methods", before.Index)
			}
		}
	}
	for _, h := range hosts(p) {
		if n := len(upstreamRules(p, h)); n > maxRules {
			fail(p.Routes[len(p.Routes)-1], "name", "one too many: an HTTPRoute takes %d rules, and %d are for %s", maxRules, n, orAny(h))
		}
	}
	return errors.Join(faults...)
}

func orAny(h host) string {
	if h == "" {
		return "any host"
	}
	return string(h)
}

// overtakes says whether some request that both cover would be later's, by the
// Gateway API's order: the longer path, then a method, then more headers. Of equal
// ones the first in the list is chosen.
func overtakes(later, earlier Route) bool {
	return moreSpecific(later, earlier) && overlap(later, earlier)
}

func moreSpecific(a, b Route) bool {
	if len(path(a)) != len(path(b)) {
		return len(path(a)) > len(path(b))
	}
	if hasMethod(a) != hasMethod(b) {
		return hasMethod(a)
	}
	return a.Preflight && !b.Preflight
}

func hasMethod(r Route) bool { return r.Preflight || len(r.Methods) > 0 }

func path(r Route) string { return strings.TrimSuffix(r.PathPrefix, "/") }

func overlap(a, b Route) bool {
	return overlapHosts(a.Host, b.Host) && overlapPaths(path(a), path(b)) && overlapMethods(a, b)
}

// overlapHosts errs towards yes.
func overlapHosts(a, b string) bool {
	return a == "" || b == "" || a == b || host(a).covered(Route{Host: b}) || host(b).covered(Route{Host: a})
}

func overlapPaths(a, b string) bool {
	return strings.HasPrefix(a+"/", b+"/") || strings.HasPrefix(b+"/", a+"/")
}

func overlapMethods(a, b Route) bool {
	if !hasMethod(a) || !hasMethod(b) {
		return true
	}
	return slices.ContainsFunc(methodsOf(a), func(method string) bool { return slices.Contains(methodsOf(b), method) })
}

func methodsOf(r Route) []string {
	if r.Preflight {
		return []string{"OPTIONS"}
	}
	return r.Methods
}
