package extauthz_test

import (
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// The bytes of a message cannot hold the pinned certificate, which is made anew
// each time, so none of them may be let through but to what is public, and there
// without a token.
func FuzzCheck(f *testing.F) {
	s := newSite(f, func(c *extauthz.Config) { c.Routes = byPath(f) })
	s.pin(f, "lab", selfSigned(f, testca.Template{CommonName: "lab"}))
	s.put(f, "by-ca", map[string]any{
		"certificateTrustStore": storeOf(selfSigned(f, testca.Template{CommonName: "CA", CA: true})),
	})
	stranger := selfSigned(f, testca.Template{CommonName: "lab"})
	named := requestFrom(stranger)
	named.Attributes.ContextExtensions = map[string]string{"certbearer.route": "api"}
	public, disguised := requestFrom(nil), requestFrom(nil)
	httpOf(public).Path, httpOf(disguised).Path = "/public/x?y=/..#/admin", "/public/%2e%2e/%61dmin;x"
	for _, seed := range []*authv3.CheckRequest{
		{}, requestFrom(nil), requestFrom(stranger), named, public, disguised,
		with(requestFrom(stranger), "x-forwarded-client-cert", xfcc(stranger, stranger)),
		with(requestFrom(nil), "authorization", "Bearer x"),
	} {
		message, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		var request authv3.CheckRequest
		if proto.Unmarshal(message, &request) != nil {
			return // gRPC refuses it before it is ours
		}
		got := check(t.Context(), t, s, &request)
		if !got.Allowed {
			return
		}
		_, token := got.headers["authorization"]
		byName := request.GetAttributes().GetContextExtensions()["certbearer.route"] == "public"
		path := httpOf(&request).GetPath()
		if end := strings.IndexAny(path, "?#"); end >= 0 {
			path = path[:end]
		}
		if token || !byName && routeOf(leniently(path)) != "public" {
			t.Errorf("let through: %v", &request)
		}
	})
}
