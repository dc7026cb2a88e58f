package integration_test

import (
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// change is another Envoy than the one that certbearer renders: what somebody's
// own configuration, or a mistake in it, could be.
type change func(*testing.T, *bootstrapv3.Bootstrap)

const extAuthz = "envoy.filters.http.ext_authz"

// manager makes a change of a function on the HTTP connection manager.
func manager(edit func(*testing.T, *hcmv3.HttpConnectionManager)) change {
	return func(t *testing.T, b *bootstrapv3.Bootstrap) {
		t.Helper()
		filter := b.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0]
		m := new(hcmv3.HttpConnectionManager)
		if err := filter.GetTypedConfig().UnmarshalTo(m); err != nil {
			t.Fatal(err)
		}
		edit(t, m)
		if err := filter.GetTypedConfig().MarshalFrom(m); err != nil {
			t.Fatal(err)
		}
	}
}

// forwardNames has Envoy write the certificate's names into the header as well,
// unescaped as it does.
func forwardNames() change {
	return manager(func(_ *testing.T, m *hcmv3.HttpConnectionManager) {
		details := m.GetSetCurrentClientCertDetails()
		details.Uri, details.Dns, details.Subject = true, true, wrapperspb.Bool(true)
	})
}

// appendForward has Envoy append to the header that the caller sent.
func appendForward() change {
	return manager(func(_ *testing.T, m *hcmv3.HttpConnectionManager) {
		m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_APPEND_FORWARD
	})
}

// noEarlyRemoval is an Envoy that lets a caller's certificate headers in.
func noEarlyRemoval() change {
	return manager(func(_ *testing.T, m *hcmv3.HttpConnectionManager) { m.EarlyHeaderMutationExtensions = nil })
}

// noNormalisation is an Envoy that takes every path as it comes.
func noNormalisation() change {
	return manager(func(_ *testing.T, m *hcmv3.HttpConnectionManager) {
		m.NormalizePath, m.MergeSlashes = wrapperspb.Bool(false), false
		m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_KEEP_UNCHANGED
	})
}

// noAuthorization is an Envoy that asks nobody.
func noAuthorization() change {
	return manager(func(_ *testing.T, m *hcmv3.HttpConnectionManager) {
		var kept []*hcmv3.HttpFilter
		for _, filter := range m.GetHttpFilters() {
			if filter.GetName() != extAuthz {
				kept = append(kept, filter)
			}
		}
		m.HttpFilters = kept
		for _, route := range routesOf(m) {
			delete(route.GetTypedPerFilterConfig(), extAuthz)
		}
	})
}

// noRouteNames is an Envoy that does not tell which route it chose.
func noRouteNames() change {
	return manager(func(_ *testing.T, m *hcmv3.HttpConnectionManager) {
		for _, route := range routesOf(m) {
			if strings.HasPrefix(route.GetName(), "route:") {
				delete(route.GetTypedPerFilterConfig(), extAuthz)
			}
		}
	})
}

// extension sets a context extension of the named route.
func extension(route, key, value string) change {
	return manager(func(t *testing.T, m *hcmv3.HttpConnectionManager) {
		t.Helper()
		for _, r := range routesOf(m) {
			if r.GetName() != "route:"+route {
				continue
			}
			packed, err := anypb.New(&authzv3.ExtAuthzPerRoute{Override: &authzv3.ExtAuthzPerRoute_CheckSettings{
				CheckSettings: &authzv3.CheckSettings{ContextExtensions: map[string]string{key: value}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			r.TypedPerFilterConfig[extAuthz] = packed
			return
		}
		t.Fatalf("there is no route %q", route)
	})
}

func routesOf(m *hcmv3.HttpConnectionManager) []*routev3.Route {
	return m.GetRouteConfig().GetVirtualHosts()[0].GetRoutes()
}
