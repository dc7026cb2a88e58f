package wire_test

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

func FuzzFromCheck(f *testing.F) {
	for _, seed := range []*authv3.CheckRequest{
		{}, asked(),
		raw(asked(), &corev3.HeaderValue{Key: "x-request-id", RawValue: []byte("\xff")}),
		withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "/a?b#c" }),
		withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Method, h.Path = "CONNECT", "" }),
		withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "#?" }),
	} {
		message, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		var in authv3.CheckRequest
		if proto.Unmarshal(message, &in) != nil {
			return
		}
		got, err := wire.FromCheck(&in)
		if err != nil {
			if decision.ReasonOf(err) != decision.RequestMalformed {
				t.Fatalf("error %v", err)
			}
		} else if got.Method == "" || got.Path == "" {
			t.Errorf("method %q and path %q are a request", got.Method, got.Path)
		}
		if len(got.Path)+len(got.RawQuery) > wire.MaxPathBytes || strings.ContainsAny(got.Path, "?#") || strings.Contains(got.RawQuery, "#") {
			t.Errorf("path %q, query %q", got.Path, got.RawQuery)
		}
		for name, value := range httpOf(&in).GetHeaders() {
			if values := got.Header(name); len(values) == 0 || values[0] != value {
				t.Errorf("header %q is %q, want %q", name, values, value)
			}
		}
	})
}
