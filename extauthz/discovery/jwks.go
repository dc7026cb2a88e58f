// Package discovery owns the documents by which others learn how to verify our
// tokens. They are public: they are served without a client certificate and
// hold nothing that a stranger may not see.
package discovery

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/certbearer/certbearer/extauthz/signer"
)

// JWKSPath is where the key set is served.
const JWKSPath = "/.well-known/jwks.json"

// contentType is not the application/jwk-set+json of RFC 7517 section 8.5.2:
// verifiers that look at the type at all ask for application/json, which a key
// set is as well, and so the large issuers send it.
const contentType = "application/json"

// JWKS serves the JSON Web Key Set (RFC 7517 section 5) to GET and HEAD.
//
// keys returns the published set at each call; while it returns nil, the answer
// is 503 and must not be stored. maxAge is how long others may keep the set, in
// whole seconds; a negative one counts as 0. It has to be shorter than the time
// for which a new key is published before it signs, or tokens of a new key meet
// verifiers that do not know it. The ETag is strong and depends on nothing but
// the keys, so replicas agree on it.
func JWKS(keys func() *signer.Keys, maxAge time.Duration) http.Handler {
	caching := maxAgeOf(maxAge)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refusedMethod(w, r) {
			return
		}
		set := keys().JWKS()
		if set == nil {
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable)
			return
		}
		publish(w, r, set, caching)
	})
}

func maxAgeOf(age time.Duration) string {
	return "public, max-age=" + strconv.FormatInt(int64(max(age, 0)/time.Second), 10)
}

func refusedMethod(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	w.Header().Set("Allow", "GET, HEAD")
	refuse(w, http.StatusMethodNotAllowed)
	return true
}

// conditional is the request with no header but If-None-Match: nobody needs a
// part of a key set, and every other condition ends in an answer of its own.
func conditional(r *http.Request) *http.Request {
	return &http.Request{Method: r.Method, Header: http.Header{"If-None-Match": r.Header["If-None-Match"]}}
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}

func entityTag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`
}
