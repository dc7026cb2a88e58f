package extauthz_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func TestEveryCheckLeavesOneRecordWithoutItsToken(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab", Organization: "Lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", pinned)
	before := time.Now().Add(-time.Second)
	first := check(t.Context(), t, s, requestFrom(pinned))
	text, claims := first.token(t)
	check(t.Context(), t, s, requestFrom(pinned))
	check(t.Context(), t, s, with(requestFrom(pinned), "authorization", "Bearer their-secret"))
	check(t.Context(), t, s, &authv3.CheckRequest{})

	thumbprint := pinned.Thumbprint()
	whole := map[string]any{
		"request_id": "7f2c9d1e-aaaa-bbbb-cccc-0123456789ab", "decision": "allow", "reason": "allowed", "client": "lab-partner", "route": "api",
		"method": "GET", "host": "api.example", "path": "/Patient/1", "source": "192.0.2.7",
		"thumbprint": base64.RawURLEncoding.EncodeToString(thumbprint[:]),
		"subject":    "CN=lab,O=Lab", "issuer": "CN=lab,O=Lab", "serial": pinned.Certificate.SerialNumber.Text(16),
		"not_after": pinned.Certificate.NotAfter.Format(time.RFC3339), "token_id": claims["jti"], "token_cached": false, "generation": 2.0,
		"chain_length": 1.0, "evidence": "peer",
	}
	cached := map[string]any{}
	for name, value := range whole {
		cached[name] = value
	}
	cached["token_cached"] = true
	want := []map[string]any{
		whole, cached,
		{
			"request_id": whole["request_id"], "decision": "deny", "reason": "authorization_refused", "field": "authorization",
			"detail": "the caller sent its own, and route api has inboundAuthorization: reject",
			"route":  "api", "method": "GET", "host": "api.example", "path": "/Patient/1", "source": "192.0.2.7", "generation": 2.0,
			"thumbprint": whole["thumbprint"], "subject": whole["subject"], "issuer": whole["issuer"], "serial": whole["serial"], "not_after": whole["not_after"],
			"chain_length": 1.0, "evidence": "peer", "authorization": true, "certificate": string(pinned.PEM()),
		},
		{"decision": "deny", "reason": "request_malformed", "field": "attributes.request.http", "detail": "is missing", "generation": 2.0},
	}
	got := s.records(t)
	for _, record := range got {
		at, err := time.Parse(time.RFC3339Nano, record["time"].(string))
		if took, ok := record["duration_us"].(float64); err != nil || at.Before(before) || at.After(time.Now()) || !ok || took < 0 {
			t.Errorf("time %v, duration %v", record["time"], record["duration_us"])
		}
		delete(record, "time")
		delete(record, "duration_us")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for name, secret := range map[string]string{"the token": text, "its signature": text[strings.LastIndex(text, "."):], "the caller's": "their-secret"} {
		if strings.Contains(s.output.String(), secret) {
			t.Errorf("the records show %s", name)
		}
	}
}

func TestARefusalRecordsAsMuchAsWasFound(t *testing.T) {
	s := newSite(t, nil)
	expired := selfSigned(t, testca.Template{CommonName: "lab", NotAfter: time.Now().Add(-time.Minute)})
	s.pin(t, "lab-partner", expired)
	stranger := selfSigned(t, testca.Template{CommonName: "stranger"})
	check(t.Context(), t, s, requestFrom(expired))
	check(t.Context(), t, s, requestFrom(stranger))
	records := s.records(t)
	if records[0]["reason"] != "certificate_expired" || records[0]["client"] != "lab-partner" || records[0]["subject"] != "CN=lab" {
		t.Errorf("of the expired one: %v", records[0])
	}
	if records[1]["reason"] != "client_unknown" || records[1]["client"] != nil || records[1]["subject"] != "CN=stranger" {
		t.Errorf("of the stranger: %v", records[1])
	}
	for _, record := range records {
		if record["token_id"] != nil || record["token_cached"] != nil {
			t.Errorf("a refusal names a token: %v", record)
		}
	}
}

func TestARefusalIsRecordedWithWhatIsNeededToLookIntoIt(t *testing.T) {
	ca := selfSigned(t, testca.Template{CommonName: "CA", CA: true})
	issuing := issue(t, ca, testca.Template{CommonName: "Issuing", CA: true})
	leaf := issue(t, issuing, testca.Template{CommonName: "claims", DNSNames: []string{"new.example"}})
	s := newXFCCSite(t, 0)
	s.put(t, "claims", map[string]any{"certificateTrustStore": storeOf(ca), "tlsClientAuth": map[string]any{"sanDns": "old.example"}})
	for range 2 {
		check(t.Context(), t, s, with(requestFrom(nil), "x-forwarded-client-cert", xfcc(leaf, leaf, issuing)))
	}
	records := s.records(t)
	want := map[string]any{
		"reason": "subject_mismatch", "evidence": "xfcc", "chain_length": 2.0, "authorization": nil, "client": nil,
		"candidates": []any{map[string]any{"client": "claims", "why": "its CA issued the certificate, and it is bound to sanDns old.example"}},
	}
	for i, certificates := range []map[string]any{
		{"certificate": string(leaf.PEM()), "intermediates": string(issuing.PEM())}, {"certificate": nil, "intermediates": nil},
	} {
		for _, part := range []map[string]any{want, certificates} {
			for name, value := range part {
				if diff := cmp.Diff(value, records[i][name]); diff != "" {
					t.Errorf("record %d: %s (-want +got)\n%s", i, name, diff)
				}
			}
		}
	}
}

func TestAnAllowedRequestIsRecordedWithoutItsCertificates(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab", pinned)
	check(t.Context(), t, s, requestFrom(pinned))
	if got := s.records(t)[0]; got["certificate"] != nil || got["candidates"] != nil || got["chain_length"] != 1.0 {
		t.Errorf("the record is %v", got)
	}
}
