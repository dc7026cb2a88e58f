// Package subrequest answers proxies that ask over HTTP whether a request may pass:
// nginx by auth_request, Envoy and Istio by their HTTP service for external
// authorization. It makes a [wire.Request] of what they send, has it decided, and
// writes the answer as each of them understands it.
//
// The path says in which dialect a proxy speaks, and nothing else does. Exactly
// [Path] is nginx's, and the request in question stands in headers that nginx's
// configuration sets. What is below [Path] is Envoy's, which puts [Path] before the
// client's own path and takes over method and host; so a client chooses the rest of
// the path, and can make it anything but nothing.
//
// Who calls is settled before: only a proven proxy gets here, and it may be lied to
// by its clients in everything but what it sets itself.
package subrequest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/certbearer/certbearer/extauthz/wire"
)

// Path is where checks are asked for: the path itself, and every one below it.
const Path = "/authz"

// Config is what a Handler is made of. All of it is required.
type Config struct {
	// Decide takes a request through the steps of a check. read makes it; its error
	// is a Denial.
	Decide func(ctx context.Context, read func() (wire.Request, error)) wire.Response
	// RequestID is the request's handle for the caller and the operator.
	RequestID func(*http.Request) string
}

// IsCheck reports that a request is for the Handler: by its target as it was sent,
// without decoding anything of it, and without a query for [Path] itself.
func IsCheck(r *http.Request) bool { return dialectOf(r) != nil }

// Handler answers checks. Every other request is a 404.
func Handler(config Config) (http.Handler, error) {
	if config.Decide == nil || config.RequestID == nil {
		return nil, errors.New("subrequest: Decide and RequestID are required")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		speaks := dialectOf(r)
		if speaks == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		response := config.Decide(r.Context(), func() (wire.Request, error) {
			request, err := speaks.read(r)
			request.ID = config.RequestID(r)
			return request, err
		})
		if allowance, allowed := response.Allowance(); allowed {
			speaks.allow(w, r, allowance)
			return
		}
		speaks.refuse(w, response.Refusal())
	}), nil
}

// dialect is how a kind of proxy asks and is answered. The body of what it sends is
// never read.
type dialect struct {
	read   func(*http.Request) (wire.Request, error)
	allow  func(http.ResponseWriter, *http.Request, wire.Allowance)
	refuse func(http.ResponseWriter, wire.Refusal)
}

// dialectOf returns the dialect of a check, nil for a request that is none. It looks
// at the target alone: all else is, or may be, a client's.
func dialectOf(r *http.Request) *dialect {
	switch {
	case r.RequestURI == Path:
		return &dialect{readOriginal, allowOriginal, refuseOriginal}
	case strings.HasPrefix(r.RequestURI, Path+"/"):
		return &dialect{readPrefixed, allowPrefixed, refusePrefixed}
	}
	return nil
}

// described is what both dialects have in common.
func described(r *http.Request) wire.Request {
	var request wire.Request
	request.Header = func(name string) []string { return r.Header[http.CanonicalHeaderKey(name)] }
	return request
}

func setAll(w http.ResponseWriter, headers []wire.Header) {
	for _, header := range headers {
		w.Header().Set(header.Name, header.Value)
	}
}
