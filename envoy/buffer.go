package envoy

import (
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// bufferName is the filter's name and the key of its per-route configuration.
const bufferName = "envoy.filters.http.buffer"

// ownBodyBytes is above the bound of certbearer's own endpoints, whose refusal has
// a reason and a record.
const ownBodyBytes = 64 << 10

// bufferFilter is off but on the routes that turn it on: to certbearer's own
// endpoints. It stands first, so that a body that comes slowly waits in Envoy, with
// no connection to certbearer taken, and the statement of the certificate is not
// older than the body.
func bufferFilter() *hcmv3.HttpFilter {
	f := filter(bufferName, &bufferv3.Buffer{MaxRequestBytes: wrapperspb.UInt32(ownBodyBytes)})
	f.Disabled = true
	return f
}

func buffered() *anypb.Any {
	return pack(&bufferv3.BufferPerRoute{Override: &bufferv3.BufferPerRoute_Buffer{
		Buffer: &bufferv3.Buffer{MaxRequestBytes: wrapperspb.UInt32(ownBodyBytes)},
	}})
}
