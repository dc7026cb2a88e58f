// Package envoy owns the Envoy configuration that certbearer renders: a
// listener that asks for a client certificate without judging it, hands every
// request to certbearer's ext_authz service, and removes whatever a caller could
// forge. [Params] goes in; go-control-plane values, or YAML, come out.
//
// What the listener promises is written down where each promise is kept: TLS in
// tls.go, forged headers in headers.go, the question to certbearer in
// extauthz.go, the order of routes in routes.go. The same Params give the same
// bytes. Nothing here reads a file: paths are Envoy's to open.
package envoy

import "time"

// Params says what the configuration is made of. Paths are as Envoy will open
// them, relative ones from its working directory. An Endpoint address is
// "unix:/path" or "host:port".
type Params struct {
	// Version is the oldest Envoy that the configuration is for. Empty: [Newest].
	// What it lacks is left out or replaced; see [Replacements].
	Version Version
	// Listen is the IP address and port of the listener; port 0 lets the system choose.
	Listen string
	// PublicListen is the IP address and port of a second listener, which asks for no
	// certificate: for the JWKS, metadata, and refusals of certbearer's own
	// endpoints. Empty: none. It needs HTTP.
	PublicListen string
	// AdminListen is the loopback address and port of Envoy's admin interface. Empty: none.
	AdminListen string

	// ServerCertificate and ServerKey are PEM files. Envoy reads them again when a
	// file is renamed into the directory of ServerCertificate.
	ServerCertificate string
	ServerKey         string
	// SDSPath is where the first document of [Secrets] will stand; the listener refers to
	// it. Its name ends in .yaml or .json, by which Envoy picks the format.
	SDSPath string
	// TrustedCA is any file of PEM certificates. Envoy asks for a client certificate
	// only when it has one, and under ACCEPT_UNTRUSTED judges by none of them.
	// Empty: ServerCertificate.
	TrustedCA string
	// ClientCertificate is [Optional] when empty.
	ClientCertificate ClientCertificate
	// WithoutCertificate is [Deny] when empty. [Legacy] does not go with Required or
	// with Front.
	WithoutCertificate WithoutCertificate
	// LegacyUpstream is where [Legacy] leads; the zero value is Upstream.
	LegacyUpstream Upstream
	// Front, when set, is the proxy in front of this one. Only it gets in, by a
	// certificate that Envoy verifies, and x-forwarded-client-cert is appended to
	// instead of written anew. ClientCertificate and TrustedCA then say nothing.
	Front *Front

	// ExtAuthz is certbearer's gRPC endpoint, Timeout the longest a check may take
	// (0: [DefaultTimeout]).
	ExtAuthz Endpoint
	Timeout  time.Duration
	// HTTP is certbearer's HTTP endpoint, which serves its own endpoints, the JWKS and
	// metadata. Empty: no routes to them.
	HTTP Endpoint

	// Upstream is the service behind Envoy.
	Upstream Upstream
	// Routes are tried in order, the first match wins. What none of them covers goes
	// to certbearer without a name, so that it decides and records.
	Routes []Route
	// JWTAuthn, when set, has Envoy verify the injected token with the JWKS of HTTP.
	JWTAuthn *JWTAuthn
	// AccessLog is the file of the JSON access log; "/dev/stdout" is standard output. Empty: none.
	AccessLog string
}

// DefaultTimeout bounds a check when Params.Timeout is zero.
const DefaultTimeout = 500 * time.Millisecond

// ClientCertificate says what becomes of a connection without a client certificate.
type ClientCertificate string

const (
	// Optional lets it in: certbearer answers 401 and keeps a record, and the JWKS,
	// public routes and preflights work.
	Optional ClientCertificate = "optional"
	// Required ends it with a TLS alert.
	Required ClientCertificate = "required"
)

// WithoutCertificate says what becomes of a request on a connection without a client
// certificate.
type WithoutCertificate string

const (
	// Deny leaves it to certbearer, which refuses it where a certificate is asked for.
	Deny WithoutCertificate = "deny"
	// Legacy leads it past certbearer to LegacyUpstream, with the Authorization that it
	// has: everything but what is published and certbearer's own endpoints.
	Legacy WithoutCertificate = "legacy"
)

// Front is who may hand on certificates of its own callers: whoever gets in can
// write any element of x-forwarded-client-cert but the last.
type Front struct {
	// TrustedCA is the PEM file of the CAs that its certificate comes from.
	TrustedCA string
	// SANs are the exact names of which its certificate has one: URIs, or DNS names
	// with or without "dns:" in front.
	SANs []string
}

// Endpoint is where certbearer listens.
type Endpoint struct {
	// Address is "unix:/path" or "host:port".
	Address string
	// TLS is Envoy's side of mTLS. A Unix socket has none.
	TLS *ClientTLS
	// Plaintext accepts a TCP address beyond loopback without TLS. Tokens and
	// evidence then cross that network in the clear.
	Plaintext bool
}

// ClientTLS is how Envoy proves itself to certbearer, and certbearer to Envoy.
// Certificate, Key and TrustedCA are PEM files.
type ClientTLS struct {
	Certificate string
	Key         string
	TrustedCA   string
	// ServerName is sent as SNI and must be a DNS name of certbearer's certificate.
	ServerName string
	// ServerURI, when set, must be a URI name of certbearer's certificate instead,
	// such as a SPIFFE ID.
	ServerURI string
}

// Upstream is the service behind Envoy.
type Upstream struct {
	// Scheme is "http" (HTTP/1.1), "h2c" (HTTP/2 in the clear, as gRPC needs) or
	// "https" (HTTP/2 or HTTP/1.1, by ALPN).
	Scheme string
	// Host is an IP address or a DNS name; with https also the SNI and the name that
	// its certificate must hold.
	Host string
	Port uint16
	// TrustedCA is a PEM file, required with https: Envoy has no roots of its own.
	TrustedCA string
}

// JWTAuthn is what Envoy's own check of the injected token demands. Public and
// preflight routes carry no token and are left out of it; so a route that
// certbearer treats as public or in shadow mode must be named in Params.Routes.
type JWTAuthn struct {
	Issuer    string
	Audiences []string
}

// Route is one entry of certbearer's routes, as far as Envoy can match it.
type Route struct {
	// Name is told to certbearer as the context extension [RouteExtension].
	Name string
	// Host is a DNS name, "*.example.com" for every name below one, or an IP address,
	// without port; any port matches. Empty: any host.
	Host string
	// PathPrefix matches whole segments: /api covers /api and /api/x, not /apix. Empty: "/".
	PathPrefix string
	// Methods, upper case. Empty: any.
	Methods []string
	// Access is [Certificate] when empty.
	Access Access
}

// Access says what a route asks of a request. certbearer decides in every case;
// Envoy uses it to match preflights and to know which routes carry a token.
type Access string

const (
	// Certificate asks for a client certificate.
	Certificate Access = "certificate"
	// Public asks for nothing.
	Public Access = "public"
	// Preflight covers CORS preflights only: OPTIONS with origin and
	// access-control-request-method.
	Preflight Access = "preflight"
	// OwnEndpoint leads to certbearer's HTTP endpoint, with its signed statement of
	// the certificate. Its path is matched exactly.
	OwnEndpoint Access = "endpoint"
)

// RouteExtension is the context extension that names a route to certbearer.
const RouteExtension = "certbearer.route"

func (p Params) timeout() time.Duration {
	if p.Timeout == 0 {
		return DefaultTimeout
	}
	return p.Timeout
}

func (p Params) trustedCA() string {
	if p.TrustedCA == "" {
		return p.ServerCertificate
	}
	return p.TrustedCA
}
