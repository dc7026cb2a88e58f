package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Route is one kind of request. ClientID, Audience, Scope and Inject belong to
// [AccessCertificate] and are zero with any other access; with it, Audience and
// Inject are always set, from the global values where the route has none.
type Route struct {
	Name   string
	Match  Match
	Access Access
	// ClientID, if not empty, is the only client the route accepts.
	ClientID string
	Audience string
	// Scope holds the scope tokens to grant, within the client's; empty: the
	// client's defaults.
	Scope                []string
	InboundAuthorization InboundAuthorization
	Inject               Inject
	// Mode is the global one where the route has none, and always ModeEnforce with
	// [AccessEndpoint].
	Mode Mode
}

// Match says which requests a route covers.
type Match struct {
	// Host is "*", "*.example.com" (any name below, not example.com itself), or
	// one lower-case name without a port.
	Host string
	// PathPrefix covers whole segments: "/a" covers /a and /a/b, not /ab. It is
	// "/" or has no slash at its end.
	PathPrefix string
	// Methods is empty for any method, and exactly OPTIONS with [AccessPreflight].
	Methods []string
}

// Access says what a route asks of a request.
type Access string

// The values of [Access].
const (
	// AccessCertificate: a client's certificate; a token is injected.
	AccessCertificate Access = "certificate"
	// AccessPublic: nothing.
	AccessPublic Access = "public"
	// AccessPreflight: to be a CORS preflight. Other requests are not covered.
	AccessPreflight Access = "preflight"
	// AccessEndpoint: nothing; the request is for an endpoint of ours.
	AccessEndpoint Access = "endpoint"
)

// readRoutes reads the routes. What a route leaves out comes from global.
func readRoutes(m *mapping, global *Config) []Route {
	var routes []Route
	seen := seenRoutes{names: map[string]int{}, matches: map[string]priorMatch{}}
	for _, item := range m.elements("routes") {
		inner := m.doc.mapping(item.node, item.path)
		route := readRoute(inner, global)
		seen.check(inner, route)
		inner.close()
		checkAudience(inner, route.Audience, global.Issuer)
		routes = append(routes, route)
	}
	checkAudience(m, global.Audience, global.Issuer)
	if len(routes) == 0 {
		routes = implicitRoutes(global)
	}
	checkEndpoints(m, routes, global)
	if m.sound("routes") {
		requireAudience(m, routes)
	}
	return routes
}

type endpoint struct{ name, path string }

// endpoints are our own, where a proxy leads to them. They hand out tokens, or
// take them.
func endpoints() []endpoint {
	return []endpoint{
		{"token_endpoint", "/oauth2/token"},
		{"introspection_endpoint", "/oauth2/introspect"},
		{"revocation_endpoint", "/oauth2/revoke"},
	}
}

// checkEndpointPath reports a route to our endpoints that covers anything else:
// nobody is asked for a certificate there.
func checkEndpointPath(m *mapping, route Route) {
	isPath := func(e endpoint) bool { return e.path == route.Match.PathPrefix }
	if route.Access == AccessEndpoint && !m.doc.hasFault(m.path+".match") && !slices.ContainsFunc(endpoints(), isPath) {
		m.fail("match", "with access: endpoint, pathPrefix must be /oauth2/token, /oauth2/introspect or /oauth2/revoke")
	}
}

// implicitRoutes cover every request of a configuration without routes: those to
// our own endpoints, if they are served, and all others.
func implicitRoutes(global *Config) []Route {
	var routes []Route
	for _, endpoint := range endpoints() {
		if global.Listen.HTTP != "" {
			routes = append(routes, Route{
				Name:                 endpoint.name,
				Match:                Match{Host: "*", PathPrefix: endpoint.path},
				Access:               AccessEndpoint,
				InboundAuthorization: global.InboundAuthorization,
				Mode:                 ModeEnforce,
			})
		}
	}
	return append(routes, Route{
		Name:                 "default",
		Match:                Match{Host: "*", PathPrefix: "/"},
		Access:               AccessCertificate,
		Audience:             global.Audience,
		InboundAuthorization: global.InboundAuthorization,
		Inject:               global.Inject,
		Mode:                 global.Mode,
	})
}

// checkEndpoints reports routes that lead to endpoints that nobody serves.
func checkEndpoints(m *mapping, routes []Route, global *Config) {
	if global.Listen.HTTP != "" || m.doc.hasFault("listen") || !m.sound("routes") {
		return
	}
	for _, route := range routes {
		if route.Access == AccessEndpoint {
			m.fail("routes", "route "+quote(route.Name)+" has access: endpoint; set listen.http, where the endpoints are served")
		}
	}
}

var (
	routeName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	clientID  = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)
	// scopeToken is the scope-token of RFC 6749 section 3.3.
	scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)
)

func readRoute(m *mapping, global *Config) Route {
	m.require("name")
	route := Route{
		Name: text(m, "name", "", matching(routeName, "1 to 64 letters, digits, dots, hyphens or underscores")),
		Access: text(m, "access", AccessCertificate,
			oneOf([]Access{AccessCertificate, AccessPublic, AccessPreflight, AccessEndpoint})),
		InboundAuthorization: text(m, "inboundAuthorization", global.InboundAuthorization, parseInbound),
		Mode:                 text(m, "mode", global.Mode, parseMode),
	}
	if route.Access == AccessEndpoint && m.sound("access") {
		if m.has("mode") && route.Mode == ModeShadow {
			m.fail("mode", "our own endpoints are never in shadow: a token is given out or it is not")
		}
		route.Mode = ModeEnforce
	}
	if route.InboundAuthorization == InboundPass && route.Access != AccessCertificate && m.sound("access") {
		m.fail("inboundAuthorization", fmt.Sprintf("pass has meaning only with access: certificate; with access: %s an Authorization is taken off, or is our endpoint's", route.Access))
	}
	route.Match = section(m, "match", readMatch)
	readGrant(m, &route, global)
	if route.Access == AccessPreflight {
		route.Match.Methods = preflightMethods(m, route.Match.Methods)
	}
	checkEndpointPath(m, route)
	return route
}

