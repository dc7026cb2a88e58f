package extauthz

import (
	"net/http"

	"github.com/certbearer/certbearer/extauthz/oauthanswer"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// refusal writes the answer to a Reason. requestID is the caller's handle for
// asking the operator, "" if there is none; scope is what a token would need.
func refusal(reason decision.Reason, requestID, scope string) wire.Refusal {
	a, _ := oauthanswer.Of(reason)
	headers := []wire.Header{
		{Name: "content-type", Value: "application/json"},
		{Name: "cache-control", Value: "no-store"},
	}
	if text := challenge(a, scope); text != "" {
		headers = append(headers, wire.Header{Name: "www-authenticate", Value: text})
	}
	if a.Status == http.StatusServiceUnavailable {
		headers = append(headers, wire.Header{Name: "retry-after", Value: oauthanswer.RetryAfter})
	}
	if printable(requestID) {
		headers = append(headers, wire.Header{Name: "x-request-id", Value: requestID})
	}
	return wire.Refusal{Status: wire.StatusOf(a.Status), Headers: headers, Body: a.Body()}
}

// challenge is WWW-Authenticate (RFC 6750 section 3). Without a token in the
// request it has no error code.
func challenge(a oauthanswer.Answer, scope string) string {
	switch a.Error {
	case "invalid_client":
		return "Bearer"
	case "invalid_token":
		return `Bearer error="invalid_token"`
	case "insufficient_scope":
		return `Bearer error="insufficient_scope", scope="` + scope + `"`
	}
	return ""
}

// printable reports whether text can be a header's value as it is, and short.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return text != "" && len(text) <= 128
}
