package config

import (
	"fmt"
	"slices"
	"strings"
)

// misplaced says where a key belongs that has a place elsewhere than in the mapping
// at path, "" where nobody knows. What concerns one client stands in its document, and
// is often looked for here.
func misplaced(path, name string) string {
	inner, _ := likeOneOf(name, "mode", "locations", "hosts")
	kept, _ := likeOneOf(name, "directory", "allow", "refresh", "quota", "wait")
	switch {
	case inner != "" && (path == "revocation" || path == "revocations"):
		return "each client has its own: write revocation with its " + inner + eachDocument
	case kept != "" && path == "revocations":
		return "revocations is about tokens of our own; for certificates that a CA has revoked write revocation." + kept
	case path == "revocation" && name == "file":
		return "revocation is about certificates; for revoked tokens of our own write revocations.file"
	case path != "" && name == "revocation":
		return "each client has its own: write revocation with its mode" + eachDocument
	case path == "" && slices.Contains([]string{"crl", "crls", "ocsp"}, strings.ToLower(name)):
		return "for certificates that a CA has revoked write revocation"
	case path != "" && path != "clients" && !strings.HasPrefix(path, "routes["):
		return "" // a status there is that of something else
	}
	if field, found := likeOneOf(name, "resourceType", "status", "certificateTrustStore", "tokenEndpointAuthMethod", "tlsClientAuth", "spiffe",
		"defaultScope", "scope", "certificatePolicies", "certificateProfile", "introspects", "grantType", "accessTokenLifetime",
		"tlsClientCertificateBoundAccessTokens"); found {
		return "each client has its own: write " + field + eachDocument
	}
	return ""
}

const eachDocument = " into the client's document, in the folder clients.directory"

// likeOneOf returns the known name that differs from the given one in capitals,
// hyphens and underscores at most.
func likeOneOf(name string, known ...string) (string, bool) {
	if i := slices.IndexFunc(known, func(one string) bool { return bare(one) == bare(name) }); i >= 0 {
		return known[i], true
	}
	return "", false
}

func bare(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}

// noMapping says what belongs at path instead of what was got, and shows it where
// something else is likely to be written.
func noMapping(path, got string) string {
	switch {
	case path == "revocation":
		return "want a mapping such as {directory: crls}, got " + got + "; " + misplaced(path, "mode")
	case strings.HasPrefix(path, "revocation.allow["):
		return "want a mapping such as {addresses: [10.0.0.7], ports: [80]}, got " + got
	}
	return "want a mapping, got " + got
}

// parseProfile knows the profiles of certificates too, which are another matter.
func parseProfile(text string) (Profile, error) {
	profile, err := oneOf([]Profile{ProfileNone, ProfileFAPI2})(text)
	if err != nil && (text == "strict" || text == "compatible") {
		err = fmt.Errorf("%w; for what form certificates must have, %s", err, misplaced("", "certificateProfile"))
	}
	return profile, err
}