// readGrant reads what belongs to routes that inject a token.
func readGrant(m *mapping, route *Route, global *Config) {
	grant := Route{
		ClientID: text(m, "clientId", "", matching(clientID, "1 to 64 letters, digits, dots or hyphens")),
		Audience: text(m, "audience", global.Audience, parseAudience),
		Scope:    texts(m, "scope", matching(scopeToken, `a scope of printable ASCII without space, " or \`)),
		Inject:   section(m, "inject", injectReader(global.Inject)),
	}
	if route.Access == AccessCertificate {
		route.ClientID, route.Audience, route.Scope, route.Inject = grant.ClientID, grant.Audience, grant.Scope, grant.Inject
		return
	}
	for _, name := range []string{"clientId", "audience", "scope", "inject"} {
		if m.has(name) {
			m.fail(name, fmt.Sprintf("has meaning only with access: certificate; this route has access: %s", route.Access))
		}
	}
}

func readMatch(m *mapping) Match {
	return Match{
		Host:       text(m, "host", "*", parseHostPattern),
		PathPrefix: text(m, "pathPrefix", "/", parsePathPrefix),
		Methods:    texts(m, "methods", matching(method, "a method in capitals such as GET")),
	}
}

// method is a token of RFC 9110 section 9.1, narrowed to what methods look like.
var method = regexp.MustCompile(`^[A-Z][A-Z0-9_-]{0,31}$`)

// preflightMethods returns the one method of a preflight (Fetch section 3.3.2).
func preflightMethods(m *mapping, methods []string) []string {
	only := []string{"OPTIONS"}
	if len(methods) > 0 && !slices.Equal(methods, only) {
		m.fail("match", "methods must be [OPTIONS] or left out with access: preflight")
	}
	return only
}

func parseHostPattern(text string) (string, error) {
	name := strings.TrimPrefix(text, "*.")
	if text == "*" || isDNSName(name) && name == strings.ToLower(name) || isIPv4(text) {
		return text, nil
	}
	return "", fmt.Errorf(`want "*", "*.example.com" or a lower-case name without a port, got %s`, quote(text))
}

// prefixText is the alphabet of a path that has one reading only: pchar and "/"
// of RFC 3986 section 3.3, without "%".
var prefixText = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()*+,;=:@/-]*$`)

func parsePathPrefix(text string) (string, error) {
	switch {
	case !strings.HasPrefix(text, "/"):
		return "", fmt.Errorf("must begin with /, got %s", quote(text))
	case !prefixText.MatchString(text):
		return "", fmt.Errorf("must be a plain path, without %%, ? and #, got %s", quote(text))
	case !isCleanPath(text):
		return "", fmt.Errorf("must not have empty, . or .. segments, got %s", quote(text))
	case text != "/" && strings.HasSuffix(text, "/"):
		return "", errors.New("must not end with /; a prefix covers whole segments, so write " + quote(text[:len(text)-1]))
	}
	return text, nil
}

type priorMatch struct {
	name string
	line int
}

// seenRoutes remembers the routes before the present one.
type seenRoutes struct {
	names   map[string]int
	matches map[string]priorMatch
}

// check reports a route that cannot be told from an earlier one.
func (s seenRoutes) check(m *mapping, route Route) {
	if line, twice := s.names[route.Name]; twice && m.sound("name") {
		m.fail("name", fmt.Sprintf("%s is the name of the route on line %d already", quote(route.Name), line))
	}
	if route.Name != "" {
		s.names[route.Name] = m.line
	}
	if m.doc.hasFault(m.path) {
		return
	}
	key := matchKey(route)
	if prior, twice := s.matches[key]; twice {
		m.fail("match", fmt.Sprintf("the same as that of route %s on line %d, which comes first", quote(prior.name), prior.line))
		return
	}
	s.matches[key] = priorMatch{route.Name, m.line}
}

// matchKey is equal for routes that cover the same requests. A preflight route
// covers less than its methods say, so it never equals another kind.
func matchKey(route Route) string {
	methods := slices.Sorted(slices.Values(route.Match.Methods))
	return fmt.Sprintf("%t %s %s %s", route.Access == AccessPreflight, route.Match.Host, route.Match.PathPrefix, methods)
}

// checkAudience reports an audience that is the issuer itself.
func checkAudience(m *mapping, audience, issuer string) {
	if m.has("audience") && m.sound("audience") && audience != "" && issuer != "" && isOurselves(audience, issuer) {
		m.fail("audience", "is the issuer or one of its endpoints; name the service behind the gateway")
	}
}

// requireAudience reports that a token would have no audience.
func requireAudience(m *mapping, routes []Route) {
	if m.broken || m.has("audience") {
		return
	}
	for i, route := range routes {
		if route.Access == AccessCertificate && route.Audience == "" && !m.doc.hasFault(fmt.Sprintf("routes[%d]", i)) {
			m.fail("audience", "required, because route "+quote(route.Name)+" names none")
			return
		}
	}
}
