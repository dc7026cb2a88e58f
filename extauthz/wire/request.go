// Package wire is the one place that knows what Envoy's external authorization
// looks like on the wire: it makes a plain [Request] of a CheckRequest and a
// CheckResponse of a [Response] that cannot lack a status.
package wire

import (
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

// Request is one check, as plain values.
type Request struct {
	policies.Request
	// ID is Envoy's x-request-id, "" if there is none.
	ID string
	// PeerCertificate is source.certificate: URL-encoded PEM, or empty.
	PeerCertificate []byte
	// ContextExtensions are what the proxy's configuration adds.
	ContextExtensions map[string]string
}

// MaxPathBytes bounds the request target. Envoy's own default for all headers
// together is 60 KiB.
const MaxPathBytes = 32 << 10

// FromCheck reads a CheckRequest. The error is RequestMalformed: the check does
// not describe an HTTP request.
func FromCheck(in *authv3.CheckRequest) (Request, error) {
	attributes := in.GetAttributes()
	http := attributes.GetRequest().GetHttp()
	request := Request{
		ID:                http.GetId(),
		PeerCertificate:   []byte(attributes.GetSource().GetCertificate()),
		ContextExtensions: attributes.GetContextExtensions(),
	}
	request.Method = http.GetMethod()
	request.Scheme = http.GetScheme()
	request.Host = http.GetHost()
	request.Source = attributes.GetSource().GetAddress().GetSocketAddress().GetAddress()
	request.Header = headers(http.GetHeaders(), http.GetHeaderMap().GetHeaders())
	if id := request.Header("x-request-id"); len(id) == 1 {
		request.ID = id[0] // http.id is Envoy's own number of the stream
	}
	switch err := request.SetTarget(http.GetPath(), "attributes.request.http.path"); {
	case http == nil:
		return request, decision.Denyf(decision.RequestMalformed, "attributes.request.http", "is missing")
	case request.Method == "":
		return request, decision.Denyf(decision.RequestMalformed, "attributes.request.http.method", "is empty")
	default:
		return request, err
	}
}

// SetTarget sets Path and RawQuery of the target that the caller sent, such as
// "/orders?page=2". The error is RequestMalformed, with field as its place; where it is
// the query that is too long, Path is set all the same. A target has no fragment (RFC
// 9112 section 3.2): what one service cuts off, nginx passes on and another reads as
// path.
func (r *Request) SetTarget(target, field string) error {
	if strings.Contains(target, "#") {
		return decision.Denyf(decision.RequestMalformed, field, "has a fragment")
	}
	path, query, _ := strings.Cut(target, "?")
	if len(path) <= MaxPathBytes {
		r.Path = path
	}
	if len(target) > MaxPathBytes {
		return decision.Denyf(decision.RequestMalformed, field, "has more than %d bytes", MaxPathBytes)
	}
	r.RawQuery = query
	if r.Path == "" {
		return decision.Denyf(decision.RequestMalformed, field, "is empty")
	}
	return nil
}
