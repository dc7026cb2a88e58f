package main

import "github.com/certbearer/certbearer/policies/decision"

// advice says in a sentence what an operator does about a reason. It is "" only
// for a reason that has none yet, which a test forbids. docs/reasons.md says the
// same at length.
func advice(reason decision.Reason) string {
	switch reason {
	case decision.InternalError:
		return "Look for the error in certbearer's log and report it: it is a fault of certbearer's own."
	case decision.Allowed:
		return "Nothing: the certificate is accepted."
	case decision.AllowedPublic:
		return "Nothing, if the route is meant to be public: it asks for no certificate."
	case decision.AllowedPreflight:
		return "Nothing: CORS preflights pass on this route."
	case decision.AllowedEndpoint:
		return "Nothing: the request is for an endpoint of certbearer's own, which writes a record of its own with the same request id; detail says why no certificate was stated."
	case decision.AllowedForeign:
		return "Nothing, if the route is meant to have inboundAuthorization: pass: the upstream has to verify the caller's own Authorization."
	case decision.TokenIssued:
		return "Nothing: the client has a new token."
	case decision.TokenIntrospected:
		return "Nothing: the question was answered, a token that is not active and one that the client may not ask about alike."
	case decision.RevocationAccepted:
		return "Nothing: the token is out of use, or was not in use."

	case decision.RequestMalformed:
		return "Have the proxy send method and path of an HTTP request, and paths of at most 32 KiB."
	case decision.PathAmbiguous:
		return "Have the proxy normalise paths, as the configuration from certbearer render does, or the caller send a plain one."
	case decision.ContextExtensionUnknown:
		return "Correct the certbearer.* key in the proxy's context_extensions, or render its configuration anew."
	case decision.RouteUnknown:
		return "Render the proxy's configuration anew: it names a route that certbearer.yaml does not have."
	case decision.RouteUnmatched:
		return "Add a route that covers this host, path and method, or correct the match of the one that should."
	case decision.PreflightExpected:
		return "Have the proxy name this route for CORS preflights only, or give the request a route of its own."
	case decision.AuthorizationRefused:
		return "Have the caller leave out its Authorization header, or set the route's inboundAuthorization: verify takes tokens of the token endpoint, pass leaves others as they are, replace ignores them."
	case decision.TokenInQuery:
		return "Have the caller send its token in the Authorization header, and consider this one known to whoever reads logs."
	case decision.TokenMalformed:
		return "Have the caller send the token as the token endpoint gave it, or find out whose token it is: it has not the form of certbearer's."
	case decision.TokenSignatureInvalid:
		return "Have the caller get a new token: its key is gone from the keys folder, or it is another issuer's or a forged one."
	case decision.TokenTypeWrong:
		return "Have the caller get its token from the token endpoint: this one was made by the gateway for an upstream, or is no access token."
	case decision.TokenIssuerWrong:
		return "Check the configured issuer, which must be what it was when the token was made, and have the caller get a new token."
	case decision.TokenAudienceWrong:
		return "Have the caller ask for a token with resource set to the audience of the route."
	case decision.TokenExpired:
		return "Have the caller get a new token, before expires_in has passed."
	case decision.TokenNotYetValid:
		return "Check the clocks of the replicas: the one that made the token is ahead."
	case decision.TokenRevoked:
		return "Have the caller get a new token, if its client is still to have access."
	case decision.TokenUnbound:
		return "Have the caller get its token from the token endpoint, which binds each to the certificate: this one has no cnf with x5t#S256 alone."
	case decision.TokenBindingMismatch:
		return "Have the caller use the certificate with which it got the token, or get a new one after a renewal; otherwise find out how the token came to another."
	case decision.TokenWithoutCertificate:
		return "Have the caller present on this connection the certificate with which it got the token."
	case decision.ScopeInsufficient:
		return "Have the caller ask for a scope of the route when it gets its token, and check that the client's scope has it."

	case decision.CertificateMissing:
		return "Have the caller present its client certificate, and check that the proxy asks for one and sends it where certificate.from, or the proxy's entry of proxies, says."
	case decision.CertificateMalformed:
		return "Check that the proxy writes its header in the configured format, if all its callers are refused; otherwise have the certificate issued anew: it, or one beside it, breaks X.509 or PEM."
	case decision.EvidenceTooLarge:
		return "Have the caller present fewer or smaller certificates: at most 64 KiB are read."
	case decision.EvidenceTooManyCertificates:
		return "Have the caller present only the certificate and its intermediates: at most 10 are read."
	case decision.EvidenceRepeated:
		return "Have the proxy replace the header, not add to it: what stands beside its own may be a caller's."
	case decision.XFCCMalformed:
		return "Check what writes x-forwarded-client-cert: the header breaks Envoy's grammar, so a proxy in front changes it or passes on a caller's own."
	case decision.XFCCElementCount:
		return "Set forward_client_cert_details to SANITIZE_SET, or certificate.hops to the number of proxies of yours that write an element, the calling one included. With hops above 1 it may also be a caller that presented no certificate to the first of them."
	case decision.XFCCDuplicateField:
		return "Check what writes x-forwarded-client-cert: Envoy writes each of these fields once."
	case decision.XFCCCertificateMissing:
		return "Set cert: true in the proxy's set_current_client_cert_details: only the certificate itself proves anything."
	case decision.XFCCHashMismatch:
		return "Look for a proxy that changes the header, or a caller that forges it: Hash belongs to another certificate."
	case decision.XFCCAmbiguousSAN:
		return "Have the certificate issued without separators in its alternative names, and find out who asked for them: this is how the header is forged."
	case decision.ChainLeafMismatch:
		return "Have the caller present its own certificate first and the intermediates after it, and check that no proxy adds a chain of its own."

	case decision.ClientUnknown:
		return "Put the certificate, or the CA that issued it, into the client's certificateTrustStore, and check that intermediates are presented and a client_id is spelled right."
	case decision.ClientAmbiguous:
		return "Take the certificate out of all but one client's trust store, or bind each client of the CA to its own subject with tlsClientAuth or spiffe."
	case decision.ClientConflict:
		return "Have the request name one client, the one that pins the certificate: the route, the client_id and the token must agree."
	case decision.ClientInactive:
		return "Set the client's status to active, if it is to have access again, or mend the fault of its document that certbearer clients check names."
	case decision.AnchorSharedUnbound:
		return "Bind each client that trusts this CA to its subject with tlsClientAuth or spiffe, or pin the certificate."

	case decision.CertificateNotPinned:
		return "Add the certificate to the client's certificateTrustStore: it may be a renewed one that nobody has sent yet."
	case decision.CertificateExpired:
		return "Have the partner renew the certificate, and add the new one before the old one ends."
	case decision.CertificateNotYetValid:
		return "Check the clocks of both sides, or wait until the certificate's notBefore."
	case decision.CertificateIsCA:
		return "Have a certificate that is no CA issued for the client, or pin exactly this one in its certificateTrustStore."
	case decision.CertificatePurpose:
		return "Have the certificate issued for TLS client authentication: keyUsage digitalSignature, extendedKeyUsage clientAuth, or neither extension."
	case decision.KeyWeak:
		return "Have the certificate issued with an RSA key of 2048 to 8192 bits, or on P-256, P-384 or P-521."
	case decision.KeyUnsupported:
		return "Have the certificate issued with an RSA, EC or Ed25519 key."
	case decision.SignatureWeak:
		return "Have the certificate, or the intermediate named, signed anew with SHA-256 or better."
	case decision.CriticalExtensionUnknown:
		return "Have the certificate issued without the critical extension, or with it not critical."
	case decision.PathNotFound:
		return "Check that the client presents its intermediates and that the CA in its certificateTrustStore has the key that signed, not only the same name."
	case decision.PathInvalid:
		return "Have the CA mend the path: a constraint of a CA certificate on it (names, depth, purpose) forbids this certificate, or a certificate on it has not the form that RFC 5280 asks for; where detail says so, certificateProfile: compatible in the client's document leaves that rule out."
	case decision.PathExpired:
		return "Replace the CA certificate that has ended, in the trust store or in what the client presents."
	case decision.PathTooComplex:
		return "Have the caller present only the intermediates between its certificate and its CA."
	case decision.CertificateRevoked:
		return "Have a new certificate issued. If the CA revoked it by mistake, have it publish a list without it: nothing here overrules the CA."
	case decision.RevocationUnavailable:
		return "See that the CA's CRL or OCSP responder can be reached and that what it answers is current and signed by the CA itself; detail says what is wrong. Where none is asked, for the certificate names none whose host is allowed, put the CA's list beside the client documents, in a file named .crl, or its URL into revocation.locations."
	case decision.RevocationStale:
		return "Have the CA publish a new CRL, or its OCSP responder answer again: what is known ended at the time in detail."
	case decision.SubjectMismatch:
		return "Correct the client's tlsClientAuth or spiffe, or have the certificate issued with the subject it says; for spiffe it has to be an X509-SVID: exactly one URI, which is a SPIFFE ID with a path, and neither a CA nor a signer of CRLs."

	case decision.AudienceNotAllowed:
		return "Add the route's audience to the client's audience list, if the client may have tokens for it."

	case decision.StatementInvalid:
		return "Check that the replicas share keys/statement.key and have the same issuer and clocks, and that nobody but Envoy reaches listen.http."
	case decision.MethodNotAllowed:
		return "Have the caller use POST."
	case decision.BodyTooLarge:
		return "Have the caller send what the endpoint asks for and no more: at most 32 KiB are read."
	case decision.ParameterInvalid:
		return "Have the caller send the parameter named in field, once, in a body of type application/x-www-form-urlencoded."
	case decision.AuthMethodConflict:
		return "Have the caller leave out client_secret and client_assertion beside its certificate, or set compatibility: medplum for clients that cannot leave out a secret."
	case decision.AuthMethodUnsupported:
		return "Have the caller authenticate by its certificate and client_id, without an Authorization header, a secret or an assertion."
	case decision.GrantUnsupported:
		return "Have the caller ask with grant_type=client_credentials."
	case decision.GrantNotAllowed:
		return "Add client_credentials to the client's grantType, or leave grantType out of its document."
	case decision.ScopeNotAllowed:
		return "Add the scope to the client's scope, or have the caller ask for less, with single spaces between scopes."
	case decision.TargetNotAllowed:
		return "Add the resource to the client's audience, or have the caller ask for one that is there; a client with several has to name one."
	case decision.TokenNotOwn:
		return "Have the client that the token was given to revoke it, or turn that client off."
	case decision.TokenTypeUnsupported:
		return "Turn the client off: tokens that the gateway injects end by themselves, after injectedTokenLifetime at most."
	case decision.RevocationFailed:
		return "See the log for what is wrong with revocations.file, and have the caller ask again: the token is still in use."

	case decision.NotReady:
		return "Wait until clients and keys have been loaded; if that does not happen, look at the log and at /healthz."
	case decision.Overloaded:
		return "Add replicas, or raise limits.inFlight if the machine has room."
	case decision.SigningKeyMissing:
		return "See certbearer keys list: no key has a signsFrom that has come."
	case decision.DeadlineExceeded:
		return "Look at the machine's load and at the proxy's timeout for checks: the decision came too late."
	}
	return ""
}
