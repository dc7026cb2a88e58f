package policies

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// maxListed bounds scopes and audiences of a client.
const maxListed = 200

// readScopes takes scope tokens as RFC 6749 3.3 has them.
func readScopes(value json.RawMessage, into *[]string) *Fault {
	if fault := readTexts(value, into); fault != nil {
		return fault
	}
	if len(*into) > maxListed {
		return &Fault{Problem: fmt.Sprintf("has more than %d values", maxListed)}
	}
	for i, scope := range *into {
		if !validScope(scope) {
			return &Fault{Problem: fmt.Sprintf("value %d is no scope token (RFC 6749 3.3): 1 to 256 of printable ASCII without space, quote and backslash", i+1)}
		}
	}
	return nil
}

func validScope(scope string) bool {
	for _, c := range []byte(scope) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return scope != "" && len(scope) <= 256
}

// readAudience takes resources as RFC 8707 2 has them: absolute, no fragment.
func readAudience(value json.RawMessage, into *[]string) *Fault {
	if fault := readTexts(value, into); fault != nil {
		return fault
	}
	if len(*into) > maxListed {
		return &Fault{Problem: fmt.Sprintf("has more than %d values", maxListed)}
	}
	for i, audience := range *into {
		parsed, err := url.Parse(audience)
		// The empty fragment of "https://a#" does not show in parsed.
		if err != nil || !parsed.IsAbs() || strings.Contains(audience, "#") || len(audience) > 1024 {
			return &Fault{Problem: fmt.Sprintf("value %d is no absolute URI without a fragment (RFC 8707 2)", i+1)}
		}
	}
	return nil
}
