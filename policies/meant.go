package policies

import "strings"

// meant is added to the problem of a field that there is not, where it is known what
// was meant. Nothing of what stands there is quoted.
func meant(name string) string {
	word := bare(name)
	if strings.HasPrefix(name, "_") { // carries extensions of the field
		return ""
	}
	for _, known := range []string{
		"resourceType", "id", "status", "name", "certificateTrustStore", "tokenEndpointAuthMethod", "tlsClientAuth", "spiffe", "defaultScope", "scope",
		"audience", "introspects", "certificatePolicies", "certificateProfile", "grantType", "accessTokenLifetime",
		"tlsClientCertificateBoundAccessTokens", "mode", "revocation",
	} {
		if bare(known) == word {
			return didYouMean(known)
		}
	}
	// RFC 8705 2.1.2 has names of its own for what tlsClientAuth holds.
	for _, kind := range tlsClientAuth.kinds {
		if member := kind.String(); bare(member) == strings.TrimPrefix(word, "tlsclientauth") {
			return didYouMean(`tlsClientAuth: {"` + member + `": …}`)
		}
	}
	switch word {
	case "profile":
		return didYouMean("certificateProfile")
	case "policy", "policies", "certificatepolicy":
		return didYouMean("certificatePolicies")
	case "clientid":
		return didYouMean("id")
	case "truststore", "trustedca", "certificates":
		return didYouMean("certificateTrustStore")
	case "spiffeid":
		return didYouMean("spiffe: " + spiffe.such)
	case "trustdomain", "spiffetrustdomain":
		return didYouMean(`spiffe: {"trustDomain": "td.example"}`)
	case "revocationmode":
		return didYouMean("revocation: " + suchRevocation)
	case "crl", "crls", "locations", "revocationlocations":
		return didYouMean(`revocation: {"mode": "soft", "locations": ["http://ca.example/clients.crl"]}`)
	}
	return ""
}

func didYouMean(known string) string { return " (did you mean " + known + "?)" }

// bare is a name without what people vary in it.
func bare(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}
