package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// publicTLS has no validation context, so Envoy asks for no certificate: browsers
// would show their users a choice of them.
func publicTLS(p Params) *tlsv3.DownstreamTlsContext {
	tls := downstreamTLS(p)
	tls.RequireClientCertificate = nil
	tls.CommonTlsContext.ValidationContextType = nil
	return tls
}

// publicRouteConfig leads to what is published, and to certbearer's own endpoints,
// which refuse whoever has no certificate in their own words (RFC 8705 section 5
// has them stay where they are beside their aliases). There is no way to the
// upstream.
func publicRouteConfig(p Params) *routev3.RouteConfiguration {
	public := p
	public.JWTAuthn = nil
	routes := publishedRoutes(public)
	for _, r := range p.Routes {
		if r.Access == OwnEndpoint {
			routes = append(routes, ownRoute(public, r))
		}
	}
	routes = append(routes, &routev3.Route{
		Name:                 "elsewhere",
		Match:                match("/", nil),
		Action:               &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 404}},
		TypedPerFilterConfig: map[string]*anypb.Any{extAuthzFilter: extAuthzOff()},
	})
	return &routev3.RouteConfiguration{
		Name:                   "certbearer-public",
		RequestHeadersToRemove: []string{xfcc},
		VirtualHosts:           []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: routes}},
	}
}
