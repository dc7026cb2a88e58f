// Package oauthanswer owns what a caller learns of a decision: the HTTP status
// and the OAuth error that a reason becomes, at the gateway and at the endpoints
// alike. It is a class and never the reason itself; that is for the operator.
package oauthanswer

import (
	"encoding/json"
	"net/http"

	"github.com/certbearer/certbearer/policies/decision"
)

// Answer is a class of refusals.
type Answer struct {
	// Status is the HTTP status code.
	Status int
	// Error is the OAuth error code (RFC 6749 section 5.2, RFC 6750 section 3.1,
	// RFC 7009 section 2.2.1, RFC 8707 section 2), Description its text, which has
	// printable ASCII only, without quotes and backslashes.
	Error       string
	Description string
}

// The classes. A client that is unknown and a certificate that is wrong get the
// same one, so that nobody can find out who the clients are.
var (
	unauthenticated   = Answer{http.StatusUnauthorized, "invalid_client", "client authentication by certificate failed"}
	otherMethod       = Answer{http.StatusUnauthorized, "invalid_client", "clients authenticate by certificate here"}
	invalidToken      = Answer{http.StatusUnauthorized, "invalid_token", "the access token is not valid here"}
	notAccepted       = Answer{http.StatusUnauthorized, "invalid_token", "an Authorization header is not accepted here"}
	invalidRequest    = Answer{http.StatusBadRequest, "invalid_request", "the request cannot be authorized as it is"}
	tokenInQuery      = Answer{http.StatusBadRequest, "invalid_request", "an access token belongs into the Authorization header"}
	invalidParameter  = Answer{http.StatusBadRequest, "invalid_request", "a parameter is missing, stands twice or cannot be read"}
	oneMethod         = Answer{http.StatusBadRequest, "invalid_request", "more than one way to authenticate is used"}
	methodNotAllowed  = Answer{http.StatusMethodNotAllowed, "invalid_request", "this endpoint takes POST"}
	tooLarge          = Answer{http.StatusRequestEntityTooLarge, "invalid_request", "the request is too large"}
	unsupportedGrant  = Answer{http.StatusBadRequest, "unsupported_grant_type", "the grant type is client_credentials"}
	unauthorized      = Answer{http.StatusBadRequest, "unauthorized_client", "the client may not do this"}
	invalidScope      = Answer{http.StatusBadRequest, "invalid_scope", "a scope is not allowed"}
	invalidTarget     = Answer{http.StatusBadRequest, "invalid_target", "the resource is not allowed"}
	unsupportedToken  = Answer{http.StatusBadRequest, "unsupported_token_type", "tokens of this kind are not revoked"}
	insufficientScope = Answer{http.StatusForbidden, "insufficient_scope", "the access token has too little scope"}
	forbidden         = Answer{http.StatusForbidden, "access_denied", "the request is not allowed"}
	unavailable       = Answer{http.StatusServiceUnavailable, "temporarily_unavailable", "authorization is not available"}
)

// Of is the one table of reasons. A Reason without a row is a 503, and not
// listed; a test fails on it.
func Of(reason decision.Reason) (a Answer, listed bool) {
	switch reason {
	case decision.CertificateMissing,
		decision.CertificateMalformed,
		decision.EvidenceTooLarge,
		decision.EvidenceTooManyCertificates,
		decision.EvidenceRepeated,
		decision.XFCCMalformed,
		decision.XFCCElementCount,
		decision.XFCCDuplicateField,
		decision.XFCCCertificateMissing,
		decision.XFCCHashMismatch,
		decision.XFCCAmbiguousSAN,
		decision.ChainLeafMismatch,
		decision.StatementInvalid,
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
		decision.CertificateRevoked,
		decision.RevocationUnavailable,
		decision.RevocationStale,
		decision.SubjectMismatch:
		return unauthenticated, true
	case decision.AuthMethodUnsupported:
		return otherMethod, true
	case decision.TokenMalformed,
		decision.TokenSignatureInvalid,
		decision.TokenTypeWrong,
		decision.TokenIssuerWrong,
		decision.TokenAudienceWrong,
		decision.TokenExpired,
		decision.TokenNotYetValid,
		decision.TokenRevoked,
		decision.TokenUnbound,
		decision.TokenBindingMismatch,
		decision.TokenWithoutCertificate:
		return invalidToken, true
	case decision.AuthorizationRefused:
		return notAccepted, true
	case decision.RequestMalformed,
		decision.PathAmbiguous:
		return invalidRequest, true
	case decision.TokenInQuery:
		return tokenInQuery, true
	case decision.ParameterInvalid:
		return invalidParameter, true
	case decision.AuthMethodConflict:
		return oneMethod, true
	case decision.MethodNotAllowed:
		return methodNotAllowed, true
	case decision.BodyTooLarge:
		return tooLarge, true
	case decision.GrantUnsupported:
		return unsupportedGrant, true
	case decision.GrantNotAllowed,
		decision.TokenNotOwn:
		return unauthorized, true
	case decision.ScopeNotAllowed:
		return invalidScope, true
	case decision.TargetNotAllowed:
		return invalidTarget, true
	case decision.TokenTypeUnsupported:
		return unsupportedToken, true
	case decision.ScopeInsufficient:
		return insufficientScope, true
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
		decision.RevocationFailed,
		decision.InternalError:
		return unavailable, true
	case decision.Allowed, decision.AllowedPublic, decision.AllowedPreflight, decision.AllowedEndpoint, decision.AllowedForeign,
		decision.TokenIssued, decision.TokenIntrospected, decision.RevocationAccepted:
		// No refusal has these reasons; if one had, it would still be one.
		return unavailable, true
	}
	return unavailable, false
}

// RetryAfter is the value of Retry-After beside a 503, in seconds: what is not
// available is so for moments, or until an operator has looked.
const RetryAfter = "1"

// Body is the JSON of the answer, "" if it cannot be written.
func (a Answer) Body() string {
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{a.Error, a.Description})
	if err != nil {
		return ""
	}
	return string(body)
}
