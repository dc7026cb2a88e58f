package signer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// MaxKeyFile is the size of the largest key file that is read, in bytes.
const MaxKeyFile = 64 << 10

// extension ends the name of every key file.
const extension = ".json"

// ParseKey reads the content of a key file:
//
//	{"created": RFC 3339, "signsFrom": RFC 3339, "key": private JWK}
//
// The JWK (RFC 7517) has an alg of [Algorithms], the kty and crv that it takes,
// and use "sig". An RSA key has 2048 to 8192 bits, the exponent 65537 and all
// the parts of two primes. name is the file's base name, "<kid>.json"; name, kid
// member and RFC 7638 thumbprint must agree, so that a key cannot be passed off
// as another. Members that are not named here are refused. An error begins with
// name and never quotes the content.
func ParseKey(name string, content []byte) (Key, error) {
	key, err := parseKey(strings.TrimSuffix(name, extension), content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

func parseKey(kid string, content []byte) (*localKey, error) {
	if len(content) > MaxKeyFile {
		return nil, fmt.Errorf("is over %d bytes; a key file is far smaller", MaxKeyFile)
	}
	file, err := readObject(content)
	if err != nil {
		return nil, err
	}
	if err := file.only("created", "signsFrom", "key"); err != nil {
		return nil, err
	}
	created, err := file.time("created")
	if err != nil {
		return nil, err
	}
	signsFrom, err := file.time("signsFrom")
	if err != nil {
		return nil, err
	}
	key, err := parseJWK(kid, file["key"])
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if key.kid != kid {
		return nil, fmt.Errorf("holds the key %s; name the file %s%s if that is the key meant", key.kid, key.kid, extension)
	}
	key.created, key.signsFrom = created, signsFrom
	return key, nil
}

func (o object) time(name string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, o.text(name))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: is missing or not an RFC 3339 time such as 2026-01-31T12:00:00Z", name)
	}
	return at, nil
}

// parseJWK takes the key apart by itself, because the errors of a general
// parser may quote the input.
func parseJWK(kid string, content []byte) (*localKey, error) {
	jwk, err := readObject(content)
	if err != nil {
		return nil, err
	}
	algorithm := Algorithm(jwk.text("alg"))
	if !slices.Contains(Algorithms(), algorithm) {
		return nil, errors.New("alg: is not " + algorithmNames())
	}
	how := methodOf(algorithm)
	switch {
	case !how.fits(jwk):
		return nil, fmt.Errorf("is not of %s, which alg %s takes", how.shape(), algorithm)
	case jwk.text("use") != "sig":
		return nil, errors.New("use: is not sig")
	case jwk.text("d") == "":
		return nil, errors.New("has only the public part; put back the file with the private part, d, or remove this one")
	case jwk.text("kid") != kid:
		return nil, errors.New("kid: differs from the file's name; rename the file or restore its content")
	}
	if err := jwk.only(append(how.members(), "kid", "alg", "use")...); err != nil {
		return nil, err
	}
	private, err := how.read(jwk)
	if err != nil {
		return nil, err
	}
	return newLocal(algorithm, private, time.Time{}, time.Time{})
}

// encode is what ParseKey reads. It contains the private part.
func (k *localKey) encode() ([]byte, error) {
	jwk := k.Public()
	jwk.Key = k.private.Signer
	content, err := json.MarshalIndent(struct {
		Created   string          `json:"created"`
		SignsFrom string          `json:"signsFrom"`
		Key       jose.JSONWebKey `json:"key"`
	}{k.created.Format(time.RFC3339), k.signsFrom.Format(time.RFC3339), jwk}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("signer: key %s cannot be encoded", k.kid)
	}
	return append(content, '\n'), nil
}
