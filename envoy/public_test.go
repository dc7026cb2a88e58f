package envoy_test

import (
	"slices"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/certbearer/certbearer/envoy"
)

// public is the listener for those without a certificate.
func public(t *testing.T) (tls *tlsv3.DownstreamTlsContext, m *hcmv3.HttpConnectionManager) {
	t.Helper()
	listeners, err := envoy.Listeners(configurations()["public"])
	if err != nil {
		t.Fatal(err)
	}
	if len(listeners) != 2 || listeners[0].GetName() != envoy.ListenerName || listeners[1].GetName() != envoy.PublicListenerName {
		t.Fatalf("%d listeners", len(listeners))
	}
	chain := listeners[1].GetFilterChains()[0]
	tls, m = new(tlsv3.DownstreamTlsContext), new(hcmv3.HttpConnectionManager)
	unpack(t, chain.GetTransportSocket().GetTypedConfig(), tls)
	unpack(t, chain.GetFilters()[0].GetTypedConfig(), m)
	return tls, m
}

func TestThePublicListenerAsksForNoCertificate(t *testing.T) {
	tls, _ := public(t)
	if tls.GetRequireClientCertificate().GetValue() || tls.GetCommonTlsContext().GetValidationContextType() != nil {
		t.Errorf("%v", tls)
	}
}

func TestThereIsNoPublicListenerUnasked(t *testing.T) {
	listeners, err := envoy.Listeners(base())
	if err != nil || len(listeners) != 1 {
		t.Errorf("%d listeners, %v", len(listeners), err)
	}
}

// Whoever comes by the public listener reaches certbearer and nothing else: what is
// published, and its own endpoints, with the check that takes forged statements off.
func TestThePublicListenerLeadsToCertbearerOnly(t *testing.T) {
	_, m := public(t)
	var names []string
	for _, route := range routesOf(m) {
		names = append(names, route.GetName())
		if direct := route.GetDirectResponse(); direct != nil {
			if direct.GetStatus() != 404 {
				t.Errorf("%s: status %d", route.GetName(), direct.GetStatus())
			}
			continue
		}
		if cluster := route.GetRoute().GetCluster(); cluster != "certbearer-http" {
			t.Errorf("%s leads to %s", route.GetName(), cluster)
		}
		named := nameOf(t, route)
		if own := slices.Contains([]string{"route:token_endpoint", "route:introspection_endpoint"}, route.GetName()); own != (named != "") || own && "route:"+named != route.GetName() {
			t.Errorf("%s is checked as %q", route.GetName(), named)
		}
	}
	if want := []string{"jwks", "metadata", "route:token_endpoint", "route:introspection_endpoint", "elsewhere"}; !slices.Equal(names, want) {
		t.Errorf("routes %v, want %v", names, want)
	}
	var filters []string
	for _, filter := range m.GetHttpFilters() {
		filters = append(filters, filter.GetName())
	}
	if want := []string{"envoy.filters.http.buffer", "envoy.filters.http.ext_authz", "envoy.filters.http.router"}; !slices.Equal(filters, want) {
		t.Errorf("filters %v, want %v", filters, want)
	}
	var early earlyv3.HeaderMutation
	unpack(t, m.GetEarlyHeaderMutationExtensions()[0].GetTypedConfig(), &early)
	if !removed(early.GetMutations(), "certbearer-statement") {
		t.Error("a caller's own statement gets in")
	}
	if m.GetForwardClientCertDetails() != hcmv3.HttpConnectionManager_SANITIZE_SET {
		t.Error("a caller's own x-forwarded-client-cert gets in")
	}
}

// nameOf is the name by which certbearer is asked about a route, "" if it is not.
func nameOf(t *testing.T, route *routev3.Route) string {
	t.Helper()
	packed := route.GetTypedPerFilterConfig()["envoy.filters.http.ext_authz"]
	if packed == nil {
		t.Fatalf("%s is checked without a name", route.GetName())
	}
	var settings extauthzv3.ExtAuthzPerRoute
	unpack(t, packed, &settings)
	if settings.GetDisabled() {
		return ""
	}
	return settings.GetCheckSettings().GetContextExtensions()["certbearer.route"]
}

// An endpoint's route takes the very path: what lies below it is not ours.
func TestAnEndpointsRouteTakesItsPathOnly(t *testing.T) {
	for _, route := range routesOf(managerOf(t, configurations()["public"])) {
		if route.GetName() != "route:token_endpoint" {
			continue
		}
		if route.GetMatch().GetPath() != "/oauth2/token" {
			t.Errorf("matches %v", route.GetMatch())
		}
		if !slices.Contains(route.GetRequestHeadersToRemove(), "cookie") || slices.Contains(route.GetRequestHeadersToRemove(), "authorization") {
			t.Errorf("removes %v: the endpoint has to see an Authorization to refuse it", route.GetRequestHeadersToRemove())
		}
		return
	}
	t.Error("there is no route to the token endpoint")
}
