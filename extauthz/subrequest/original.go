package subrequest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// The headers in which nginx describes the request in question. Its configuration
// sets each of them, which also takes off what the client sends by that name.
const (
	originalMethod = "X-Original-Method" // $request_method
	originalURI    = "X-Original-Uri"    // $request_uri, as it was sent
	originalHost   = "X-Original-Host"   // $host
)

// refusalHeader holds the body of a refusal, because nginx throws away the one that
// it gets.
const refusalHeader = "Certbearer-Body"

const (
	// maxMethodBytes is above every registered method.
	maxMethodBytes = 32
	// maxHostBytes is above every name with a port (RFC 1035 section 2.3.4).
	maxHostBytes = 300
)

// readOriginal reads a subrequest of nginx's. It is made with GET, whatever the
// method of the request in question is. A description that lacks something, or has
// it twice, is refused: the configuration does not set it, and so a client could.
func readOriginal(r *http.Request) (wire.Request, error) {
	request := described(r)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return request, decision.Denyf(decision.RequestMalformed, "method", "%.20q: nginx asks with GET", r.Method)
	}
	var target string
	for _, part := range []struct {
		name string
		most int
		to   *string
	}{
		{originalMethod, maxMethodBytes, &request.Method},
		{originalHost, maxHostBytes, &request.Host},
		{originalURI, wire.MaxPathBytes, &target},
	} {
		values := r.Header[part.name]
		switch {
		case len(values) != 1 || values[0] == "":
			return request, decision.Denyf(decision.RequestMalformed, strings.ToLower(part.name), "stands %d times: the proxy has to set it, once", len(values))
		case len(values[0]) > part.most:
			return request, decision.Denyf(decision.RequestMalformed, strings.ToLower(part.name), "has more than %d bytes", part.most)
		}
		*part.to = values[0]
	}
	if !strings.HasPrefix(target, "/") {
		return request, decision.Denyf(decision.RequestMalformed, strings.ToLower(originalURI), "is no path")
	}
	return request, request.SetTarget(target, strings.ToLower(originalURI))
}

// allowOriginal answers with the headers that the request is to have. Authorization
// is always said: the caller's own where it is to stay, and none where it is not,
// because nginx takes it from this answer alone.
func allowOriginal(w http.ResponseWriter, r *http.Request, a wire.Allowance) {
	setAll(w, a.Set)
	isAuthorization := func(name string) bool { return strings.EqualFold(name, "authorization") }
	isSet := slices.ContainsFunc(a.Set, func(h wire.Header) bool { return isAuthorization(h.Name) })
	if !isSet && !slices.ContainsFunc(a.Remove, isAuthorization) {
		w.Header()["Authorization"] = slices.Clone(r.Header["Authorization"])
	}
	w.WriteHeader(http.StatusOK)
}

// refuseOriginal answers with the status that it is. nginx passes on 401 and 403,
// and makes a 500 of all others.
func refuseOriginal(w http.ResponseWriter, refusal wire.Refusal) {
	setAll(w, refusal.Headers)
	w.Header().Set(refusalHeader, refusal.Body)
	w.WriteHeader(refusal.Status.HTTP())
}
