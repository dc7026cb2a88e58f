// Package decision names what certbearer decides and why.
//
// A [Reason] is one word of a closed set. It is an interface: audit records,
// metrics, Envoy's dynamic metadata and docs/reasons.md all carry its text, so
// a text never changes once released. A [Denial] is the error that carries a
// Reason up to the one place that answers. A [Trace] records the steps that led
// there, for the explain command; a nil Trace costs nothing.
package decision

import "fmt"

// Reason says why a request was allowed or refused. The zero value is
// [InternalError]: a reason nobody set is a refusal.
type Reason uint8

// The closed set. Order is free, texts are not.
const (
	// InternalError: a fault of ours, or an error that is no Denial.
	InternalError Reason = iota
	// Allowed: the certificate was accepted and a token is on the request.
	Allowed
	// AllowedPublic: the route asks for no certificate.
	AllowedPublic
	// AllowedPreflight: a CORS preflight on a route that lets them pass.
	AllowedPreflight
	// AllowedEndpoint: a request for an endpoint of ours, which judges for itself.
	AllowedEndpoint
	// AllowedForeign: the certificate was accepted, and the route leaves a foreign Authorization as it is.
	AllowedForeign
	// TokenIssued: the token endpoint gave out a token.
	TokenIssued
	// TokenIntrospected: the introspection endpoint answered.
	TokenIntrospected
	// RevocationAccepted: the revocation endpoint took the token out of use, or it was not in use.
	RevocationAccepted

	// RequestMalformed: the check lacks what every request has, or has too much of it.
	RequestMalformed
	// PathAmbiguous: the path could mean another one to the upstream than to us.
	PathAmbiguous
	// ContextExtensionUnknown: the proxy sent a certbearer.* key that we do not know.
	ContextExtensionUnknown
	// RouteUnknown: the proxy named a route that is not configured.
	RouteUnknown
	// RouteUnmatched: no route covers the request.
	RouteUnmatched
	// PreflightExpected: a route for CORS preflights was named for another request.
	PreflightExpected
	// AuthorizationRefused: the caller sent an Authorization header of its own.
	AuthorizationRefused
	// TokenInQuery: a token stands in the query, where logs and histories keep it.
	TokenInQuery
	// TokenMalformed: the token that the caller sent has not the form of ours.
	TokenMalformed
	// TokenSignatureInvalid: no key of ours made the token's signature.
	TokenSignatureInvalid
	// TokenTypeWrong: the token is of ours, but not for being sent to the gateway.
	TokenTypeWrong
	// TokenIssuerWrong: iss is another issuer.
	TokenIssuerWrong
	// TokenAudienceWrong: aud is not the audience of the route.
	TokenAudienceWrong
	// TokenExpired: exp has passed.
	TokenExpired
	// TokenNotYetValid: iat or nbf is to come.
	TokenNotYetValid
	// TokenRevoked: the token was revoked.
	TokenRevoked
	// TokenUnbound: the token names no certificate in cnf, or something that is not checked.
	TokenUnbound
	// TokenBindingMismatch: cnf names another certificate than the connection's.
	TokenBindingMismatch
	// TokenWithoutCertificate: a token was sent on a connection that proved no certificate.
	TokenWithoutCertificate
	// ScopeInsufficient: the token has none of the scopes of the route.
	ScopeInsufficient

	// CertificateMissing: the connection has no client certificate.
	CertificateMissing
	// CertificateMalformed: a presented certificate cannot be read.
	CertificateMalformed
	// EvidenceTooLarge: the forwarded evidence is over 64 KiB.
	EvidenceTooLarge
	// EvidenceTooManyCertificates: the forwarded evidence holds over 10 certificates.
	EvidenceTooManyCertificates
	// EvidenceRepeated: a header that holds the certificate stands in the request more than once.
	EvidenceRepeated
	// XFCCMalformed: x-forwarded-client-cert breaks its grammar.
	XFCCMalformed
	// XFCCElementCount: x-forwarded-client-cert has not the number of elements that is configured.
	XFCCElementCount
	// XFCCDuplicateField: a field that may stand once in an element stands twice.
	XFCCDuplicateField
	// XFCCCertificateMissing: the element has no Cert, so nothing in it is proven.
	XFCCCertificateMissing
	// XFCCHashMismatch: Hash is not the SHA-256 of Cert.
	XFCCHashMismatch
	// XFCCAmbiguousSAN: a certificate's alternative name could forge elements behind it.
	XFCCAmbiguousSAN
	// ChainLeafMismatch: the forwarded chain does not begin with the proven certificate.
	ChainLeafMismatch

	// ClientUnknown: no client has this certificate, its issuer or this id.
	ClientUnknown
	// ClientAmbiguous: more than one client claims the certificate.
	ClientAmbiguous
	// ClientConflict: the request names two clients, or its route one that does
	// not pin the certificate while others do.
	ClientConflict
	// ClientInactive: the client's status is not active, or its document has a
	// fault and never was good.
	ClientInactive
	// AnchorSharedUnbound: several clients trust this CA and this one binds no subject.
	AnchorSharedUnbound

	// CertificateNotPinned: the client accepts only the exact certificates in its store.
	CertificateNotPinned
	// CertificateExpired: the certificate's notAfter has passed.
	CertificateExpired
	// CertificateNotYetValid: the certificate's notBefore is to come.
	CertificateNotYetValid
	// CertificateIsCA: a CA certificate that is not pinned was used as a client's.
	CertificateIsCA
	// CertificatePurpose: key usage or extended key usage forbids TLS client authentication.
	CertificatePurpose
	// KeyWeak: a key on the path is too short or too long.
	KeyWeak
	// KeyUnsupported: a key on the path is of a kind that is not accepted.
	KeyUnsupported
	// SignatureWeak: a signature on the path uses SHA-1, MD5, DSA or an unknown algorithm.
	SignatureWeak
	// CriticalExtensionUnknown: a certificate has a critical extension that nobody checked.
	CriticalExtensionUnknown
	// PathNotFound: no chain of signatures leads to an anchor of the client.
	PathNotFound
	// PathInvalid: a chain exists but breaks RFC 5280 (constraints, depth, CA flags).
	PathInvalid
	// PathExpired: a chain exists but a CA certificate on it is outside its validity.
	PathExpired
	// PathTooComplex: following the presented chain takes more signature checks than a decision may.
	PathTooComplex
	// CertificateRevoked: a certificate on the path was revoked by its issuer.
	CertificateRevoked
	// RevocationUnavailable: nothing that can be believed says that a certificate
	// on the path is not revoked, and the client asks for that.
	RevocationUnavailable
	// RevocationStale: what said so is past its nextUpdate.
	RevocationStale
	// SubjectMismatch: the chain is good but the certificate is not the subject the client is bound to.
	SubjectMismatch

	// AudienceNotAllowed: the client may not have tokens for the route's audience.
	AudienceNotAllowed

	// StatementInvalid: the signed statement about the connection's certificate is not one of ours, or not for this request.
	StatementInvalid
	// MethodNotAllowed: the endpoint takes POST only.
	MethodNotAllowed
	// BodyTooLarge: the body of a request to an endpoint is over its bound.
	BodyTooLarge
	// ParameterInvalid: a parameter is missing, stands twice or cannot be read.
	ParameterInvalid
	// AuthMethodConflict: a request authenticates in more than one way.
	AuthMethodConflict
	// AuthMethodUnsupported: a request authenticates in a way that is not offered.
	AuthMethodUnsupported
	// GrantUnsupported: the grant type is not client_credentials.
	GrantUnsupported
	// GrantNotAllowed: the client may not use the client_credentials grant.
	GrantNotAllowed
	// ScopeNotAllowed: the client may not have a scope that it asks for.
	ScopeNotAllowed
	// TargetNotAllowed: the client may not have tokens for the resource that it asks for.
	TargetNotAllowed
	// TokenNotOwn: the token is another client's.
	TokenNotOwn
	// TokenTypeUnsupported: the token is of a kind that cannot be revoked.
	TokenTypeUnsupported
	// RevocationFailed: the revocation could not be kept.
	RevocationFailed

	// NotReady: clients or keys have not been loaded yet.
	NotReady
	// Overloaded: more checks at once than configured.
	Overloaded
	// SigningKeyMissing: no key may sign now.
	SigningKeyMissing
	// DeadlineExceeded: the proxy's deadline passed, or it hung up, before the decision.
	DeadlineExceeded

	reasonCount
)

