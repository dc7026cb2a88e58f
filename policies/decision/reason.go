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

	// CertificateMissing: the connection has no client certificate.
	CertificateMissing
	// CertificateMalformed: a presented certificate cannot be read.
	CertificateMalformed
	// EvidenceTooLarge: the forwarded evidence is over 64 KiB.
	EvidenceTooLarge
	// EvidenceTooManyCertificates: the forwarded evidence holds over 10 certificates.
	EvidenceTooManyCertificates
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
	// ClientConflict: the request names two clients, or one that does not pin
	// the certificate while others do.
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
	// SubjectMismatch: the chain is good but the certificate is not the subject the client is bound to.
	SubjectMismatch

	// AudienceNotAllowed: the client may not have tokens for the route's audience.
	AudienceNotAllowed

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
	RequestMalformed:            "request_malformed",
	PathAmbiguous:               "path_ambiguous",
	ContextExtensionUnknown:     "context_extension_unknown",
	RouteUnknown:                "route_unknown",
	RouteUnmatched:              "route_unmatched",
	PreflightExpected:           "preflight_expected",
	AuthorizationRefused:        "authorization_refused",
	CertificateMissing:          "certificate_missing",
	CertificateMalformed:        "certificate_malformed",
	EvidenceTooLarge:            "evidence_too_large",
	EvidenceTooManyCertificates: "evidence_too_many_certificates",
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
	SubjectMismatch:             "subject_mismatch",
	AudienceNotAllowed:          "audience_not_allowed",
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
	return r == Allowed || r == AllowedPublic || r == AllowedPreflight
}

// Reasons returns the whole set in the order of its declaration.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
