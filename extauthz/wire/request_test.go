package wire_test

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// asked is a check as Envoy sends it.
func asked() *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address: "192.0.2.7", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 50000},
			}}},
			Certificate: "-----BEGIN%20CERTIFICATE-----", Principal: "spiffe://forged",
		},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "99", Method: "GET", Scheme: "https", Host: "api.example:8443", Path: "/Patient?name=a?b",
			Headers: map[string]string{"accept": "a,b", "x-request-id": "7f2c"},
		}},
		ContextExtensions: map[string]string{"certbearer.route": "api"},
	}}
}

func httpOf(in *authv3.CheckRequest) *authv3.AttributeContext_HttpRequest {
	return in.GetAttributes().GetRequest().GetHttp()
}

// raw moves the headers to where Envoy puts them with encode_raw_headers.
func raw(in *authv3.CheckRequest, headers ...*corev3.HeaderValue) *authv3.CheckRequest {
	httpOf(in).Headers = nil
	httpOf(in).HeaderMap = &corev3.HeaderMap{Headers: headers}
	return in
}

func TestACheckBecomesPlainValues(t *testing.T) {
	got, err := wire.FromCheck(asked())
	if err != nil {
		t.Fatal(err)
	}
	if got.Header == nil {
		t.Fatal("no headers")
	}
	if diff := cmp.Diff([]string{"a,b"}, got.Header("accept")); diff != "" {
		t.Errorf("accept (-want +got)\n%s", diff)
	}
	got.Header = nil
	var want wire.Request
	want.Method, want.Scheme, want.Host, want.Path, want.RawQuery, want.Source = "GET", "https", "api.example:8443", "/Patient", "name=a?b", "192.0.2.7"
	want.ID = "7f2c"
	want.PeerCertificate = []byte("-----BEGIN%20CERTIFICATE-----")
	want.ContextExtensions = map[string]string{"certbearer.route": "api"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestHowATargetIsDivided(t *testing.T) {
	for name, test := range map[string]struct{ target, path, query string }{
		"a path alone":                        {"/a/b", "/a/b", ""},
		"a path and a query":                  {"/a?b=c", "/a", "b=c"},
		"only the first question mark counts": {"/a?b=c?d", "/a", "b=c?d"},
		"an empty query":                      {"/a?", "/a", ""},
		"an asterisk":                         {"*", "*", ""},
		"an encoded question mark":            {"/a%3Fb", "/a%3Fb", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := asked()
			httpOf(in).Path = test.target
			got, err := wire.FromCheck(in)
			if err != nil || got.Path != test.path || got.RawQuery != test.query {
				t.Errorf("%q and %q, %v", got.Path, got.RawQuery, err)
			}
		})
	}
}

func TestAHeaderHasTheValuesThatEnvoySent(t *testing.T) {
	header := func(name, value string) *corev3.HeaderValue { return &corev3.HeaderValue{Key: name, Value: value} }
	rawValue := func(name, value string) *corev3.HeaderValue {
		return &corev3.HeaderValue{Key: name, RawValue: []byte(value)}
	}
	for name, test := range map[string]struct {
		in   *authv3.CheckRequest
		want []string
	}{
		"joined by Envoy":              {asked(), []string{"a,b"}},
		"one by one as text":           {raw(asked(), header("accept", "a"), header("other", "x"), header("accept", "b")), []string{"a", "b"}},
		"one by one as bytes":          {raw(asked(), rawValue("accept", "a"), rawValue("accept", "\xff")), []string{"a", "\xff"}},
		"bytes before text":            {raw(asked(), &corev3.HeaderValue{Key: "accept", Value: "text", RawValue: []byte("bytes")}), []string{"bytes"}},
		"an empty value is a value":    {raw(asked(), rawValue("accept", "")), []string{""}},
		"none":                         {raw(asked()), nil},
		"a missing entry is no header": {raw(asked(), nil), nil},
		"both forms at once": {func() *authv3.CheckRequest {
			in := asked()
			httpOf(in).HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{header("accept", "c")}}
			return in
		}(), []string{"a,b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := wire.FromCheck(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Header("accept")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestTheRequestIDIsTheHeaderBeforeTheStreamsNumber(t *testing.T) {
	for name, test := range map[string]struct {
		in   *authv3.CheckRequest
		want string
	}{
		"one header":  {asked(), "7f2c"},
		"no header":   {raw(asked()), "99"},
		"two headers": {raw(asked(), &corev3.HeaderValue{Key: "x-request-id", Value: "a"}, &corev3.HeaderValue{Key: "x-request-id", Value: "b"}), "99"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := wire.FromCheck(test.in)
			if err != nil || got.ID != test.want {
				t.Errorf("%q, %v", got.ID, err)
			}
		})
	}
}

func TestWhatIsNoHTTPRequestIsMalformed(t *testing.T) {
	for name, test := range map[string]struct {
		in    *authv3.CheckRequest
		field string
	}{
		"no message":             {nil, "attributes.request.http"},
		"an empty message":       {&authv3.CheckRequest{}, "attributes.request.http"},
		"no request":             {&authv3.CheckRequest{Attributes: &authv3.AttributeContext{}}, "attributes.request.http"},
		"a request of TCP":       {&authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{}}}, "attributes.request.http"},
		"no method":              {withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Method = "" }), "attributes.request.http.method"},
		"no path, as of CONNECT": {withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Method, h.Path = "CONNECT", "" }), "attributes.request.http.path"},
		"only a query":           {withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "?a=b" }), "attributes.request.http.path"},
		"a fragment":             {withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "/a#/../b" }), "attributes.request.http.path"},
		"one behind a query":     {withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "/a?b#" }), "attributes.request.http.path"},
		"only a fragment":        {withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "#a" }), "attributes.request.http.path"},
		"a path that is too long": {withHTTP(func(h *authv3.AttributeContext_HttpRequest) {
			h.Path = "/" + strings.Repeat("a", wire.MaxPathBytes)
		}), "attributes.request.http.path"},
		"a query that is too long": {withHTTP(func(h *authv3.AttributeContext_HttpRequest) {
			h.Path = "/?" + strings.Repeat("a", wire.MaxPathBytes)
		}), "attributes.request.http.path"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := wire.FromCheck(test.in)
			denial, ok := err.(*decision.Denial)
			if !ok || denial.Reason != decision.RequestMalformed || denial.Field != test.field {
				t.Fatalf("error %v", err)
			}
			if got.Header == nil || len(got.Path) > wire.MaxPathBytes {
				t.Errorf("what is recorded of it: header %t, a path of %d bytes", got.Header != nil, len(got.Path))
			}
			if values := got.Header("host"); values != nil {
				t.Errorf("header %v", values)
			}
		})
	}
}

func TestAPathAsLongAsMayBeIsRead(t *testing.T) {
	path := "/" + strings.Repeat("a", wire.MaxPathBytes-1)
	got, err := wire.FromCheck(withHTTP(func(h *authv3.AttributeContext_HttpRequest) { h.Path = path }))
	if err != nil || got.Path != path {
		t.Errorf("%d bytes, %v", len(got.Path), err)
	}
}

func withHTTP(change func(*authv3.AttributeContext_HttpRequest)) *authv3.CheckRequest {
	in := asked()
	change(httpOf(in))
	return in
}
