package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// extAuthzFilter is at once the filter's name, the key of its per-route
// configuration, and the namespace of its dynamic metadata. Envoy ignores a key
// that names no filter, so all three must be this one constant.
const extAuthzFilter = "envoy.filters.http.ext_authz"

// extAuthz asks certbearer about each request. A check that fails, for whatever
// reason, is a 503 and never an allow. The route is chosen once: the header that
// certbearer sets must not move the request to another. The body is not asked for.
func extAuthz(p Params) *authzv3.ExtAuthz {
	return &authzv3.ExtAuthz{
		Services: &authzv3.ExtAuthz_GrpcService{GrpcService: &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: extAuthzCluster}},
			Timeout:         durationpb.New(p.timeout()),
		}},
		TransportApiVersion:    corev3.ApiVersion_V3,
		FailureModeAllow:       false,
		StatusOnError:          &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		IncludePeerCertificate: true,
		ValidateMutations:      true,
		ClearRouteCache:        false,
	}
}

func extAuthzOff() *anypb.Any {
	return pack(&authzv3.ExtAuthzPerRoute{Override: &authzv3.ExtAuthzPerRoute_Disabled{Disabled: true}})
}

func extAuthzNamed(route string) *anypb.Any {
	return pack(&authzv3.ExtAuthzPerRoute{Override: &authzv3.ExtAuthzPerRoute_CheckSettings{
		CheckSettings: &authzv3.CheckSettings{ContextExtensions: map[string]string{RouteExtension: route}},
	}})
}
