package envoy_test

import (
	"strings"
	"testing"

	"github.com/certbearer/certbearer/envoy"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Envoy itself says nothing about a per-route key that names no filter: the
// route is then authorized without its name, or the JWKS is not public.
func TestEveryPerRouteKeyNamesAFilter(t *testing.T) {
	for name, p := range configurations() {
		t.Run(name, func(t *testing.T) {
			if stray := strayKeys(t, managerOf(t, p)); len(stray) > 0 {
				t.Errorf("per-route keys that name no filter: %q", stray)
			}
		})
	}
}

func TestAMisspelledPerRouteKeyWouldBeFound(t *testing.T) {
	p := configurations()["routes"]
	m := managerOf(t, p)
	route := routesOf(m)[1]
	route.TypedPerFilterConfig["envoy.filters.http.ext_auth"] = route.TypedPerFilterConfig["envoy.filters.http.ext_authz"]
	delete(route.TypedPerFilterConfig, "envoy.filters.http.ext_authz")
	if diff := cmp.Diff([]string{"envoy.filters.http.ext_auth"}, strayKeys(t, m)); diff != "" {
		t.Errorf("stray keys (-want +got):\n%s", diff)
	}
}

func TestEveryRouteTellsCertbearerItsNameAndOnlyTheJWKSIsNotAsked(t *testing.T) {
	var asked []string
	for _, route := range routesOf(managerOf(t, configurations()["jwt_authn"])) {
		asked = append(asked, route.GetName()+" "+question(t, route))
	}
	want := []string{
		"jwks not asked, token not demanded",
		"metadata not asked, token not demanded",
		"route:cors asked as cors, token not demanded",
		"route:fhir asked as fhir, token demanded",
		"route:status asked as status, token not demanded",
		"route:rest asked as rest, token demanded",
		"unnamed asked, token demanded",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

func question(t *testing.T, route *routev3.Route) string {
	t.Helper()
	text := "asked"
	if packed := route.GetTypedPerFilterConfig()["envoy.filters.http.ext_authz"]; packed != nil {
		var authz authzv3.ExtAuthzPerRoute
		unpack(t, packed, &authz)
		text = "asked as " + authz.GetCheckSettings().GetContextExtensions()[envoy.RouteExtension]
		if authz.GetDisabled() {
			text = "not asked"
		}
	}
	packed := route.GetTypedPerFilterConfig()["envoy.filters.http.jwt_authn"]
	if packed == nil {
		return text + ", token demanded"
	}
	var jwt jwtv3.PerRouteConfig
	unpack(t, packed, &jwt)
	if !jwt.GetDisabled() {
		t.Error("a per-route jwt_authn that is not off")
	}
	return text + ", token not demanded"
}

func TestTheQuestionToCertbearerFailsClosed(t *testing.T) {
	var authz authzv3.ExtAuthz
	unpack(t, filterOf(t, managerOf(t, base()), "envoy.filters.http.ext_authz").GetTypedConfig(), &authz)
	checks := map[string]bool{
		"a failed check is not an allow":                    !authz.GetFailureModeAllow(),
		"a failed check is a 503":                           authz.GetStatusOnError().GetCode() == 503,
		"the certificate comes along":                       authz.GetIncludePeerCertificate(),
		"bad header values are refused":                     authz.GetValidateMutations(),
		"the route is chosen once":                          !authz.GetClearRouteCache(),
		"the body stays out of it":                          authz.GetWithRequestBody() == nil,
		"denials are not only simulated":                    !authz.GetShadowMode(),
		"a check is bounded":                                authz.GetGrpcService().GetTimeout().AsDuration() == envoy.DefaultTimeout,
		"the filter is never switched off":                  authz.GetFilterEnabled() == nil && authz.GetFilterEnabledMetadata() == nil,
		"the first of the filters, but for one that is off": managerOf(t, base()).GetHttpFilters()[0].GetDisabled() && managerOf(t, base()).GetHttpFilters()[1].GetName() == "envoy.filters.http.ext_authz",
	}
	for promise, kept := range checks {
		if !kept {
			t.Errorf("not so: %s", promise)
		}
	}
}

func TestTheListenerAsksForAnyCertificate(t *testing.T) {
	var context tlsv3.DownstreamTlsContext
	unpack(t, listenerOf(t, base()).GetFilterChains()[0].GetTransportSocket().GetTypedConfig(), &context)
	validation := context.GetCommonTlsContext().GetValidationContext()
	if context.GetRequireClientCertificate().GetValue() {
		t.Error("a certificate is required")
	}
	if validation.GetTrustedCa().GetFilename() != "server.crt" {
		t.Error("no trusted CA: Envoy would never ask for a certificate")
	}
	if validation.GetTrustChainVerification() != tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED || !validation.GetSuppressClientCaList() {
		t.Error("Envoy judges, or tells clients whom it trusts")
	}
	algorithms := strings.Join(context.GetCommonTlsContext().GetTlsParams().GetSignatureAlgorithms(), " ")
	for _, needed := range []string{"ed25519", "ecdsa_secp521r1_sha512", "rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"} {
		if !strings.Contains(algorithms, needed) {
			t.Errorf("clients with %s would send no certificate", needed)
		}
	}
	if strings.Contains(algorithms, "sha1") {
		t.Error("SHA-1 is accepted")
	}
}

func TestEveryClusterThatIsNamedExists(t *testing.T) {
	for name, p := range configurations() {
		t.Run(name, func(t *testing.T) {
			b, err := envoy.Bootstrap(p)
			if err != nil {
				t.Fatal(err)
			}
			known := clusterNames(b)
			m := managerOf(t, p)
			for _, used := range append(routedTo(m), askedFor(t, m)...) {
				if !known[used] {
					t.Errorf("%q is used and not defined", used)
				}
			}
		})
	}
}

func clusterNames(b *bootstrapv3.Bootstrap) map[string]bool {
	known := map[string]bool{}
	for _, c := range b.GetStaticResources().GetClusters() {
		known[c.GetName()] = true
	}
	return known
}

func routedTo(m *hcmv3.HttpConnectionManager) []string {
	var used []string
	for _, route := range routesOf(m) {
		used = append(used, route.GetRoute().GetCluster())
	}
	return used
}

func askedFor(t *testing.T, m *hcmv3.HttpConnectionManager) []string {
	t.Helper()
	var authz authzv3.ExtAuthz
	unpack(t, filterOf(t, m, "envoy.filters.http.ext_authz").GetTypedConfig(), &authz)
	used := []string{authz.GetGrpcService().GetEnvoyGrpc().GetClusterName()}
	for _, f := range m.GetHttpFilters() {
		if f.GetName() != "envoy.filters.http.jwt_authn" {
			continue
		}
		var jwt jwtv3.JwtAuthentication
		unpack(t, f.GetTypedConfig(), &jwt)
		for _, provider := range jwt.GetProviders() {
			used = append(used, provider.GetRemoteJwks().GetHttpUri().GetCluster())
		}
	}
	return used
}

func strayKeys(t *testing.T, m *hcmv3.HttpConnectionManager) []string {
	t.Helper()
	filters := map[string]bool{}
	for _, f := range m.GetHttpFilters() {
		filters[f.GetName()] = true
	}
	var stray []string
	for _, route := range routesOf(m) {
		for key := range route.GetTypedPerFilterConfig() {
			if !filters[key] {
				stray = append(stray, key)
			}
		}
	}
	return stray
}

func listenerOf(t *testing.T, p envoy.Params) *listenerv3.Listener {
	t.Helper()
	all, err := envoy.Listeners(p)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func managerOf(t *testing.T, p envoy.Params) *hcmv3.HttpConnectionManager {
	t.Helper()
	var m hcmv3.HttpConnectionManager
	unpack(t, listenerOf(t, p).GetFilterChains()[0].GetFilters()[0].GetTypedConfig(), &m)
	return &m
}

func routesOf(m *hcmv3.HttpConnectionManager) []*routev3.Route {
	return m.GetRouteConfig().GetVirtualHosts()[0].GetRoutes()
}

func unpack(t *testing.T, packed *anypb.Any, into proto.Message) {
	t.Helper()
	if err := packed.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
}

func filterOf(t *testing.T, m *hcmv3.HttpConnectionManager, name string) *hcmv3.HttpFilter {
	t.Helper()
	for _, filter := range m.GetHttpFilters() {
		if filter.GetName() == name {
			return filter
		}
	}
	t.Fatalf("there is no filter %s", name)
	return nil
}
