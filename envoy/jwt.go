package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// jwtFilter is the filter's name and the key of its per-route configuration.
const jwtFilter = "envoy.filters.http.jwt_authn"

const (
	jwtProvider  = "certbearer"
	jwksLifetime = time.Minute
	jwksTimeout  = 2 * time.Second
)

// jwtAuthn verifies the injected token behind ext_authz. Its one rule covers
// every path, and routes without a token are taken out of it one by one: a
// route that was forgotten is refused, not let through. The token is read from
// Authorization alone; by default Envoy would also take a query parameter.
func jwtAuthn(j JWTAuthn) *jwtv3.JwtAuthentication {
	return &jwtv3.JwtAuthentication{
		Providers: map[string]*jwtv3.JwtProvider{jwtProvider: {
			Issuer:            j.Issuer,
			Audiences:         j.Audiences,
			RequireExpiration: true,
			Forward:           true,
			FromHeaders:       []*jwtv3.JwtHeader{{Name: "authorization", ValuePrefix: "Bearer "}},
			JwksSourceSpecifier: &jwtv3.JwtProvider_RemoteJwks{RemoteJwks: &jwtv3.RemoteJwks{
				HttpUri: &corev3.HttpUri{
					Uri:              "http://certbearer" + jwksPath,
					HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: httpCluster},
					Timeout:          durationpb.New(jwksTimeout),
				},
				CacheDuration: durationpb.New(jwksLifetime),
				AsyncFetch:    &jwtv3.JwksAsyncFetch{FastListener: false},
			}},
		}},
		Rules: []*jwtv3.RequirementRule{{
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			RequirementType: &jwtv3.RequirementRule_Requires{Requires: &jwtv3.JwtRequirement{
				RequiresType: &jwtv3.JwtRequirement_ProviderName{ProviderName: jwtProvider},
			}},
		}},
	}
}

func jwtOff() *anypb.Any {
	return pack(&jwtv3.PerRouteConfig{RequirementSpecifier: &jwtv3.PerRouteConfig_Disabled{Disabled: true}})
}
