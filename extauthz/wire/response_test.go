package wire_test

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/google/go-cmp/cmp"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/certbearer/certbearer/extauthz/wire"
)

// Envoy takes an answer without a status, and a denied one with the status OK,
// for an allow: none can be built.
func TestNoStatusMakesADenialAnAllow(t *testing.T) {
	for value := range 256 {
		got := wire.Deny(wire.Refusal{Status: wire.Status(value)}).CheckResponse()
		if got.GetStatus() == nil || got.GetStatus().GetCode() == int32(codes.OK) {
			t.Errorf("status %d: gRPC %v", value, got.GetStatus())
		}
		if code := got.GetDeniedResponse().GetStatus().GetCode(); code < 400 || int(code) != wire.Status(value).HTTP() {
			t.Errorf("status %d: HTTP %d", value, code)
		}
		if got.GetOkResponse() != nil || got.GetErrorResponse() != nil {
			t.Errorf("status %d: %v", value, got)
		}
	}
}

func TestAResponseThatNobodyBuiltRefuses(t *testing.T) {
	var zero wire.Response
	want := &authv3.CheckResponse{
		Status: &statuspb.Status{Code: int32(codes.Unavailable)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		}},
		DynamicMetadata: &structpb.Struct{},
	}
	if diff := cmp.Diff(want, zero.CheckResponse(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTheStatusesOfARefusal(t *testing.T) {
	for name, test := range map[string]struct {
		status wire.Status
		http   int
		grpc   codes.Code
	}{
		"what is malformed":          {wire.BadRequest, 400, codes.InvalidArgument},
		"who is not known":           {wire.Unauthorized, 401, codes.Unauthenticated},
		"what is not allowed":        {wire.Forbidden, 403, codes.PermissionDenied},
		"what is not available":      {wire.ServiceUnavailable, 503, codes.Unavailable},
		"a status that nobody knows": {wire.Status(200), 503, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			got := wire.Deny(wire.Refusal{Status: test.status}).CheckResponse()
			if test.status.HTTP() != test.http || codes.Code(got.GetStatus().GetCode()) != test.grpc {
				t.Errorf("HTTP %d, gRPC %d", test.status.HTTP(), got.GetStatus().GetCode())
			}
		})
	}
}

func TestAnAllowanceOnTheWire(t *testing.T) {
	got := wire.Allow(wire.Allowance{
		Set:      []wire.Header{{Name: "authorization", Value: "Bearer x"}},
		Remove:   []string{"x-forwarded-client-cert"},
		Metadata: wire.Metadata{Client: "lab", Reason: "allowed", Route: "api"},
	}).CheckResponse()
	want := &authv3.CheckResponse{
		Status: &statuspb.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers:         []*corev3.HeaderValueOption{replacing("authorization", "Bearer x")},
			HeadersToRemove: []string{"x-forwarded-client-cert"},
		}},
		DynamicMetadata: texts(map[string]string{"client": "lab", "reason": "allowed", "route": "api"}),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestARefusalOnTheWire(t *testing.T) {
	got := wire.Deny(wire.Refusal{
		Status:   wire.Unauthorized,
		Headers:  []wire.Header{{Name: "www-authenticate", Value: "Bearer"}},
		Body:     `{"error":"invalid_client"}`,
		Metadata: wire.Metadata{Reason: "client_unknown"},
	}).CheckResponse()
	want := &authv3.CheckResponse{
		Status: &statuspb.Status{Code: int32(codes.Unauthenticated)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode_Unauthorized},
			Headers: []*corev3.HeaderValueOption{replacing("www-authenticate", "Bearer")},
			Body:    `{"error":"invalid_client"}`,
		}},
		DynamicMetadata: texts(map[string]string{"reason": "client_unknown"}),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// replacing is a header that takes the place of one or many of its name.
func replacing(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

func texts(all map[string]string) *structpb.Struct {
	out := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for name, text := range all {
		out.Fields[name] = structpb.NewStringValue(text)
	}
	return out
}

func TestAPassChangesNothingAndSaysWhy(t *testing.T) {
	want := &authv3.CheckResponse{
		Status:       &statuspb.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}},
		DynamicMetadata: &structpb.Struct{Fields: map[string]*structpb.Value{
			"reason": structpb.NewStringValue("client_unknown"), "mode": structpb.NewStringValue("shadow"),
		}},
	}
	got := wire.Pass(wire.Metadata{Reason: "client_unknown"}).CheckResponse()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
