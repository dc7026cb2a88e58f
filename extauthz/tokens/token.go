// Package tokens owns access tokens: what stands in them, and which of them are
// kept for another request.
//
// [Mint] makes one token by the profile of RFC 9068, bound to a certificate by
// RFC 8705 section 3. A [Cache] makes them when they are needed and hands out
// the same until 80 % of its life has passed. What it hands out would come out
// the same, jti and times aside, if it were made at that moment: a token is kept
// together with the client record and the key that it rests on, and both are
// compared with those of the request ([Basis]). So a change of a client, or the
// end of a key, needs no message to the cache to take effect.
//
// The text of a token is behind [Secret], which no log, error or encoding shows.
package tokens

import "time"

// Token is a signed JWT. All but Value may be logged.
type Token struct {
	// Value is the JWT in compact serialization (RFC 7515 section 7.1).
	Value Secret
	// ID is jti.
	ID string
	// IssuedAt is iat, Expires is exp: whole seconds.
	IssuedAt, Expires time.Time
	// RenewAt is when the token is replaced: at 80 % of its life.
	RenewAt time.Time
}
