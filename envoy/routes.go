package envoy

import (
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	jwksPath      = "/.well-known/jwks.json"
	metadataPath  = "/.well-known/oauth-authorization-server"
	methodOptions = "OPTIONS"
)

// routeConfig lists the routes of what is published, then the given routes in their order, then
// one without a name: what nobody thought of is certbearer's to refuse and
// record, not a 404 that nobody sees. It is one virtual host, because several
// would be chosen by host before the order is looked at.
//
// x-forwarded-client-cert ends here. Under ACCEPT_UNTRUSTED it can hold a
// certificate that nobody has judged, on a public route for one, and an upstream
// that trusts it would be fooled.
func routeConfig(p Params) *routev3.RouteConfiguration {
	var routes []*routev3.Route
	if p.withoutAlert() {
		routes = append(routes, barredRoute())
	}
	if p.HTTP.Address != "" {
		routes = append(routes, publishedRoutes(p)...)
	}
	routes = append(routes, legacyRoutes(p)...)
	for _, r := range p.Routes {
		routes = append(routes, namedRoute(p, r))
	}
	routes = append(routes, &routev3.Route{
		Name:   "unnamed",
		Match:  match("/", nil),
		Action: toCluster(upstreamCluster),
	})
	return &routev3.RouteConfiguration{
		Name:                   "certbearer",
		RequestHeadersToRemove: []string{xfcc},
		VirtualHosts:           []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: routes}},
	}
}

// barredRoute takes every request of a connection without a certificate. It has no
// name, so that certbearer refuses and records first; what it would let through, a
// public path for one, ends here.
func barredRoute() *routev3.Route {
	return uncertified(&routev3.Route{
		Name:   "barred",
		Match:  match("/", nil),
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 401}},
	})
}

// publishedRoutes are for everyone: verification keys and metadata are public, and
// whoever fetches them has no token yet.
func publishedRoutes(p Params) []*routev3.Route {
	// RFC 8414 section 3.1 puts the path of an issuer behind the well-known one.
	return []*routev3.Route{
		publishedRoute(p, "jwks", &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: jwksPath}}),
		publishedRoute(p, "metadata", match(metadataPath, nil)),
	}
}

func publishedRoute(p Params, name string, matching *routev3.RouteMatch) *routev3.Route {
	perFilter := map[string]*anypb.Any{extAuthzFilter: extAuthzOff()}
	if p.JWTAuthn != nil {
		perFilter[jwtFilter] = jwtOff()
	}
	matching.Headers = []*routev3.HeaderMatcher{methods("GET", "HEAD")}
	return &routev3.Route{
		Name:                   name,
		Match:                  matching,
		Action:                 toCluster(httpCluster),
		RequestHeadersToRemove: []string{"authorization", "cookie"},
		TypedPerFilterConfig:   perFilter,
	}
}

// ownRoute leads to an endpoint of certbearer's. The check in front of it only
// adds the statement; the endpoint judges.
func ownRoute(p Params, r Route) *routev3.Route {
	perFilter := map[string]*anypb.Any{extAuthzFilter: extAuthzNamed(r.Name), bufferName: buffered()}
	if p.JWTAuthn != nil {
		perFilter[jwtFilter] = jwtOff()
	}
	return &routev3.Route{
		Name: "route:" + r.Name,
		Match: &routev3.RouteMatch{
			PathSpecifier: &routev3.RouteMatch_Path{Path: r.PathPrefix}, Headers: headerMatchers(r),
		},
		Action:                 toCluster(httpCluster),
		RequestHeadersToRemove: []string{"cookie"},
		TypedPerFilterConfig:   perFilter,
	}
}

func namedRoute(p Params, r Route) *routev3.Route {
	if r.Access == OwnEndpoint {
		return ownRoute(p, r)
	}
	perFilter := map[string]*anypb.Any{extAuthzFilter: extAuthzNamed(r.Name)}
	if p.JWTAuthn != nil && (r.Access == Public || r.Access == Preflight) {
		perFilter[jwtFilter] = jwtOff()
	}
	return &routev3.Route{
		Name:                 "route:" + r.Name,
		Match:                match(r.PathPrefix, headerMatchers(r)),
		Action:               toCluster(upstreamCluster),
		TypedPerFilterConfig: perFilter,
	}
}

func headerMatchers(r Route) []*routev3.HeaderMatcher {
	var all []*routev3.HeaderMatcher
	if r.Host != "" {
		all = append(all, authority(r.Host))
	}
	if r.Access == Preflight {
		return append(all, methods(methodOptions), present("origin"), present("access-control-request-method"))
	}
	if len(r.Methods) > 0 {
		all = append(all, methods(r.Methods...))
	}
	return all
}

// match covers whole segments: /api takes /api/x and not /apix.
func match(path string, headers []*routev3.HeaderMatcher) *routev3.RouteMatch {
	if path == "" || path == "/" {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}, Headers: headers}
	}
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: path}, Headers: headers}
}

func toCluster(name string) *routev3.Route_Route {
	return &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: name},
		// Envoy's 15 s would cut streams off; stream_idle_timeout and
		// max_stream_duration bound them instead.
		Timeout: durationpb.New(0),
	}}
}

// authority matches the host in any case, with or without the closing dot and
// a port: all of them reach the same service.
func authority(host string) *routev3.HeaderMatcher {
	quoted := regexp.QuoteMeta(host)
	if below, wild := strings.CutPrefix(host, "*"); wild {
		quoted = `[^:\[\]]+` + regexp.QuoteMeta(below)
	} else if strings.Contains(host, ":") {
		quoted = `\[` + quoted + `\]`
	}
	return matching(":authority", &matcherv3.StringMatcher{MatchPattern: regex(`(?i)` + quoted + `\.?(:[0-9]*)?`)})
}

func methods(names ...string) *routev3.HeaderMatcher {
	if len(names) == 1 {
		return matching(":method", &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: names[0]}})
	}
	return matching(":method", &matcherv3.StringMatcher{MatchPattern: regex(strings.Join(names, "|"))})
}

func regex(expression string) *matcherv3.StringMatcher_SafeRegex {
	return &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: expression}}
}

func matching(header string, m *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: header, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m}}
}

func present(header string) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: header, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}}
}
