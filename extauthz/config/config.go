package config

import "time"

// Config is a whole certbearer.yaml. All file paths in it are resolved against
// the folder of the file, "unix:" addresses included.
type Config struct {
	// Issuer is the iss of every token: an https URL, exactly as written
	// (RFC 8414 section 2).
	Issuer string
	// Audience is the aud of tokens on routes that name none; empty only if
	// every certificate route names its own.
	Audience string
	// MTLSOrigin is the origin under which clients reach us with certificates, such
	// as https://mtls.gateway.example; empty where it is the issuer's own.
	MTLSOrigin    string
	Compatibility Compatibility
	Profile       Profile
	// Mode is what holds where neither a route nor a client says otherwise.
	Mode Mode

	Clients     Clients
	Keys        SigningKeys
	Listen      Listen
	Callers     Callers
	Certificate Certificate
	// Proxies are those that ask over HTTP. A connection is of exactly one.
	Proxies []Proxy

	InboundAuthorization  InboundAuthorization
	InjectedTokenLifetime time.Duration
	Inject                Inject

	// Routes are in the operator's order: the first whose match covers a request
	// is the request's route. There is always at least one.
	Routes []Route

	Revocations Revocations
	Limits      Limits
	Envoy       Envoy
	Nginx       Nginx
	Istio       Istio
	Log         Log
	Audit       Audit
}

// Compatibility says whose clients are put up with.
type Compatibility string

// The values of [Compatibility].
const (
	CompatibilityNone Compatibility = "none"
	// CompatibilityMedplum: a client_secret in the body beside a certificate counts
	// for nothing; otherwise it is an error.
	CompatibilityMedplum Compatibility = "medplum"
)

// Mode says whether decisions are carried out.
type Mode string

// The values of [Mode].
const (
	ModeEnforce Mode = "enforce"
	// ModeShadow: requests pass as they came, and the record says what would have
	// been decided.
	ModeShadow Mode = "shadow"
)

// Profile is a set of rules that the configuration is held to.
type Profile string

// The values of [Profile].
const (
	ProfileNone Profile = "none"
	// ProfileFAPI2: what the FAPI 2.0 security profile asks of clients that
	// authenticate by certificate.
	ProfileFAPI2 Profile = "fapi2"
)

// Revocations says where revoked tokens are kept.
type Revocations struct{ File string }

// Clients says where client documents are and how their faults are taken.
type Clients struct {
	Directory string
	// Strict: one faulty document keeps the whole set as it was.
	Strict        bool
	SharedAnchors SharedAnchors
}

// SharedAnchors says whether clients without a subject binding may trust the
// same CA.
type SharedAnchors string

// The values of [SharedAnchors].
const (
	SharedAnchorsRefuse SharedAnchors = "refuse"
	SharedAnchorsAllow  SharedAnchors = "allow"
)

// SigningKeys says which keys sign tokens.
type SigningKeys struct {
	Directory string
	Algorithm Algorithm
	// Generate: make a key where the directory has none, and the next ones by
	// schedule.
	Generate bool
	// PublishAhead is how long a new key is in the JWKS before it signs.
	PublishAhead time.Duration
	// RotateEvery is how long a key signs before another takes over; 0 is for
	// ever. It is at least twice PublishAhead.
	RotateEvery time.Duration
}

// Algorithm is a JWS algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
type Algorithm string

// The values of [Algorithm].
const (
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	PS256 Algorithm = "PS256"
	RS256 Algorithm = "RS256"
	// EdDSA is with Ed25519.
	EdDSA Algorithm = "EdDSA"
)

// Listen holds the server's own addresses, each "unix:/path" or "host:port".
// An empty one is not opened; GRPC is never empty.
type Listen struct {
	GRPC  string
	HTTP  string
	Ops   string
	Admin string
	// TLS is where we end TLS ourselves, with client certificates; its Address is
	// empty for nowhere.
	TLS ListenTLS
	// Proxies is where proxies connect that are known by name or address.
	Proxies ListenProxies
}

// ListenProxies is a listener for [Proxy] entries with MTLS or Addresses; its
// Address is empty for nowhere. Certificate, Key and TrustedCA are PEM files:
// without the first two it is plain HTTP, and with TrustedCA proxies can be known
// by their certificates.
type ListenProxies struct {
	Address     string
	Certificate string
	Key         string
	TrustedCA   string
}

