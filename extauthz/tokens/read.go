package tokens

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json" // exact names, and none of them twice
)

// readHeader takes the header of a compact JWS. It is exactly what Mint writes:
// with jku, x5u, jwk, x5c or crit a token is not of ours (RFC 8725 section 3.10).
func readHeader(text string) (header, error) {
	if strings.ContainsAny(text, "\r\n") {
		return header{}, errors.New("has a line break") // encoding/base64 passes over them
	}
	encoded, rest, found := strings.Cut(text, ".")
	if !found || strings.Count(rest, ".") != 1 {
		return header{}, errors.New("is not of three parts")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return header{}, errors.New("is not base64url")
	}
	var members map[string]json.RawMessage
	var h header
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(raw, &h) != nil {
		return header{}, errors.New("is not one JSON object with members of their types, each once")
	}
	for name := range members {
		if name != "alg" && name != "kid" && name != "typ" {
			return header{}, errors.New("has a member other than alg, kid and typ")
		}
	}
	if len(members) != 3 {
		return header{}, errors.New("lacks alg, kid or typ")
	}
	return h, nil
}

// readClaims takes the claims of a signed token. Members that are not known are
// left alone: a newer version may write more.
func readClaims(payload []byte) (*claims, error) {
	var c struct {
		claims
		IssuedAt  json.RawMessage `json:"iat"`
		Expires   json.RawMessage `json:"exp"`
		NotBefore json.RawMessage `json:"nbf"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, errors.New("are not one JSON object with members of their types, each once")
	}
	var err error
	if c.claims.IssuedAt, err = seconds("iat", c.IssuedAt); err != nil {
		return nil, err
	}
	if c.claims.Expires, err = seconds("exp", c.Expires); err != nil {
		return nil, err
	}
	if c.NotBefore != nil {
		return nil, errors.New("nbf: our tokens have none")
	}
	return &c.claims, nil
}

// seconds takes whole ones, as Mint writes them, and no text with a number in it.
func seconds(name string, number json.RawMessage) (int64, error) {
	value, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || value <= 0 || value > math.MaxInt32*64 {
		return 0, fmt.Errorf("%s: is not a time in whole seconds", name)
	}
	return value, nil
}

// verified holds the claims to what every token of ours has.
func (c *claims) verified() (Verified, error) {
	use, known := useOf(c.Use)
	switch {
	case !known:
		return Verified{}, errors.New("token_use: is not known")
	case c.ID == "" || len(c.ID) > maxID:
		return Verified{}, errors.New("jti: is missing or too long")
	case c.ClientID == "" || c.Subject != c.ClientID:
		return Verified{}, errors.New("sub and client_id: are missing or not the same")
	case c.Audience == "":
		return Verified{}, errors.New("aud: is missing")
	}
	v := Verified{
		ID: c.ID, ClientID: c.ClientID, Audience: c.Audience, Scope: strings.Fields(c.Scope), Use: use,
		IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), Expires: time.Unix(c.Expires, 0).UTC(), Certificates: c.Certificates,
	}
	v.Thumbprint, v.Bound = c.Confirmation.thumbprint()
	return v, nil
}

// maxID bounds jti: ours have 22 characters.
const maxID = 64

// thumbprint reads x5t#S256. A cnf that names something else as well is not one
// that we could hold the caller to (RFC 7800 section 3.1).
func (c confirmation) thumbprint() (sum [32]byte, bound bool) {
	text, found := c["x5t#S256"]
	if !found || len(c) != 1 {
		return sum, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(sum) {
		return sum, false
	}
	return [32]byte(raw), true
}
