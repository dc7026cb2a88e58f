package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// maxTokenBytes bounds a token. Ours stay under 16 KiB.
const maxTokenBytes = 64 << 10

// decodedToken is a JWT of three parts, of which nothing is proven.
type decodedToken struct {
	header map[string]any
	claims map[string]any
}

// decodeToken reads the compact form of RFC 7519. Its errors never quote the
// token.
func decodeToken(text string) (*decodedToken, error) {
	if len(text) > maxTokenBytes {
		return nil, fmt.Errorf("not a token: over %d bytes", maxTokenBytes)
	}
	parts := strings.Split(text, ".")
	switch len(parts) {
	case 3:
	case 5:
		return nil, errors.New("not a token that can be read: it has five parts, so it is encrypted (JWE)")
	default:
		return nil, fmt.Errorf("not a token: a JWT has three parts with dots between, this has %d", len(parts))
	}
	var token decodedToken
	var err error
	if token.header, err = decodePart(parts[0]); err != nil {
		return nil, fmt.Errorf("not a token: its header %w", err)
	}
	if token.claims, err = decodePart(parts[1]); err != nil {
		return nil, fmt.Errorf("not a token: its payload %w", err)
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil {
		return nil, errors.New("not a token: its signature is no base64url")
	}
	return &token, nil
}

func decodePart(part string) (map[string]any, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errors.New("is no base64url")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // 64 bits of an identifier are more than a float has
	var object map[string]any
	if err := decoder.Decode(&object); err != nil || object == nil {
		return nil, errors.New("is no JSON object")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("is more than one JSON object")
	}
	return object, nil
}

// maxNumericDate is the end of the year 9999, the last that RFC 3339 can write.
const maxNumericDate = 253402300799

var errNoDate = errors.New("is no time: a number of seconds since 1970 is expected (RFC 7519 2)")

// date returns a NumericDate claim; present says whether the token has it.
func (d *decodedToken) date(name string) (at time.Time, present bool, err error) {
	value, present := d.claims[name]
	if !present {
		return time.Time{}, false, nil
	}
	number, isNumber := value.(json.Number)
	if !isNumber {
		return time.Time{}, true, errNoDate
	}
	seconds, err := number.Float64()
	if err != nil || math.Abs(seconds) > maxNumericDate {
		return time.Time{}, true, errNoDate
	}
	return time.Unix(int64(math.Floor(seconds)), 0).UTC(), true, nil
}

// text returns a member of the header that is a string, else "".
func (d *decodedToken) text(name string) string {
	text, _ := d.header[name].(string)
	return text
}

// boundTo returns the SHA-256 of the certificate that cnf names (RFC 8705 3.1),
// nil if it names none.
func (d *decodedToken) boundTo() []byte {
	confirmation, _ := d.claims["cnf"].(map[string]any)
	encoded, _ := confirmation["x5t#S256"].(string)
	sum, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(sum) != 32 {
		return nil
	}
	return sum
}
