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

	Revocation  Revocation
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

// Limits bounds what the server holds at once.
type Limits struct {
	// InFlight is the number of checks in progress; more are refused.
	InFlight int
	// TokenCacheEntries is the number of tokens kept for reuse.
	TokenCacheEntries int
	// TokensPerClient is how many of them may be one client's.
	TokensPerClient int
}

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
