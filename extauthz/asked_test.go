package extauthz_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func selfSigned(t testing.TB, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := testca.SelfSigned(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func issue(t testing.TB, by *testca.Issued, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := by.Issue(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// requestFrom is a check as Envoy makes it of GET /Patient/1?_summary=true. leaf
// is nil for a connection without a certificate.
func requestFrom(leaf *testca.Issued) *authv3.CheckRequest {
	source := &authv3.AttributeContext_Peer{Address: socketAddress("192.0.2.7", 50000)}
	if leaf != nil {
		source.Certificate = leaf.URLEncodedPEM()
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      source,
		Destination: &authv3.AttributeContext_Peer{Address: socketAddress("192.0.2.1", 443)},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "1234567890", Method: "GET", Scheme: "https", Host: "api.example", Path: "/Patient/1?_summary=true", Protocol: "HTTP/1.1",
			Headers: map[string]string{
				":authority": "api.example", ":method": "GET", ":path": "/Patient/1?_summary=true", ":scheme": "https",
				"accept": "application/fhir+json", "x-request-id": "7f2c9d1e-aaaa-bbbb-cccc-0123456789ab",
			},
		}},
	}}
}

func socketAddress(ip string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func httpOf(request *authv3.CheckRequest) *authv3.AttributeContext_HttpRequest {
	return request.GetAttributes().GetRequest().GetHttp()
}

// with returns the request with a header.
func with(request *authv3.CheckRequest, name, value string) *authv3.CheckRequest {
	httpOf(request).Headers[name] = value
	return request
}

// withHeaderMap returns the request with its headers one by one, of one name with
// these values, as Envoy sends them when encode_raw_headers is set.
func withHeaderMap(request *authv3.CheckRequest, name string, values ...string) *authv3.CheckRequest {
	all := &corev3.HeaderMap{}
	for name, value := range httpOf(request).GetHeaders() {
		all.Headers = append(all.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	for _, value := range values {
		all.Headers = append(all.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	httpOf(request).Headers, httpOf(request).HeaderMap = nil, all
	return request
}

// xfcc is one element as Envoy writes it, the chain leaf first.
func xfcc(leaf *testca.Issued, chain ...*testca.Issued) string {
	sum := leaf.Thumbprint()
	element := "Hash=" + hex.EncodeToString(sum[:]) + `;Cert="` + leaf.URLEncodedPEM() + `"`
	if len(chain) > 0 {
		element += ";" + chainOf(chain...)
	}
	return element
}

func chainOf(chain ...*testca.Issued) string {
	var text strings.Builder
	for _, issued := range chain {
		text.WriteString(issued.URLEncodedPEM())
	}
	return `Chain="` + text.String() + `"`
}

// answered is what a CheckResponse says.
type answered struct {
	*authv3.CheckResponse
	Allowed bool
	Reason  string // of the dynamic metadata
	Status  int    // HTTP status of a refusal
	headers map[string]string
}

// fataler is what testing.T and rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// check asks and holds every answer to what Envoy must never see: it takes an
// answer without a status, and a denied one with the status OK, for an allow.
func check(ctx context.Context, t fataler, s authv3.AuthorizationServer, request *authv3.CheckRequest) answered {
	t.Helper()
	response, err := s.Check(ctx, request)
	if err != nil {
		t.Fatalf("an error instead of an answer: %v", err)
	}
	return read(t, response)
}

func read(t fataler, response *authv3.CheckResponse) answered {
	t.Helper()
	if response.GetStatus() == nil {
		t.Fatalf("the answer has no status: Envoy lets the request through\n%v", response)
	}
	if _, err := proto.Marshal(response); err != nil {
		t.Fatalf("the answer cannot be sent: %v", err)
	}
	a := answered{CheckResponse: response, headers: map[string]string{}}
	a.Reason = response.GetDynamicMetadata().GetFields()["reason"].GetStringValue()
	options := response.GetOkResponse().GetHeaders()
	switch kind := response.GetHttpResponse().(type) {
	case *authv3.CheckResponse_OkResponse:
		a.Allowed = true
		if response.GetStatus().GetCode() != int32(codes.OK) {
			t.Fatalf("an allow with status %d", response.GetStatus().GetCode())
		}
	case *authv3.CheckResponse_DeniedResponse:
		options, a.Status = kind.DeniedResponse.GetHeaders(), int(kind.DeniedResponse.GetStatus().GetCode())
		if response.GetStatus().GetCode() == int32(codes.OK) || a.Status < http.StatusBadRequest {
			t.Fatalf("a denial with gRPC status %d and HTTP status %d", response.GetStatus().GetCode(), a.Status)
		}
	default:
		t.Fatalf("an answer that neither allows nor denies: %v", response)
	}
	for _, option := range options {
		if option.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Fatalf("%s does not replace what is there", option.GetHeader().GetKey())
		}
		a.headers[option.GetHeader().GetKey()] = option.GetHeader().GetValue()
	}
	return a
}

// token is the injected one, taken apart.
func (a answered) token(t testing.TB) (text string, claims map[string]any) {
	t.Helper()
	text, found := strings.CutPrefix(a.headers["authorization"], "Bearer ")
	parts := strings.Split(text, ".")
	if !a.Allowed || !found || len(parts) != 3 {
		t.Fatalf("no token in %v", a.CheckResponse)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return text, claims
}

// wantDenied fails unless the request was refused for the reason.
func (a answered) wantDenied(t testing.TB, want decision.Reason) {
	t.Helper()
	if a.Allowed || a.Reason != want.String() {
		t.Errorf("allowed %v, reason %s, want %s", a.Allowed, a.Reason, want)
	}
}

// inWords is the decision as a sentence.
func (a answered) inWords() string {
	if a.Allowed {
		return a.Reason
	}
	return fmt.Sprintf("%d %s", a.Status, a.Reason)
}
