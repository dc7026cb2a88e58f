package extauthz

import (
	"encoding/json"

	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// answer is what a caller learns of a Reason: a class, never the reason itself.
type answer struct {
	status      wire.Status
	code        string // the OAuth error
	description string
	challenge   string // WWW-Authenticate, with a 401
}

// The classes. A client that is unknown and a certificate that is wrong get the
// same one, so that nobody can find out who the clients are.
var (
	unauthenticated = answer{wire.Unauthorized, "invalid_client", "client authentication by certificate failed", "Bearer"}
	invalidToken    = answer{wire.Unauthorized, "invalid_token", "an Authorization header is not accepted here", `Bearer error="invalid_token"`}
	invalidRequest  = answer{wire.BadRequest, "invalid_request", "the request cannot be authorized as it is", ""}
	forbidden       = answer{wire.Forbidden, "access_denied", "the request is not allowed", ""}
	unavailable     = answer{wire.ServiceUnavailable, "temporarily_unavailable", "authorization is not available", ""}
)

// answerTo is the one table of reasons. A Reason without a row is a 503; a test
// fails on it.
func answerTo(reason decision.Reason) (a answer, listed bool) {
	switch reason {
	case decision.CertificateMissing,
		decision.CertificateMalformed,
		decision.EvidenceTooLarge,
		decision.EvidenceTooManyCertificates,
		decision.XFCCMalformed,
		decision.XFCCElementCount,
		decision.XFCCDuplicateField,
		decision.XFCCCertificateMissing,
		decision.XFCCHashMismatch,
		decision.XFCCAmbiguousSAN,
		decision.ChainLeafMismatch,
		decision.ClientUnknown,
		decision.ClientAmbiguous,
		decision.ClientConflict,
		decision.ClientInactive,
		decision.AnchorSharedUnbound,
		decision.CertificateNotPinned,
		decision.CertificateExpired,
		decision.CertificateNotYetValid,
		decision.CertificateIsCA,
		decision.CertificatePurpose,
		decision.KeyWeak,
		decision.KeyUnsupported,
		decision.SignatureWeak,
		decision.CriticalExtensionUnknown,
		decision.PathNotFound,
		decision.PathInvalid,
		decision.PathExpired,
		decision.PathTooComplex,
		decision.SubjectMismatch:
		return unauthenticated, true
	case decision.AuthorizationRefused:
		return invalidToken, true
	case decision.RequestMalformed,
		decision.PathAmbiguous:
		return invalidRequest, true
	case decision.RouteUnmatched,
		decision.PreflightExpected,
		decision.AudienceNotAllowed:
		return forbidden, true
	case decision.RouteUnknown, // the proxy and we are configured differently
		decision.ContextExtensionUnknown,
		decision.NotReady,
		decision.Overloaded,
		decision.SigningKeyMissing,
		decision.DeadlineExceeded,
		decision.InternalError:
		return unavailable, true
	case decision.Allowed, decision.AllowedPublic, decision.AllowedPreflight:
		// No refusal has these reasons; if one had, it would still be one.
		return unavailable, true
	}
	return unavailable, false
}

// retryAfter is in seconds: what is not available is so for moments, or until
// an operator has looked.
const retryAfter = "1"

// refusal writes the answer to a Reason. requestID is the caller's handle for
// asking the operator, "" if there is none.
func refusal(reason decision.Reason, requestID string) wire.Refusal {
	a, _ := answerTo(reason)
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{a.code, a.description})
	if err != nil {
		return wire.Refusal{} // a 503 without a body
	}
	headers := []wire.Header{
		{Name: "content-type", Value: "application/json"},
		{Name: "cache-control", Value: "no-store"},
	}
	if a.challenge != "" {
		headers = append(headers, wire.Header{Name: "www-authenticate", Value: a.challenge})
	}
	if a.status == wire.ServiceUnavailable {
		headers = append(headers, wire.Header{Name: "retry-after", Value: retryAfter})
	}
	if printable(requestID) {
		headers = append(headers, wire.Header{Name: "x-request-id", Value: requestID})
	}
	return wire.Refusal{Status: a.status, Headers: headers, Body: string(body)}
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