// Proxy is one that asks over HTTP, and how it is known: exactly one of Socket,
// MTLS and Addresses is set. Its Header, in lower case and never empty, has the
// client's certificate as Format says.
type Proxy struct {
	Name string
	// Socket is a "unix:/path" of its own: whoever connects there is this proxy.
	Socket string
	// MTLS are the names of which its certificate has one, as in [Callers].
	MTLS []string
	// Addresses are the networks that it connects from, such as "10.0.1.0/24".
	Addresses []string
	Header    string
	Format    Format
}

// Format is how a header holds the client's certificate.
type Format string

// The values of [Format].
const (
	// FormatXFCC is Envoy's x-forwarded-client-cert, as text or as JSON. It is a
	// proxy's only; on the gRPC listener it is [FromXFCC].
	FormatXFCC    Format = "xfcc"
	FormatALB     Format = "alb"
	FormatALBLeaf Format = "alb-leaf"
	FormatNginx   Format = "nginx"
	FormatRFC9440 Format = "rfc9440"
	FormatApache  Format = "apache"
	FormatHAProxy Format = "haproxy"
	FormatTraefik Format = "traefik"
)

// Formats returns the formats that any caller's header may have.
func Formats() []Format {
	return []Format{FormatALB, FormatALBLeaf, FormatNginx, FormatRFC9440, FormatApache, FormatHAProxy, FormatTraefik}
}

// header is where the proxy of the format sends it, "" where it has no header of
// its own.
func (f Format) header() string {
	switch f {
	case FormatXFCC:
		return "x-forwarded-client-cert"
	case FormatALB:
		return "x-amzn-mtls-clientcert"
	case FormatALBLeaf:
		return "x-amzn-mtls-clientcert-leaf"
	case FormatRFC9440:
		return "client-cert"
	case FormatTraefik:
		return "x-forwarded-tls-client-cert"
	}
	return ""
}

// ListenTLS is a listener of our own endpoints for clients without a proxy that
// ends TLS. Certificate and Key are PEM files.
type ListenTLS struct {
	Address     string
	Certificate string
	Key         string
}

// Callers says who may hand over evidence on the gRPC listener. The paths and
// SANs are set with [ProofMTLS] and with nothing else.
type Callers struct {
	Proof       Proof
	Certificate string
	Key         string
	TrustedCA   string
	// SANs are the names of accepted callers: a URI such as
	// "spiffe://mesh/envoy", or a DNS name, with or without "dns:" in front.
	SANs []string
}

// Proof is what makes a caller a proven one.
type Proof string

// The values of [Proof]. They are derived: the file has no key of this name.
const (
	// ProofSocket: the mode of the Unix socket's file.
	ProofSocket Proof = "socket"
	// ProofMTLS: a certificate of a listed name.
	ProofMTLS Proof = "mtls"
	// ProofNone: nothing. Whoever reaches the listener is believed.
	ProofNone Proof = "unauthenticated"
)

// Certificate says where the client's certificate is read.
type Certificate struct {
	From CertificateFrom
	// Hops is the number of proxies of ours that write an element of
	// x-forwarded-client-cert, the calling one included: so many elements from
	// the right, the client's stands. 0: exactly one element may be there. Above 1
	// only with [FromXFCC].
	Hops int
	// Header and Format say where, with [FromHeader], and are empty with others.
	Header string
	Format Format
}

// CertificateFrom is a source of evidence.
type CertificateFrom string

// The values of [CertificateFrom].
const (
	// FromPeer: source.certificate of the check.
	FromPeer CertificateFrom = "peer"
	// FromXFCC: the x-forwarded-client-cert header.
	FromXFCC CertificateFrom = "xfcc"
	// FromHeader: a header of another proxy, which stands in front of the caller.
	FromHeader CertificateFrom = "header"
)

// InboundAuthorization says what becomes of a caller's own Authorization header.
type InboundAuthorization string

