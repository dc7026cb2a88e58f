package istio

import (
	"encoding/json"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/certbearer/certbearer/envoy"
)

const (
	managerFilter  = "envoy.filters.network.http_connection_manager"
	extAuthzFilter = "envoy.filters.http.ext_authz"
	tlsSocket      = "envoy.transport_sockets.tls"
)

// envoyFilter is what Istio's own API cannot say. The TLS is patched where it is
// ours, found by SNI: the port of a gateway's pod is not that of its Service.
// Headers and paths are made safe on every listener of the gateway, because every
// listener asks certbearer.
func envoyFilter(p Params) manifest {
	patches := []object{
		patch("FILTER_CHAIN", chainMatch(object{"sni": p.Hosts[0]}), &listenerv3.FilterChain{
			TransportSocket: &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(envoy.EdgeTLS())}},
		}),
		patch("NETWORK_FILTER", chainMatch(object{"filter": object{"name": managerFilter}}), &listenerv3.Filter{
			Name:       managerFilter,
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(envoy.EdgeManager())},
		}),
		patch("HTTP_FILTER", chainMatch(object{"filter": object{"name": managerFilter, "subFilter": object{"name": extAuthzFilter}}}), &hcmv3.HttpFilter{
			Name:       extAuthzFilter,
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(&authzv3.ExtAuthz{ValidateMutations: true})},
		}),
	}
	return manifest{
		comment: "The whole chain of the certificate, no list of CAs sent to clients, headers in\nwhich callers could forge a certificate taken off, paths with one reading, and no\nanswer of certbearer's that would break a request in two.",
		object: made("networking.istio.io/v1alpha3", "EnvoyFilter", p.Gateway.Namespace, object{
			"workloadSelector": object{"labels": p.Gateway.Selector},
			"configPatches":    patches,
		}),
	}
}

func chainMatch(chain object) object {
	return object{"context": "GATEWAY", "listener": object{"filterChain": chain}}
}

func patch(applyTo string, match object, value proto.Message) object {
	return object{
		"applyTo": applyTo,
		"match":   match,
		"patch":   object{"operation": "MERGE", "value": fields(value)},
	}
}

// fields returns m by the names of Envoy's documentation.
func fields(m proto.Message) object {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("istio: write %T: %v", m, err)) // constants, all of it
	}
	var out object
	if err := json.Unmarshal(text, &out); err != nil {
		panic(fmt.Sprintf("istio: read %T: %v", m, err))
	}
	return out
}

func pack(m proto.Message) *anypb.Any {
	packed, err := anypb.New(m)
	if err != nil {
		panic(fmt.Sprintf("istio: pack %T: %v", m, err))
	}
	return packed
}
