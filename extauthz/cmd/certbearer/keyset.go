package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Limits of a JSON Web Key Set that somebody else may serve.
const (
	maxKeySetBytes = 1 << 20
	maxKeySetKeys  = 200
	fetchPatience  = 5 * time.Second
	maxRedirects   = 3
)

// asymmetric lists the algorithms (RFC 7518 3.1, RFC 8037 3.1) whose keys may
// be public. With the others whoever verifies could also sign.
func asymmetric() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.ES256, jose.ES384, jose.ES512,
		jose.RS256, jose.RS384, jose.RS512,
		jose.PS256, jose.PS384, jose.PS512,
		jose.EdDSA,
	}
}

// keySet is a JSON Web Key Set (RFC 7517 5) of public keys.
type keySet struct{ keys []jose.JSONWebKey }

var errNoURL = errors.New("--cacert: has a meaning with --jwks and an https URL only")

// loadKeySet reads a set from a file, or from an http or https URL, whose
// certificate comes from the CAs in the file cacert if that is named.
func loadKeySet(ctx context.Context, from, cacert string) (*keySet, error) {
	roots, err := rootsFor(from, cacert)
	if err != nil {
		return nil, err
	}
	var data []byte
	if strings.Contains(from, "://") {
		data, err = fetch(ctx, from, roots)
	} else {
		data, err = readUpTo(from, maxKeySetBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("--jwks: %w", err)
	}
	return parseKeySet(data)
}

// rootsFor returns the CAs in the file, nil for the system's.
func rootsFor(from, cacert string) (*x509.CertPool, error) {
	switch {
	case cacert == "":
		return nil, nil
	case !strings.HasPrefix(from, "https://"):
		return nil, errNoURL
	}
	roots, err := readRoots(cacert)
	if err != nil {
		return nil, fmt.Errorf("--cacert: %w", err)
	}
	return roots, nil
}

// parseKeySet passes over keys for other uses, of unknown kinds, and private or
// symmetric ones. Its errors quote nothing: a private key may have been put
// where a set belongs.
func parseKeySet(data []byte) (*keySet, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &document); err != nil || document.Keys == nil {
		return nil, errors.New("--jwks: is no JSON Web Key Set: an object with the list keys is expected")
	}
	if len(document.Keys) > maxKeySetKeys {
		return nil, fmt.Errorf("--jwks: has more than %d keys", maxKeySetKeys)
	}
	set := &keySet{}
	for _, raw := range document.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig") {
			set.keys = append(set.keys, key)
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("--jwks: has no public key for signatures")
	}
	return set, nil
}

// verify checks the token's signature and nothing else.
func (s *keySet) verify(text string, token *decodedToken) signatureCheck {
	algorithm, kid := token.text("alg"), token.text("kid")
	if !slices.Contains(asymmetric(), jose.SignatureAlgorithm(algorithm)) {
		return invalid(fmt.Sprintf("alg %.20q is not accepted: only asymmetric algorithms prove who signed", algorithm))
	}
	signed, err := jose.ParseSignedCompact(text, asymmetric())
	if err != nil {
		return invalid("it breaks the form of a JWS")
	}
	tried := 0
	for _, key := range s.keys {
		if kid != "" && key.KeyID != kid || key.Algorithm != "" && key.Algorithm != algorithm {
			continue
		}
		tried++
		if _, err := signed.Verify(&key); err == nil {
			return signatureCheck{Checked: true, Valid: true, KID: key.KeyID}
		}
	}
	if tried == 0 {
		return invalid(fmt.Sprintf("the key set has no key with kid %.64q for alg %s", kid, algorithm))
	}
	return invalid("the key of its kid did not make it")
}

func invalid(detail string) signatureCheck { return signatureCheck{Checked: true, Detail: detail} }

// fetch gets a key set over HTTP within fixed bounds of time and size.
func fetch(ctx context.Context, from string, roots *x509.CertPool) ([]byte, error) {
	target, err := url.Parse(from)
	if err != nil || !isHTTP(target) {
		return nil, errors.New("is no http or https URL")
	}
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, errors.New("is no http or https URL")
	}
	client := &http.Client{CheckRedirect: checkRedirect}
	if roots != nil {
		client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
		defer client.CloseIdleConnections()
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", target.Redacted(), response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeySetBytes {
		return nil, fmt.Errorf("%s answers more than %d bytes", target.Redacted(), maxKeySetBytes)
	}
	return data, nil
}

// checkRedirect lets nobody lead us off TLS or to another kind of URL.
func checkRedirect(next *http.Request, before []*http.Request) error {
	switch {
	case len(before) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case !isHTTP(next.URL), before[0].URL.Scheme == "https" && next.URL.Scheme != "https":
		return errors.New("a redirect to where no key set is fetched from")
	}
	return nil
}

func isHTTP(target *url.URL) bool {
	return target.Host != "" && (target.Scheme == "http" || target.Scheme == "https")
}
