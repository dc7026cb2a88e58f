package tokenendpoint

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
)

const (
	// MaxBodyBytes bounds the body of a request: the largest token, and what stands
	// beside it.
	MaxBodyBytes = 32 << 10
	// maxParameters bounds the parameters in it.
	maxParameters = 50
	formType      = "application/x-www-form-urlencoded"
)

// form holds the parameters of a request's body. Those without a value are not in
// it: they count as left out (RFC 6749 section 3.2).
type form map[string][]string

func (f form) get(name string) string {
	if values := f[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// readForm takes a body of the one type there is (RFC 6749 section 4.4.2). A
// parameter may stand once (section 3.2); only resource may be repeated (RFC 8707
// section 2). What stands in the query is not read.
func readForm(r *http.Request) (form, error) {
	types := r.Header["Content-Type"]
	if len(types) != 1 {
		return nil, decision.Denyf(decision.ParameterInvalid, "content-type", "stands %d times", len(types))
	}
	if kind, _, err := mime.ParseMediaType(types[0]); err != nil || kind != formType {
		return nil, decision.Denyf(decision.ParameterInvalid, "content-type", "is not %s", formType)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBodyBytes+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge) || len(body) > MaxBodyBytes:
		return nil, decision.Denyf(decision.BodyTooLarge, "body", "has more than %d bytes", MaxBodyBytes)
	case err != nil:
		return nil, decision.Denyf(decision.ParameterInvalid, "body", "could not be read to its end")
	}
	return parseForm(string(body))
}

// parseForm never quotes its input: there may be secrets in it.
func parseForm(body string) (form, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, decision.Denyf(decision.ParameterInvalid, "body", "has more than %d parameters", maxParameters)
	}
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, decision.Denyf(decision.ParameterInvalid, "body", "is not form-urlencoded")
	}
	f := make(form, len(values))
	for name, all := range values {
		if len(all) > 1 && name != "resource" {
			return nil, decision.Denyf(decision.ParameterInvalid, shown(name), "stands %d times", len(all))
		}
		for _, value := range all {
			if value != "" {
				f[name] = append(f[name], value)
			}
		}
	}
	return f, nil
}

// shown is a parameter's name if it is one that we know.
func shown(name string) string {
	switch name {
	case "client_id", "client_secret", "client_assertion", "client_assertion_type", "grant_type", "scope", "token", "token_type_hint":
		return name
	}
	return "a parameter"
}
