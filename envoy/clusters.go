package envoy

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Names of the clusters.
const (
	extAuthzCluster = "certbearer-grpc"
	httpCluster     = "certbearer-http"
	upstreamCluster = "upstream"
	legacyCluster   = "legacy"
)

const (
	schemeHTTP  = "http"
	schemeH2C   = "h2c"
	schemeHTTPS = "https"
)

const (
	localConnectTimeout    = time.Second
	upstreamConnectTimeout = 5 * time.Second
	// checksInFlight is above any limit that certbearer sets itself: its refusal has
	// a reason and a record, Envoy's circuit breaker has neither.
	checksInFlight = 1 << 16
)

// Clusters returns certbearer's gRPC endpoint, its HTTP endpoint if p has one,
// the upstream, and the old one if p has one. The error joins [ParamError]s.
func Clusters(p Params) ([]*clusterv3.Cluster, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	grpc, err := extAuthzEndpoint(p)
	if err != nil {
		return nil, err
	}
	clusters := []*clusterv3.Cluster{grpc}
	if p.HTTP.Address != "" {
		http, err := httpEndpoint(p)
		if err != nil {
			return nil, err
		}
		clusters = append(clusters, http)
	}
	clusters = append(clusters, upstream(upstreamCluster, p.Upstream))
	if p.legacyCluster() == legacyCluster {
		clusters = append(clusters, upstream(legacyCluster, p.LegacyUpstream))
	}
	return clusters, nil
}

func extAuthzEndpoint(p Params) (*clusterv3.Cluster, error) {
	at, err := parseAddress(p.ExtAuthz.Address)
	if err != nil {
		return nil, err
	}
	c := cluster(extAuthzCluster, at, localConnectTimeout)
	speak(c, http2(&corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
		Interval: durationpb.New(30 * time.Second),
		Timeout:  durationpb.New(5 * time.Second),
	}}))
	limit := wrapperspb.UInt32(checksInFlight)
	c.CircuitBreakers = &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections: limit, MaxPendingRequests: limit, MaxRequests: limit,
	}}}
	if t := p.ExtAuthz.TLS; t != nil {
		c.TransportSocket = tlsTo(endpointTLS(p, *t, extAuthzSecret, "h2"))
	}
	return c, nil
}

func httpEndpoint(p Params) (*clusterv3.Cluster, error) {
	at, err := parseAddress(p.HTTP.Address)
	if err != nil {
		return nil, err
	}
	c := cluster(httpCluster, at, localConnectTimeout)
	speak(c, http1())
	if t := p.HTTP.TLS; t != nil {
		c.TransportSocket = tlsTo(endpointTLS(p, *t, httpSecret, "http/1.1"))
	}
	return c, nil
}

func upstream(name string, u Upstream) *clusterv3.Cluster {
	c := cluster(name, address{host: u.Host, port: u.Port}, upstreamConnectTimeout)
	switch u.Scheme {
	case schemeHTTPS:
		speak(c, byALPN())
		c.TransportSocket = tlsTo(upstreamTLS(u))
	case schemeH2C:
		speak(c, http2(&corev3.Http2ProtocolOptions{}))
	default:
		speak(c, http1())
	}
	return c
}

// cluster has no retries and no health checks: one request is one request, and
// certbearer's own health is its platform's to watch.
func cluster(name string, at address, connect time.Duration) *clusterv3.Cluster {
	kind := clusterv3.Cluster_STATIC
	if at.isName() {
		kind = clusterv3.Cluster_STRICT_DNS
	}
	return &clusterv3.Cluster{
		Name:                          name,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: kind},
		ConnectTimeout:                durationpb.New(connect),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
				HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: at.proto()}},
			}}}},
		},
	}
}

func speak(c *clusterv3.Cluster, options *upstreamv3.HttpProtocolOptions) {
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(options)}
}

func http1() *upstreamv3.HttpProtocolOptions {
	return explicit(&upstreamv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: &corev3.Http1ProtocolOptions{}},
	})
}

func http2(options *corev3.Http2ProtocolOptions) *upstreamv3.HttpProtocolOptions {
	return explicit(&upstreamv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: options},
	})
}

func explicit(c *upstreamv3.HttpProtocolOptions_ExplicitHttpConfig) *upstreamv3.HttpProtocolOptions {
	return &upstreamv3.HttpProtocolOptions{UpstreamProtocolOptions: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: c}}
}

func byALPN() *upstreamv3.HttpProtocolOptions {
	return &upstreamv3.HttpProtocolOptions{UpstreamProtocolOptions: &upstreamv3.HttpProtocolOptions_AutoConfig{
		AutoConfig: &upstreamv3.HttpProtocolOptions_AutoHttpConfig{
			HttpProtocolOptions:  &corev3.Http1ProtocolOptions{},
			Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
		},
	}}
}

func tlsTo(context *tlsv3.UpstreamTlsContext) *corev3.TransportSocket {
	return &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(context)}}
}
