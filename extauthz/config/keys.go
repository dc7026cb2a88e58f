package config

// Key is one key of the file, for documentation.
type Key struct {
	// Path is dotted; "[]" stands for each item of a list.
	Path string
	// Default is the value of an absent key as it would be written, "required",
	// or empty if the key is then not in force or Meaning says what holds.
	Default string
	// Meaning is one line, without a full stop.
	Meaning string
}

// Required is the [Key.Default] of a key that has none.
const Required = "required"

// Keys returns every key that may stand in the file, in the order in which they
// are best read. Paths of "[]" keys are required or optional within their item,
// and paths within callers within that mapping.
func Keys() []Key {
	return []Key{
		{"issuer", Required, "the `iss` of every token: an https URL, used exactly as written"},
		{"audience", "", "the `aud` of injected tokens, and of the token endpoint's where no resource is asked for: an absolute URI; required unless every certificate route names its own"},
		{"mtlsOrigin", "", "the origin under which clients reach the listener that asks for certificates, where that is not the issuer's: `https://mtls.gateway.example`"},
		{"compatibility", "none", "`none`, or `medplum`, which takes a `client_secret` beside a certificate for nothing instead of refusing it"},
		{"profile", "none", "`none`, or `fapi2`, which refuses what the FAPI 2.0 security profile does not allow"},
		{"mode", "enforce", "`enforce`, or `shadow`: requests pass as they came, and the records say what would have been decided ([how to roll out](docs/rollout.md))"},
		{"clients.directory", "clients", "the folder of client documents"},
		{"clients.strict", "false", "whether one faulty document keeps the whole set as it was"},
		{"clients.sharedAnchors", "refuse", "`refuse` or `allow` several clients without a subject binding to trust one CA"},
		{"keys.directory", "keys", "the folder of signing keys"},
		{"keys.algorithm", "ES256", "how new keys sign: `ES256`, `ES384`, `PS256`, `RS256` or `EdDSA` (Ed25519)"},
		{"keys.generate", "true", "whether to make a key where the folder has none, and the next ones by schedule; without it only `keys rotate` writes there"},
		{"keys.publishAhead", "1h", "how long a new key is in the JWKS before it signs, and an old one after its last token expired, 1s to 720h; less than 30m is warned of"},
		{"keys.rotateEvery", "2160h", "how long a key signs before another takes over, twice publishAhead or more; `0s` for ever"},
		{"listen.grpc", Required, "where Envoy asks for decisions: `unix:/path` or `host:port`"},
		{"listen.http", `""`, "where our own endpoints, metadata and the JWKS are served, likewise; `\"\"` for nowhere"},
		{"listen.tls.address", "", "where the same is served over TLS that certbearer ends itself, with client certificates: `host:port`"},
		{"listen.tls.certificate", "", "the PEM file of that listener's certificate; required with it"},
		{"listen.tls.key", "", "the PEM file of its key; required with it"},
		{"listen.proxies.address", "", "where proxies ask over HTTP that are known by `mtls` or `addresses`: `host:port`"},
		{"listen.proxies.certificate", "", "the PEM file of that listener's certificate; without it the listener is plain HTTP"},
		{"listen.proxies.key", "", "the PEM file of its key; required with it"},
		{"listen.proxies.trustedCA", "", "the PEM file of the CAs that issue the certificates of proxies; required for `mtls`"},
		{"listen.ops", "127.0.0.1:9193", "where health and metrics are served, likewise; `\"\"` for nowhere"},
		{"listen.admin", `""`, "must be `\"\"` in this version"},
		{"callers", "", "who may ask over TCP: `unauthenticated`, which believes whoever can connect, or the mapping below; without it only a Unix socket"},
		{"callers.certificate", Required, "the PEM file of the gRPC listener's certificate"},
		{"callers.key", Required, "the PEM file of its key"},
		{"callers.trustedCA", Required, "the PEM file of the CAs that issue callers' certificates"},
		{"callers.sans", Required, "the exact names of accepted callers: URIs or DNS names"},
		{"certificate.from", "peer", "where the client's certificate is read: `peer` (source.certificate), `xfcc` (Envoy's header) or `header` (that of a proxy in front of Envoy)"},
		{"certificate.hops", "0", "the number of proxies of yours that write an element of x-forwarded-client-cert, the calling one included, up to 10; `0`: exactly one element may be there"},
		{"certificate.header", "", "with `from: header`, the header's name; required where the format has none of its own: `nginx`, `apache`, `haproxy`"},
		{"certificate.format", "", "with `from: header`, what the header holds: `alb`, `alb-leaf`, `nginx`, `rfc9440`, `apache`, `haproxy` or `traefik`"},
		{"proxies[].name", Required, "unique: up to 64 letters, digits, dots, hyphens and underscores"},
		{"proxies[].socket", "", "a Unix socket of this proxy's own, `unix:/path`: whoever connects there is this proxy; each proxy has this, `mtls` or `addresses`"},
		{"proxies[].mtls", "", "the exact names, as in `callers.sans`, of which the proxy's certificate at listen.proxies has one"},
		{"proxies[].addresses", "", "the addresses or networks from which the proxy connects to listen.proxies; whoever connects from there is believed"},
		{"proxies[].header", "", "the header in which the proxy sends the client's certificate; required where the format has none of its own"},
		{"proxies[].format", Required, "what the header holds: `xfcc`, or as in `certificate.format`"},
		{"inboundAuthorization", "verify", "what becomes of a caller's own Authorization: `verify` (only tokens of our own count), `reject` or `replace`"},
		{"injectedTokenLifetime", "5m", "how long an injected token is valid, 10s to 1h"},
		{"inject.bind", "cnf", "`cnf` to bind tokens to the certificate, `none` not to"},
		{"inject.typ", "at+jwt", "the type in the token's header: `at+jwt` or `JWT`"},
		{"routes[].name", Required, "unique: up to 64 letters, digits, dots, hyphens and underscores; without routes there is `default` for all requests, and before it, if listen.http is set, one for each of our own endpoints"},
		{"routes[].match.host", `"*"`, "`\"*\"`, `\"*.example.com\"` or one lower-case name; the first route that matches is taken"},
		{"routes[].match.pathPrefix", "/", "a normalised path, of which whole segments are compared"},
		{"routes[].match.methods", "[]", "methods in capitals; `[]` for any"},
		{"routes[].access", "certificate", "what is asked: `certificate`, `public` (nothing), `preflight` (to be a CORS preflight) or `endpoint` (nothing here: the request is for our own endpoints)"},
		{"routes[].clientId", "", "the only client that may pass"},
		{"routes[].audience", "", "the `aud` on this route; without it the global one"},
		{"routes[].scope", "[]", "the scopes to grant, within the client's; `[]` for the client's defaults"},
		{"routes[].mode", "", "as the global one, which holds without it; not for `access: endpoint`; a client document's `mode` goes before it"},
		{"routes[].inboundAuthorization", "", "as the global one, which holds without it; or `pass`, for `access: certificate`: what is not of our own reaches the upstream as it is"},
		{"routes[].inject.bind", "", "as the global one, which holds without it"},
		{"routes[].inject.typ", "", "as the global one, which holds without it"},
		{"revocations.file", "revocations/revoked.jsonl", "where revoked tokens are kept; replicas may share it"},
		{"limits.inFlight", "1024", "checks in progress at once, and likewise requests to the endpoints of each listener; more are refused with 503"},
		{"limits.tokenCacheEntries", "100000", "tokens kept for reuse"},
		{"limits.tokensPerClient", "64", "tokens of one client among them"},
		{"envoy.version", `"1.40"`, "the oldest Envoy that the configuration is for: `\"1.37\"`, `\"1.38\"`, `\"1.39\"` or `\"1.40\"`, in quotes; fields that it lacks are left out, and `render envoy` says what is lost"},
		{"envoy.listen", "127.0.0.1:8443", "where Envoy listens"},
		{"envoy.upstream", "", "where Envoy sends admitted requests: `http://host:port`, `h2c://host:port` for gRPC, or `https://host:port`; required to render"},
		{"envoy.upstreamCA", "", "the PEM file of the CAs that an https upstream's certificate comes from; required with https"},
		{"envoy.grpcAddress", "", "where Envoy reaches listen.grpc, when that is not the listen address itself: `unix:/path` or `host:port`"},
		{"envoy.httpAddress", "", "where Envoy reaches listen.http, likewise"},
		{"envoy.caller.certificate", "", "the PEM file with which Envoy proves itself to certbearer; required to render where `callers` asks for it"},
		{"envoy.caller.key", "", "the PEM file of its key"},
		{"envoy.caller.trustedCA", "", "the PEM file of the CAs that certbearer's own certificate comes from"},
		{"envoy.caller.serverName", "", "the DNS name in certbearer's own certificate"},
		{"envoy.front.trustedCA", "", "with `certificate.hops` above 1, the PEM file of the CAs that the certificate of the proxy in front of Envoy comes from; required to render"},
		{"envoy.front.sans", "", "the exact names of which that certificate has one, as in `callers.sans`; required to render likewise"},
		{"envoy.certificate", "", "the PEM file of Envoy's own certificate; required to render"},
		{"envoy.key", "", "the PEM file of its key; required to render"},
		{"envoy.clientCertificate", "optional", "`optional` (without one certbearer refuses, and records it) or `required` (the handshake fails; before Envoy 1.39 each request is refused)"},
		{"envoy.timeout", "500ms", "how long Envoy waits for a decision, 10ms to 10s"},
		{"envoy.jwtAuthn", "false", "whether Envoy verifies injected tokens too; needs listen.http"},
		{"envoy.accessLog", "stdout", "`stdout`, a file, or `\"\"` for none"},
		{"envoy.publicListen", `""`, "where Envoy listens without asking for certificates, for metadata and keys; needs mtlsOrigin"},
		{"envoy.adminListen", `""`, "the address of Envoy's admin interface; `\"\"` for none"},
		{"log.format", "json", "`json` or `text`"},
		{"log.level", "info", "`debug`, `info`, `warn` or `error`"},
		{"audit.to", "stdout", "where audit records go: `stdout`, `stderr`, `none` or a file"},
	}
}
