package subrequest

import (
	"io"
	"net/http"
	"strings"

	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// removeHeader names the headers that Envoy takes off a request that is allowed.
const removeHeader = "X-Envoy-Auth-Headers-To-Remove"

// readPrefixed reads a check of Envoy's, which is the client's request with Path
// before its path. All of it but the evidence is the client's choice.
func readPrefixed(r *http.Request) (wire.Request, error) {
	request := described(r)
	request.Method, request.Host = r.Method, r.Host
	if request.Host == "" {
		return request, decision.Denyf(decision.RequestMalformed, "host", "is empty")
	}
	if err := request.SetTarget(strings.TrimPrefix(r.RequestURI, Path), "path"); err != nil {
		return request, err
	}
	if climbs(request.Path) {
		return request, decision.Denyf(decision.PathAmbiguous, "path", "it has dots that lead out of %s: have the proxy normalise paths", Path)
	}
	return request, nil
}

// climbs reports dots by which a path could lead elsewhere than to a check. nginx
// takes /authz/../oauth2/token for /oauth2/token, and passes it on as it came: a
// client whom it leads to an endpoint of ours would be answered with a token that is
// for an upstream alone.
func climbs(path string) bool {
	for segment := range strings.SplitSeq(asResolved.Replace(path), "/") {
		if name, _, _ := strings.Cut(segment, ";"); name == ".." {
			return true
		}
	}
	return false
}

// asResolved decodes what takes part in the resolving of dots.
var asResolved = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/", `\`, "/")

func allowPrefixed(w http.ResponseWriter, _ *http.Request, a wire.Allowance) {
	setAll(w, a.Set)
	w.Header().Set(removeHeader, strings.Join(a.Remove, ","))
	w.WriteHeader(http.StatusOK)
}

// refusePrefixed never answers with a 5xx. To Envoy's HTTP service that is a failure
// of ours and no refusal, which failure_mode_allow lets pass; 429 is the status
// beside it that says when to come again (RFC 6585 section 4).
func refusePrefixed(w http.ResponseWriter, refusal wire.Refusal) {
	setAll(w, refusal.Headers)
	status := refusal.Status.HTTP()
	if status >= http.StatusInternalServerError {
		status = http.StatusTooManyRequests
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, refusal.Body) // whoever asked has gone
}