var reasonTexts = [reasonCount]string{
	InternalError:               "internal_error",
	Allowed:                     "allowed",
	AllowedPublic:               "allowed_public",
	AllowedPreflight:            "allowed_preflight",
	AllowedEndpoint:             "allowed_endpoint",
	AllowedForeign:              "allowed_foreign",
	TokenIssued:                 "token_issued",
	TokenIntrospected:           "token_introspected",
	RevocationAccepted:          "revocation_accepted",
	RequestMalformed:            "request_malformed",
	PathAmbiguous:               "path_ambiguous",
	ContextExtensionUnknown:     "context_extension_unknown",
	RouteUnknown:                "route_unknown",
	RouteUnmatched:              "route_unmatched",
	PreflightExpected:           "preflight_expected",
	AuthorizationRefused:        "authorization_refused",
	TokenInQuery:                "token_in_query",
	TokenMalformed:              "token_malformed",
	TokenSignatureInvalid:       "token_signature_invalid",
	TokenTypeWrong:              "token_type_wrong",
	TokenIssuerWrong:            "token_issuer_wrong",
	TokenAudienceWrong:          "token_audience_wrong",
	TokenExpired:                "token_expired",
	TokenNotYetValid:            "token_not_yet_valid",
	TokenRevoked:                "token_revoked",
	TokenUnbound:                "token_unbound",
	TokenBindingMismatch:        "token_binding_mismatch",
	TokenWithoutCertificate:     "token_without_certificate",
	ScopeInsufficient:           "scope_insufficient",
	CertificateMissing:          "certificate_missing",
	CertificateMalformed:        "certificate_malformed",
	EvidenceTooLarge:            "evidence_too_large",
	EvidenceTooManyCertificates: "evidence_too_many_certificates",
	EvidenceRepeated:            "evidence_repeated",
	XFCCMalformed:               "xfcc_malformed",
	XFCCElementCount:            "xfcc_element_count",
	XFCCDuplicateField:          "xfcc_duplicate_field",
	XFCCCertificateMissing:      "xfcc_certificate_missing",
	XFCCHashMismatch:            "xfcc_hash_mismatch",
	XFCCAmbiguousSAN:            "xfcc_ambiguous_san",
	ChainLeafMismatch:           "chain_leaf_mismatch",
	ClientUnknown:               "client_unknown",
	ClientAmbiguous:             "client_ambiguous",
	ClientConflict:              "client_conflict",
	ClientInactive:              "client_inactive",
	AnchorSharedUnbound:         "anchor_shared_unbound",
	CertificateNotPinned:        "certificate_not_pinned",
	CertificateExpired:          "certificate_expired",
	CertificateNotYetValid:      "certificate_not_yet_valid",
	CertificateIsCA:             "certificate_is_ca",
	CertificatePurpose:          "certificate_purpose",
	KeyWeak:                     "key_weak",
	KeyUnsupported:              "key_unsupported",
	SignatureWeak:               "signature_weak",
	CriticalExtensionUnknown:    "critical_extension_unknown",
	PathNotFound:                "path_not_found",
	PathInvalid:                 "path_invalid",
	PathExpired:                 "path_expired",
	PathTooComplex:              "path_too_complex",
	CertificateRevoked:          "certificate_revoked",
	RevocationUnavailable:       "revocation_unavailable",
	RevocationStale:             "revocation_stale",
	SubjectMismatch:             "subject_mismatch",
	AudienceNotAllowed:          "audience_not_allowed",
	StatementInvalid:            "statement_invalid",
	MethodNotAllowed:            "method_not_allowed",
	BodyTooLarge:                "body_too_large",
	ParameterInvalid:            "parameter_invalid",
	AuthMethodConflict:          "auth_method_conflict",
	AuthMethodUnsupported:       "auth_method_unsupported",
	GrantUnsupported:            "grant_unsupported",
	GrantNotAllowed:             "grant_not_allowed",
	ScopeNotAllowed:             "scope_not_allowed",
	TargetNotAllowed:            "target_not_allowed",
	TokenNotOwn:                 "token_not_own",
	TokenTypeUnsupported:        "token_type_unsupported",
	RevocationFailed:            "revocation_failed",
	NotReady:                    "not_ready",
	Overloaded:                  "overloaded",
	SigningKeyMissing:           "signing_key_missing",
	DeadlineExceeded:            "deadline_exceeded",
}

// String returns the reason's text, such as "certificate_expired".
func (r Reason) String() string {
	if r < reasonCount {
		return reasonTexts[r]
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// MarshalText writes the reason as [Reason.String] does.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote and refuses every other text.
func (r *Reason) UnmarshalText(text []byte) error {
	for i, known := range reasonTexts {
		if known == string(text) {
			*r = Reason(i)
			return nil
		}
	}
	return fmt.Errorf("decision: %q is not a reason", text)
}

// Allows reports whether the reason lets the request through. Every reason
// that is not listed here refuses, those to come included.
func (r Reason) Allows() bool {
	switch r {
	case Allowed, AllowedPublic, AllowedPreflight, AllowedEndpoint, AllowedForeign,
		TokenIssued, TokenIntrospected, RevocationAccepted:
		return true
	}
	return false
}

// Reasons returns the whole set in the order of its declaration.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
