package discovery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MetadataPath begins the path at which metadata is served; the path of an issuer
// that has one follows (RFC 8414 section 3.1).
const MetadataPath = "/.well-known/oauth-authorization-server"

// metadataMaxAge is how long others may keep metadata: it changes with the
// configuration, which takes a restart.
const metadataMaxAge = 5 * time.Minute

// Server is what metadata says of the authorization server.
type Server struct {
	// Issuer is iss, an https URL.
	Issuer string
	// Origin is where the endpoints stand, MTLSOrigin where they do for clients with
	// certificates; empty where that is the same.
	Origin     string
	MTLSOrigin string
	// TokenPath and the like are the endpoints' paths.
	TokenPath, IntrospectPath, RevokePath string
	// AuthMethods are the methods by which clients authenticate at each of them.
	AuthMethods []string
}

// metadata is RFC 8414 section 2. Members without a value are left out.
type metadata struct {
	Issuer                string            `json:"issuer"`
	TokenEndpoint         string            `json:"token_endpoint"`
	JWKSURI               string            `json:"jwks_uri"`
	IntrospectionEndpoint string            `json:"introspection_endpoint"`
	RevocationEndpoint    string            `json:"revocation_endpoint"`
	ResponseTypes         []string          `json:"response_types_supported"`
	GrantTypes            []string          `json:"grant_types_supported"`
	TokenAuth             []string          `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuth     []string          `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth        []string          `json:"revocation_endpoint_auth_methods_supported"`
	BoundTokens           bool              `json:"tls_client_certificate_bound_access_tokens"`
	Aliases               map[string]string `json:"mtls_endpoint_aliases,omitempty"`
}

// document writes the metadata. response_types_supported is required, and arrays
// without elements are to be left out: for a server that has no authorization
// endpoint both cannot be kept, and [] is what clients take.
func (s Server) document() ([]byte, error) {
	document := metadata{
		Issuer:                s.Issuer,
		TokenEndpoint:         s.Origin + s.TokenPath,
		JWKSURI:               s.Origin + JWKSPath,
		IntrospectionEndpoint: s.Origin + s.IntrospectPath,
		RevocationEndpoint:    s.Origin + s.RevokePath,
		ResponseTypes:         []string{},
		GrantTypes:            []string{"client_credentials"},
		TokenAuth:             s.AuthMethods,
		IntrospectionAuth:     s.AuthMethods,
		RevocationAuth:        s.AuthMethods,
		BoundTokens:           true,
	}
	if s.MTLSOrigin != "" && s.MTLSOrigin != s.Origin {
		document.Aliases = map[string]string{
			"token_endpoint":         s.MTLSOrigin + s.TokenPath,
			"introspection_endpoint": s.MTLSOrigin + s.IntrospectPath,
			"revocation_endpoint":    s.MTLSOrigin + s.RevokePath,
		}
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("discovery: encoding the metadata: %w", err)
	}
	return text, nil
}

// MetadataPathOf is where the metadata of an issuer is (RFC 8414 section 3.1).
func MetadataPathOf(issuer string) (string, error) {
	parsed, err := url.Parse(issuer)
	if err != nil {
		return "", fmt.Errorf("discovery: the issuer is no URL")
	}
	return MetadataPath + strings.TrimSuffix(parsed.EscapedPath(), "/"), nil
}

// Metadata serves the metadata to GET and HEAD.
func Metadata(s Server) (http.Handler, error) {
	text, err := s.document()
	if err != nil {
		return nil, err
	}
	caching := maxAgeOf(metadataMaxAge)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refusedMethod(w, r) {
			return
		}
		publish(w, r, text, caching)
	}), nil
}

// publish answers with a document that everyone may keep.
func publish(w http.ResponseWriter, r *http.Request, text []byte, caching string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", caching)
	w.Header().Set("ETag", entityTag(text))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, conditional(r), "", time.Time{}, bytes.NewReader(text))
}