// The values of [InboundAuthorization].
const (
	// InboundReject: the request is refused.
	InboundReject InboundAuthorization = "reject"
	// InboundReplace: the header is ignored and overwritten.
	InboundReplace InboundAuthorization = "replace"
	// InboundVerify: a token of ours that is bound to the certificate counts, all
	// else is refused.
	InboundVerify InboundAuthorization = "verify"
	// InboundPass: as verify, and what is not of ours reaches the upstream as it is.
	// Only a route can have it.
	InboundPass InboundAuthorization = "pass"
)

// Inject is the form of injected tokens, and what is injected beside them.
type Inject struct {
	Bind       Bind
	Typ        TokenType
	ClientCert ClientCert
}

// ClientCert says whether the upstream gets the proven certificate.
type ClientCert string

// The values of [ClientCert].
const (
	// ClientCertNone: it does not.
	ClientCertNone ClientCert = "none"
	// ClientCertRFC9440: in the header Client-Cert (RFC 9440 section 2.2).
	ClientCertRFC9440 ClientCert = "rfc9440"
)

// Bind says whether a token names the certificate it was made for.
type Bind string

// The values of [Bind].
const (
	// BindCnf: the token has cnf x5t#S256 (RFC 8705 section 3.1).
	BindCnf Bind = "cnf"
	// BindNone: the token has no cnf.
	BindNone Bind = "none"
)

// TokenType is the typ header of a token.
type TokenType string

// The values of [TokenType].
const (
	// TypeAccessToken is the type of RFC 9068 section 2.1.
	TypeAccessToken TokenType = "at+jwt"
	// TypeJWT is for upstreams that know no other.
	TypeJWT TokenType = "JWT"
)

// Route is one kind of request. ClientID, Audience, Scope and Inject belong to
// [AccessCertificate] and are zero with any other access; with it, Audience and
// Inject are always set, from the global values where the route has none.
type Route struct {
	Name   string
	Match  Match
	Access Access
	// ClientID, if not empty, is the only client the route accepts.
	ClientID string
	Audience string
	// Scope holds the scope tokens to grant, within the client's; empty: the
	// client's defaults.
	Scope                []string
	InboundAuthorization InboundAuthorization
	Inject               Inject
	// Mode is the global one where the route has none, and always ModeEnforce with
	// [AccessEndpoint].
	Mode Mode
}

// Match says which requests a route covers.
type Match struct {
	// Host is "*", "*.example.com" (any name below, not example.com itself), or
	// one lower-case name without a port.
	Host string
	// PathPrefix covers whole segments: "/a" covers /a and /a/b, not /ab. It is
	// "/" or has no slash at its end.
	PathPrefix string
	// Methods is empty for any method, and exactly OPTIONS with [AccessPreflight].
	Methods []string
}

// Access says what a route asks of a request.
type Access string

// The values of [Access].
const (
	// AccessCertificate: a client's certificate; a token is injected.
	AccessCertificate Access = "certificate"
	// AccessPublic: nothing.
	AccessPublic Access = "public"
	// AccessPreflight: to be a CORS preflight. Other requests are not covered.
	AccessPreflight Access = "preflight"
	// AccessEndpoint: nothing; the request is for an endpoint of ours.
	AccessEndpoint Access = "endpoint"
)

// Limits bounds what the server holds at once.
type Limits struct {
	// InFlight is the number of checks in progress; more are refused.
	InFlight int
	// TokenCacheEntries is the number of tokens kept for reuse.
	TokenCacheEntries int
	// TokensPerClient is how many of them may be one client's.
	TokensPerClient int
}

