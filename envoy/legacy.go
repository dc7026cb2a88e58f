package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// legacyRoutes are for connections without a client certificate, where they may go on as
// they did before there was certbearer. They stand before all others: certbearer's own
// endpoints first, whose answer to who has no certificate is theirs, and then
// everything, to the old upstream. certbearer is not asked there. Authorization stays;
// the headers in which a certificate could be believed are gone before a route is chosen.
//
// Any certificate, a stranger's too, leads past them to certbearer. Envoy knows it of a
// resumed session as well.
func legacyRoutes(p Params) []*routev3.Route {
	if p.WithoutCertificate != Legacy {
		return nil
	}
	var routes []*routev3.Route
	for _, r := range p.Routes {
		if r.Access == OwnEndpoint {
			routes = append(routes, uncertified(ownRoute(p, r)))
		}
	}
	perFilter := map[string]*anypb.Any{extAuthzFilter: extAuthzOff()}
	if p.JWTAuthn != nil {
		perFilter[jwtFilter] = jwtOff()
	}
	return append(routes, uncertified(&routev3.Route{
		Name:                 "legacy",
		Match:                match("/", nil),
		Action:               toCluster(p.legacyCluster()),
		TypedPerFilterConfig: perFilter,
	}))
}

// uncertified has a route match connections without a certificate only.
func uncertified(r *routev3.Route) *routev3.Route {
	r.Match.TlsContext = &routev3.RouteMatch_TlsContextMatchOptions{Presented: wrapperspb.Bool(false)}
	return r
}

// legacyCluster is the upstream's own where there is no other.
func (p Params) legacyCluster() string {
	if p.LegacyUpstream == (Upstream{}) {
		return upstreamCluster
	}
	return legacyCluster
}
