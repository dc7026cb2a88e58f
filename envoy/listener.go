package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// ListenerName is the name of the listener that asks for certificates.
const ListenerName = "certbearer"

// Bounds of the listener. A connection that is open for maxLife ends, and so does
// a stream: a revocation does not reach one that was let in before.
const (
	handshakeTimeout = 10 * time.Second
	headersTimeout   = 10 * time.Second
	idleConnection   = 15 * time.Minute
	idleStream       = 5 * time.Minute
	maxLife          = time.Hour

	bufferLimit = 32 << 10
	maxStreams  = 100
	// headersKB holds 64 KiB of forwarded evidence beside 32 KiB of the caller's
	// own; over it Envoy answers the caller 431 and a mutation 500.
	headersKB = 96
)

// PublicListenerName is the name of the listener that asks for no certificate.
const PublicListenerName = "certbearer-public"

// Listeners returns the listener, and the public one if there is to be one. The
// error joins [ParamError]s.
func Listeners(p Params) ([]*listenerv3.Listener, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	main, err := listener(ListenerName, p.Listen, downstreamTLS(p), connectionManager(p, ListenerName, routeConfig(p), httpFilters(p)))
	if err != nil || p.PublicListen == "" {
		return []*listenerv3.Listener{main}, err
	}
	public, err := listener(PublicListenerName, p.PublicListen, publicTLS(p), connectionManager(p, PublicListenerName, publicRouteConfig(p), publicFilters(p)))
	return []*listenerv3.Listener{main, public}, err
}

func listener(name, address string, tls *tlsv3.DownstreamTlsContext, manager *hcmv3.HttpConnectionManager) (*listenerv3.Listener, error) {
	at, err := parseListen(address)
	if err != nil {
		return nil, err
	}
	return &listenerv3.Listener{
		Name:                          name,
		Address:                       at.proto(),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
		FilterChains: []*listenerv3.FilterChain{{
			TransportSocket: &corev3.TransportSocket{
				Name:       tlsSocket,
				ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(tls)},
			},
			TransportSocketConnectTimeout: durationpb.New(handshakeTimeout),
			Filters: []*listenerv3.Filter{{
				Name:       "envoy.filters.network.http_connection_manager",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(manager)},
			}},
		}},
	}, nil
}

func connectionManager(p Params, name string, routes *routev3.RouteConfiguration, filters []*hcmv3.HttpFilter) *hcmv3.HttpConnectionManager {
	m := &hcmv3.HttpConnectionManager{
		StatPrefix:     name,
		CodecType:      hcmv3.HttpConnectionManager_AUTO,
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes},
		HttpFilters:    filters,
		AccessLog:      accessLog(p.AccessLog),
	}
	if name == ListenerName {
		m.UpgradeConfigs = []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}}
	}
	distrust(m)
	if p.Front != nil && name == ListenerName {
		m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_APPEND_FORWARD
	}
	bound(m)
	return m
}

// distrust sets what keeps a caller from passing itself off as another, or a
// path as another path. Only Cert and Chain are asked for: Envoy writes the
// other fields of x-forwarded-client-cert unescaped.
func distrust(m *hcmv3.HttpConnectionManager) {
	m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_SANITIZE_SET
	m.SetCurrentClientCertDetails = &hcmv3.HttpConnectionManager_SetCurrentClientCertDetails{Cert: true, Chain: true}
	m.EarlyHeaderMutationExtensions = []*corev3.TypedExtensionConfig{earlyHeaderMutation()}
	m.UseRemoteAddress = wrapperspb.Bool(true)
	m.InternalAddressConfig = nobodyInternal()
	m.AlwaysSetRequestIdInResponse = true
	m.NormalizePath = wrapperspb.Bool(true)
	m.MergeSlashes = true
	m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_REJECT_REQUEST
	m.ServerHeaderTransformation = hcmv3.HttpConnectionManager_PASS_THROUGH
}

// nobodyInternal leaves no address from which a caller may set x-envoy-* or an
// x-request-id of its own. An empty list would mean loopback and the private
// networks, so it names the one address that no connection comes from.
func nobodyInternal() *hcmv3.HttpConnectionManager_InternalAddressConfig {
	return &hcmv3.HttpConnectionManager_InternalAddressConfig{
		CidrRanges: []*corev3.CidrRange{{AddressPrefix: "255.255.255.255", PrefixLen: wrapperspb.UInt32(32)}},
	}
}

// bound sets the limits of time, size and count. A request has no total timeout:
// gRPC streams and WebSockets are requests too.
func bound(m *hcmv3.HttpConnectionManager) {
	m.RequestHeadersTimeout = durationpb.New(headersTimeout)
	m.StreamIdleTimeout = durationpb.New(idleStream)
	m.MaxRequestHeadersKb = wrapperspb.UInt32(headersKB)
	m.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{
		IdleTimeout:           durationpb.New(idleConnection),
		MaxConnectionDuration: durationpb.New(maxLife),
		MaxStreamDuration:     durationpb.New(maxLife),
		// Many upstreams read client_cert as client-cert, which would undo the removal.
		HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_REJECT_REQUEST,
	}
	m.Http2ProtocolOptions = &corev3.Http2ProtocolOptions{
		MaxConcurrentStreams:        wrapperspb.UInt32(maxStreams),
		InitialStreamWindowSize:     wrapperspb.UInt32(64 << 10),
		InitialConnectionWindowSize: wrapperspb.UInt32(1 << 20),
	}
}

func httpFilters(p Params) []*hcmv3.HttpFilter {
	filters := []*hcmv3.HttpFilter{bufferFilter(), filter(extAuthzFilter, extAuthz(p))}
	if p.JWTAuthn != nil {
		filters = append(filters, filter(jwtFilter, jwtAuthn(*p.JWTAuthn)))
	}
	return append(filters, filter("envoy.filters.http.router", &routerv3.Router{}))
}

// publicFilters have no jwt_authn: nothing on the public listener takes a token.
func publicFilters(p Params) []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{bufferFilter(), filter(extAuthzFilter, extAuthz(p)), filter("envoy.filters.http.router", &routerv3.Router{})}
}

func filter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(config)}}
}