// Envoy is what `certbearer render envoy` needs to know besides. Upstream,
// Certificate and Key may be missing: see [Config.CheckEnvoy].
type Envoy struct {
	// Version is the oldest Envoy that the configuration is for.
	Version  EnvoyVersion
	Listen   string
	Upstream Upstream
	// UpstreamCA is the PEM file of the CAs of an https upstream.
	UpstreamCA string
	// GRPCAddress and HTTPAddress are where Envoy reaches [Listen.GRPC] and
	// [Listen.HTTP]; empty: where they listen.
	GRPCAddress string
	HTTPAddress string
	// Caller is Envoy's side of the mTLS with which [ProofMTLS] proves it.
	Caller EnvoyCaller
	// Front is the proxy in front of Envoy. It is zero unless Hops is above 1.
	Front             EnvoyFront
	Certificate       string
	Key               string
	ClientCertificate ClientCertificate
	// WithoutCertificate is [WithoutCertificateLegacy] only with
	// [ClientCertificateOptional] and without a proxy in front.
	WithoutCertificate WithoutCertificate
	// LegacyUpstream is zero where it is Upstream itself.
	LegacyUpstream Upstream
	// LegacyUpstreamCA is the PEM file of the CAs of an https LegacyUpstream.
	LegacyUpstreamCA string
	// Timeout is how long Envoy waits for a decision.
	Timeout time.Duration
	// JWTAuthn: Envoy verifies injected tokens itself, fed by the JWKS of
	// [Listen.HTTP], which is then set.
	JWTAuthn bool
	// AccessLog is [ToStdout], a file path, or empty for none.
	AccessLog string
	// PublicListen is where Envoy listens for those without a certificate, who want
	// metadata and keys; empty for nowhere.
	PublicListen string
	// AdminListen is the address of Envoy's admin interface; empty for none.
	AdminListen string
}

// Nginx is what `certbearer render nginx` needs to know. Upstream, Certificate and
// Key may be missing: see [Config.CheckNginx].
type Nginx struct {
	// Proxy names the entry of proxies that this nginx is, "" for the only one with
	// [FormatNginx].
	Proxy  string
	Listen string
	// ServerNames are the hosts; empty: that of MTLSOrigin, or of the issuer.
	ServerNames []string
	Upstream    Upstream
	// UpstreamCA is the PEM file of the CAs of an https upstream.
	UpstreamCA  string
	Certificate string
	Key         string
	// Address is where nginx reaches certbearer; empty: at the entry's socket, or
	// where listen.proxies listens.
	Address string
	// Caller is nginx's side of the TLS of listen.proxies.
	Caller EnvoyCaller
}

// EnvoyCaller is how Envoy proves itself to certbearer, and certbearer to it.
// Certificate, Key and TrustedCA are PEM files as Envoy will open them.
type EnvoyCaller struct {
	Certificate string
	Key         string
	TrustedCA   string
	// ServerName is the DNS name in certbearer's certificate.
	ServerName string
}

// EnvoyFront is the proxy whose x-forwarded-client-cert Envoy appends to.
type EnvoyFront struct {
	// TrustedCA is the PEM file of the CAs that issue its certificate.
	TrustedCA string
	// SANs are the names of which its certificate has one, as in [Callers].
	SANs []string
}

// EnvoyVersion is a minor version of Envoy.
type EnvoyVersion string

// The values of [EnvoyVersion].
const (
	Envoy137 EnvoyVersion = "1.37"
	Envoy138 EnvoyVersion = "1.38"
	Envoy139 EnvoyVersion = "1.39"
	Envoy140 EnvoyVersion = "1.40"
)

// ClientCertificate says what Envoy does with a connection without one.
type ClientCertificate string

// The values of [ClientCertificate].
const (
	// ClientCertificateOptional: certbearer decides, and records it.
	ClientCertificateOptional ClientCertificate = "optional"
	// ClientCertificateRequired: the TLS handshake fails.
	ClientCertificateRequired ClientCertificate = "required"
)

// WithoutCertificate says what Envoy does with a request without one.
type WithoutCertificate string

// The values of [WithoutCertificate].
const (
	// WithoutCertificateDeny: certbearer decides, and refuses it where one is asked for.
	WithoutCertificateDeny WithoutCertificate = "deny"
	// WithoutCertificateLegacy: it goes past certbearer, as it is, to LegacyUpstream.
	WithoutCertificateLegacy WithoutCertificate = "legacy"
)

// Log is the server's own log.
type Log struct {
	Format LogFormat
	Level  LogLevel
}

// LogFormat is the form of log lines.
type LogFormat string

// The values of [LogFormat].
const (
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
)

// LogLevel is the least severity that is logged.
type LogLevel string

// The values of [LogLevel].
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// Audit says where audit records go.
type Audit struct {
	// To is [ToStdout], [ToStderr], [ToNone] or a file path, which is absolute if
	// the configuration's folder is.
	To string
}

// Words that stand where a file path may. A file of such a name is written
// with "./" in front.
const (
	ToStdout = "stdout"
	ToStderr = "stderr"
	ToNone   = "none"
)
