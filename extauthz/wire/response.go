package wire

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
)

// Status is the class of a refusal. There is none that lets a request through:
// Envoy takes a CheckResponse without a status, and a denied response with the
// code OK, for an allow. The zero value, and any that is not named here, is
// ServiceUnavailable.
type Status uint8

// The classes of refusal.
const (
	ServiceUnavailable Status = iota
	BadRequest
	Unauthorized
	Forbidden
)

// HTTP returns the status code: 400, 401, 403 or 503.
func (s Status) HTTP() int {
	switch s {
	case BadRequest:
		return 400
	case Unauthorized:
		return 401
	case Forbidden:
		return 403
	}
	return 503
}

// StatusOf returns the class with the HTTP status, ServiceUnavailable where none
// has it.
func StatusOf(code int) Status {
	for _, s := range []Status{BadRequest, Unauthorized, Forbidden} {
		if s.HTTP() == code {
			return s
		}
	}
	return ServiceUnavailable
}

func (s Status) grpc() codes.Code {
	switch s {
	case BadRequest:
		return codes.InvalidArgument
	case Unauthorized:
		return codes.Unauthenticated
	case Forbidden:
		return codes.PermissionDenied
	}
	return codes.Unavailable
}

// Header is one header field.
type Header struct{ Name, Value string }

// Metadata is what Envoy's access log, RBAC and rate limits may know of the
// decision. It is for the operator: nothing of it reaches the caller.
// Mode is "shadow" where the decision was not carried out, and "" otherwise.
type Metadata struct{ Client, Reason, Route, Mode string }

// Allowance is what an allowed request is changed by.
type Allowance struct {
	// Set replaces headers of the request, whatever the caller sent under
	// their names.
	Set []Header
	// Remove takes headers off the request. Envoy removes after it sets: a
	// name must not stand in both.
	Remove   []string
	Metadata Metadata
}

// Refusal is what the caller gets instead.
type Refusal struct {
	Status   Status
	Headers  []Header
	Body     string
	Metadata Metadata
}

// Response is an answer to a check. Only Allow and Pass make one that lets the
// request through; the zero value refuses with 503.
type Response struct {
	allowed   bool
	allowance Allowance
	refusal   Refusal
}

// Allow lets the request through, changed.
func Allow(a Allowance) Response { return Response{allowed: true, allowance: a} }

// Pass lets the request through as it came: no header is set and none is taken off.
// It is for a decision that is not carried out, and says so in the metadata.
func Pass(m Metadata) Response {
	m.Mode = "shadow"
	return Response{allowed: true, allowance: Allowance{Metadata: m}}
}

// Deny refuses the request.
func Deny(r Refusal) Response { return Response{refusal: r} }

// Allowance is what the request is changed by; ok is false where it is refused.
func (r Response) Allowance() (a Allowance, ok bool) { return r.allowance, r.allowed }

// Refusal is what the caller gets where the request is refused.
func (r Response) Refusal() Refusal { return r.refusal }

// CheckResponse returns the message for Envoy.
func (r Response) CheckResponse() *authv3.CheckResponse {
	if r.allowed {
		return r.allowance.checkResponse()
	}
	return r.refusal.checkResponse()
}

func (a Allowance) checkResponse() *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &statuspb.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers:         options(a.Set),
			HeadersToRemove: a.Remove,
		}},
		DynamicMetadata: a.Metadata.value(),
	}
}

func (r Refusal) checkResponse() *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &statuspb.Status{Code: int32(r.Status.grpc())},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(r.Status.HTTP())},
			Headers: options(r.Headers),
			Body:    r.Body,
		}},
		DynamicMetadata: r.Metadata.value(),
	}
}

func options(headers []Header) []*corev3.HeaderValueOption {
	out := make([]*corev3.HeaderValueOption, len(headers))
	for i, header := range headers {
		out[i] = &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: header.Name, Value: header.Value},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}
	}
	return out
}

func (m Metadata) value() *structpb.Struct {
	fields := make(map[string]*structpb.Value, 3)
	for name, text := range map[string]string{"client": m.Client, "reason": m.Reason, "route": m.Route, "mode": m.Mode} {
		if text != "" {
			fields[name] = structpb.NewStringValue(text)
		}
	}
	return &structpb.Struct{Fields: fields}
}
