package extauthz_test

import (
	"net/http"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// described is a request with headers, as a proxy over HTTP makes one.
func described(headers map[string]string) wire.Request {
	var request wire.Request
	request.Method, request.Host, request.Path = http.MethodGet, "api.example", "/orders"
	request.Header = func(name string) []string {
		if value, found := headers[name]; found {
			return []string{value}
		}
		return nil
	}
	return request
}

// The evidence is that of whoever asks: what counts for one proxy says nothing for
// another.
func TestARequestIsDecidedByTheEvidenceOfItsProxy(t *testing.T) {
	lab := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab", lab)
	nginx := authenticator(t, peercert.Config{From: peercert.Header, Header: "x-mtls-cert", Format: peercert.FormatNginx})
	balancer := authenticator(t, peercert.Config{From: peercert.Header, Format: peercert.FormatALB})
	request := described(map[string]string{"x-mtls-cert": lab.URLEncodedPEM()})
	read := func() (wire.Request, error) { return request, nil }
	if _, allowed := s.Decide(t.Context(), nginx, read).Allowance(); !allowed {
		t.Error("the certificate in nginx's header is not taken from nginx")
	}
	if _, allowed := s.Decide(t.Context(), balancer, read).Allowance(); allowed {
		t.Error("the certificate in nginx's header is taken from a load balancer")
	}
	request.PeerCertificate = []byte(lab.URLEncodedPEM())
	request.Header = func(string) []string { return nil }
	if _, allowed := s.Decide(t.Context(), nginx, read).Allowance(); allowed {
		t.Error("what Envoy would prove is taken from nginx")
	}
	var reasons []any
	for _, r := range s.records(t) {
		reasons = append(reasons, r["reason"])
	}
	if len(reasons) != 3 || reasons[0] != "allowed" || reasons[1] != "certificate_missing" || reasons[2] != "certificate_missing" {
		t.Errorf("the records say %v", reasons)
	}
}

func TestWhatCannotBeReadIsRefusedWithARecord(t *testing.T) {
	s := newSite(t, nil)
	by := authenticator(t, peercert.Config{From: peercert.XFCC})
	malformed := s.Decide(t.Context(), by, func() (wire.Request, error) {
		return wire.Request{}, decision.Denyf(decision.RequestMalformed, "x-original-uri", "stands 0 times")
	})
	panicked := s.Decide(t.Context(), by, func() (wire.Request, error) { panic("a fault") })
	for name, test := range map[string]struct {
		got  wire.Response
		want wire.Status
	}{
		"what is malformed": {malformed, wire.BadRequest},
		"a panic":           {panicked, wire.ServiceUnavailable},
	} {
		if _, allowed := test.got.Allowance(); allowed || test.got.Refusal().Status != test.want {
			t.Errorf("%s: allowed %v, status %d", name, allowed, test.got.Refusal().Status)
		}
	}
	if len(s.panics) != 1 {
		t.Errorf("told of %v", s.panics)
	}
	var reasons []any
	for _, r := range s.records(t) {
		reasons = append(reasons, r["reason"])
	}
	if len(reasons) != 2 || reasons[0] != "request_malformed" || reasons[1] != "internal_error" {
		t.Errorf("the records say %v", reasons)
	}
}
