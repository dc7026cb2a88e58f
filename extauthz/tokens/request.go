package tokens

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// MaxLifetime is the longest that a token may live.
const MaxLifetime = 24 * time.Hour

// maxClaimBytes bounds the text that a request brings into a token: the token
// has to fit in a header beside others.
const maxClaimBytes = 8 << 10

// Binding says whether a token names the certificate it was given for.
type Binding uint8

// The bindings. The zero value is the one that protects.
const (
	// BindCertificate puts the certificate's thumbprint in cnf (RFC 8705
	// section 3.1): who steals the token cannot use it with us.
	BindCertificate Binding = iota
	// BindNone leaves cnf out.
	BindNone
)

// UnmarshalText reads the configuration's words "cnf" and "none".
func (b *Binding) UnmarshalText(text []byte) error {
	switch string(text) {
	case "cnf":
		*b = BindCertificate
	case "none":
		*b = BindNone
	default:
		return fmt.Errorf("%q is neither cnf nor none", text)
	}
	return nil
}

// The values of a token's typ header.
const (
	// TypAccessToken is RFC 9068 section 2.1.
	TypAccessToken = "at+jwt"
	// TypJWT is for verifiers that know only RFC 7519.
	TypJWT = "JWT"
)

// Request says what is to stand in a token. All but Scope and Certificates is required.
type Request struct {
	// Issuer is iss, a URL.
	Issuer string
	// ClientID is client_id and sub.
	ClientID string
	// Audience is aud: one, so that no resource can use a token with another.
	Audience string
	// Scope holds the granted scopes; empty leaves scope out.
	Scope []string
	// Thumbprint is the SHA-256 of the certificate in DER.
	Thumbprint [32]byte
	// Certificates names, for a client that asks for revocations, the certificates
	// that are asked about, in the words of who asks; empty leaves cert_ids out.
	Certificates []string
	// Use is token_use: for whose hands the token is.
	Use Use
	// Bind says whether Thumbprint goes into cnf.
	Bind Binding
	// Typ is [TypAccessToken] or [TypJWT].
	Typ string
	// Lifetime is from At to exp, 1 s to [MaxLifetime], counted in whole seconds.
	Lifetime time.Duration
	// NotAfter is the end of what the token rests on, the certificate or the
	// verdict on it, whichever is earlier: exp is never past it.
	NotAfter time.Time
	// At is now; iat is At rounded down to the second.
	At time.Time
}

// check refuses what would make a token say something else than was meant.
func (r *Request) check() error {
	total := 0
	for _, claim := range [...]struct{ name, text string }{
		{"iss", r.Issuer}, {"client_id", r.ClientID}, {"aud", r.Audience},
	} {
		// JSON replaces bytes that are no UTF-8: two clients could get one sub.
		if claim.text == "" || !utf8.ValidString(claim.text) {
			return fmt.Errorf("tokens: %s: is missing or not UTF-8", claim.name)
		}
		total += len(claim.text)
	}
	for _, scope := range r.Scope {
		if !ValidScope(scope) {
			return fmt.Errorf("tokens: scope: %q is not one scope (RFC 6749 section 3.3)", scope)
		}
		total += len(scope)
	}
	for _, name := range r.Certificates {
		total += len(name)
	}
	if total > maxClaimBytes {
		return fmt.Errorf("tokens: claims of %d bytes, at most %d are allowed", total, maxClaimBytes)
	}
	return r.checkShape()
}

func (r *Request) checkShape() error {
	switch {
	case r.Use == UseAccess && (r.Typ != TypAccessToken || r.Bind != BindCertificate):
		return errors.New("tokens: a token for callers is at+jwt and bound to the certificate")
	case r.Typ != TypAccessToken && r.Typ != TypJWT:
		return fmt.Errorf("tokens: typ: %q is neither %s nor %s", r.Typ, TypAccessToken, TypJWT)
	case r.Bind != BindCertificate && r.Bind != BindNone:
		return fmt.Errorf("tokens: binding %d is unknown", r.Bind)
	case r.Thumbprint == [32]byte{}:
		return errors.New("tokens: the certificate's thumbprint is missing")
	case r.Lifetime < time.Second || r.Lifetime > MaxLifetime:
		return fmt.Errorf("tokens: lifetime %v is not between 1s and %v", r.Lifetime, MaxLifetime)
	case r.At.Unix() <= 0:
		return errors.New("tokens: the time is missing or before 1970")
	}
	return nil
}

// ValidScope reports whether the text is one scope-token of RFC 6749 section 3.3. A space in one would
// make it two scopes.
func ValidScope(scope string) bool {
	for i := range len(scope) {
		if c := scope[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return scope != ""
}
