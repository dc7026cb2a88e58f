package tokens

import (
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/policies/decision"
)

// MaxTokenBytes bounds a token that a caller sends: it is about twice what the
// largest of ours has.
const MaxTokenBytes = 16 << 10

// The skew of clocks that is tolerated: a token may be from as far in the future
// (FAPI 2.0 section 5.3.2.1 has 10 s accepted and 60 s refused). Its end is
// tolerated for nobody: we made it.
const maxSkew = 10 * time.Second

// Terms are what a token is verified by.
type Terms struct {
	Issuer  string
	Keys    *signer.Keys
	Revoked *Revoked
	At      time.Time
}

// Verified is a token of ours that is in force. What it is good for is asked
// apart: [Verified.CheckInbound].
type Verified struct {
	ID       string
	ClientID string
	Audience string
	Scope    []string
	IssuedAt time.Time
	Expires  time.Time
	Use      Use
	// Bound is whether cnf has x5t#S256 and nothing else, Thumbprint what it has.
	Bound      bool
	Thumbprint [32]byte
	// Certificates are those of the Request.
	Certificates []string
}

// Verify reads a token that claims to be ours. The signature has to be of a key
// of the set, the one that the header names and by its algorithm: nothing else in
// the token chooses a key (RFC 8725 section 3).
//
// It denies with NotReady while there are no keys, and with TokenMalformed, TokenTypeWrong, TokenSignatureInvalid,
// TokenIssuerWrong, TokenNotYetValid, TokenExpired or TokenRevoked. Beside the last
// three stands what the token says: it is ours, and not in force.
func (t Terms) Verify(text string) (Verified, error) {
	if t.Keys == nil {
		return Verified{}, decision.Denyf(decision.NotReady, "keys", "none have been loaded yet")
	}
	if len(text) > MaxTokenBytes {
		return Verified{}, decision.Denyf(decision.TokenMalformed, "token", "has more than %d bytes", MaxTokenBytes)
	}
	head, err := readHeader(text)
	if err != nil {
		return Verified{}, decision.Deny(decision.TokenMalformed, "token header", err)
	}
	if !isTyp(head.Typ) {
		return Verified{}, decision.Denyf(decision.TokenTypeWrong, "typ", "%.40q is none of our access tokens", head.Typ)
	}
	payload, err := t.signed(text, head)
	if err != nil {
		return Verified{}, err
	}
	c, err := readClaims(payload)
	if err != nil {
		return Verified{}, decision.Deny(decision.TokenMalformed, "token claims", err)
	}
	verified, err := c.verified()
	if err != nil {
		return Verified{}, decision.Deny(decision.TokenMalformed, "token claims", err)
	}
	if verified.Use == UseAccess && head.Typ == TypJWT {
		return Verified{}, decision.Denyf(decision.TokenTypeWrong, "typ", "an access token of ours is %s", TypAccessToken)
	}
	return verified, t.inForce(c.Issuer, verified)
}

// isTyp accepts what Mint writes, and the long form of RFC 9068 section 4.
func isTyp(typ string) bool {
	return typ == TypAccessToken || typ == "application/"+TypAccessToken || typ == TypJWT
}

// signed returns the payload that a key of ours signed.
func (t Terms) signed(text string, head header) ([]byte, error) {
	key, known := t.Keys.Key(head.KID)
	if !known {
		return nil, decision.Denyf(decision.TokenSignatureInvalid, "kid", "%.64q is no key of ours", head.KID)
	}
	if head.Algorithm != key.Algorithm() {
		return nil, decision.Denyf(decision.TokenSignatureInvalid, "alg", "%.20q is not the key's", head.Algorithm)
	}
	parsed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm())})
	if err != nil {
		return nil, decision.Denyf(decision.TokenMalformed, "token", "is no compact JWS")
	}
	public := key.Public()
	payload, err := parsed.Verify(&public)
	if err != nil {
		return nil, decision.Denyf(decision.TokenSignatureInvalid, "token", "the signature is not of key %s", key.KID())
	}
	return payload, nil
}

func (t Terms) inForce(issuer string, v Verified) error {
	switch {
	case issuer != t.Issuer:
		return decision.Denyf(decision.TokenIssuerWrong, "iss", "%.100q is another issuer", issuer)
	case v.IssuedAt.After(t.At.Add(maxSkew)):
		return decision.Denyf(decision.TokenNotYetValid, "iat", "is %s", v.IssuedAt.UTC().Format(time.RFC3339))
	case !t.At.Before(v.Expires):
		return decision.Denyf(decision.TokenExpired, "exp", "was %s", v.Expires.UTC().Format(time.RFC3339))
	case t.Revoked.Has(v.ID):
		return decision.Denyf(decision.TokenRevoked, "jti", "%s was revoked", v.ID)
	}
	return nil
}

// CheckInbound says whether the token may be sent to the gateway, for a route
// with the audience, on a connection that proved the certificate with the
// thumbprint (RFC 8705 section 3). It denies with TokenTypeWrong,
// TokenAudienceWrong, TokenUnbound or TokenBindingMismatch.
func (v Verified) CheckInbound(audience string, thumbprint [32]byte) error {
	switch {
	case v.Use != UseAccess:
		return decision.Denyf(decision.TokenTypeWrong, "token_use", "it was made for an upstream")
	case v.Audience != audience:
		return decision.Denyf(decision.TokenAudienceWrong, "aud", "%.200q is not %s", v.Audience, audience)
	case !v.Bound:
		return decision.Denyf(decision.TokenUnbound, "cnf", "names no certificate")
	case v.Thumbprint != thumbprint:
		return decision.Denyf(decision.TokenBindingMismatch, "cnf", "names another certificate than the connection's")
	}
	return nil
}
