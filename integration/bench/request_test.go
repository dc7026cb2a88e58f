package bench_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// pki has a certificate of each kind of caller.
type pki struct {
	pinned, stranger           *testca.Issued
	root, intermediate, issued *testca.Issued
}

func newPKI(b *testing.B) pki {
	b.Helper()
	made := func(issued *testca.Issued, err error) *testca.Issued {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return issued
	}
	root := made(testca.SelfSigned(testca.Template{CommonName: "Partner Root", Organization: "Partner", CA: true}))
	intermediate := made(root.Issue(testca.Template{CommonName: "Partner Issuing", Organization: "Partner", CA: true}))
	names := []string{"client.partner.example"}
	return pki{
		root: root, intermediate: intermediate,
		issued:   made(intermediate.Issue(testca.Template{CommonName: "Partner Client", Organization: "Partner", DNSNames: names})),
		pinned:   made(testca.SelfSigned(testca.Template{CommonName: "Lab Client", Organization: "Lab", DNSNames: names})),
		stranger: made(testca.SelfSigned(testca.Template{CommonName: "Lab Client", Organization: "Lab", DNSNames: names})),
	}
}

// requestOf is the check that Envoy 1.40 makes of a GET over HTTP/1.1 with the
// listener of "certbearer render envoy": source.certificate is the leaf, and
// x-forwarded-client-cert has Hash, Cert and Chain, the leaf in both.
func requestOf(leaf *testca.Issued, intermediates ...*testca.Issued) *authv3.CheckRequest {
	const path = "/fhir/R4/Patient?_lastUpdated=gt2026-01-01&_count=50"
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{
			Address: address("198.51.100.23", 53482), Certificate: leaf.URLEncodedPEM(), Principal: "client.partner.example",
		},
		Destination: &authv3.AttributeContext_Peer{Address: address("203.0.113.10", 8443), Principal: "localhost"},
		Request: &authv3.AttributeContext_Request{
			Time: timestamppb.New(time.Now()),
			Http: &authv3.AttributeContext_HttpRequest{
				Id: "8462317508426113298", Method: "GET", Scheme: "https", Host: "fhir.gateway.example", Path: path, Protocol: "HTTP/1.1",
				Headers: map[string]string{
					":authority": "fhir.gateway.example", ":method": "GET", ":path": path, ":scheme": "https",
					"accept":                         "application/fhir+json",
					"accept-encoding":                "gzip",
					"user-agent":                     "lab-integration/2.4 (Java 21; HttpClient)",
					"x-forwarded-proto":              "https",
					"x-request-id":                   "3f1d8f1a-5c0b-4d7e-9a53-2b7c6e1f0a94",
					"x-envoy-expected-rq-timeout-ms": "15000",
					"x-envoy-external-address":       "198.51.100.23",
					"x-forwarded-for":                "198.51.100.23",
					"x-forwarded-client-cert":        forwarded(leaf, intermediates),
					"x-envoy-decorator-operation":    "fhir",
					"x-correlation-id":               "c0ffee00-1234-5678-9abc-def012345678",
				},
			},
		},
		ContextExtensions:    map[string]string{"certbearer.route": "default"},
		MetadataContext:      &corev3.Metadata{},
		RouteMetadataContext: &corev3.Metadata{},
	}}
}

func address(ip string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func forwarded(leaf *testca.Issued, intermediates []*testca.Issued) string {
	sum := leaf.Thumbprint()
	var chain strings.Builder
	chain.WriteString(leaf.URLEncodedPEM())
	for _, issuer := range intermediates {
		chain.WriteString(issuer.URLEncodedPEM())
	}
	return "Hash=" + hex.EncodeToString(sum[:]) + `;Cert="` + leaf.URLEncodedPEM() + `";Chain="` + chain.String() + `"`
}
