package extauthz_test

import (
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// The bytes of a message cannot hold the pinned certificate, which is made anew
// each time, so none of them may be let through.
func FuzzCheck(f *testing.F) {
	s := newSite(f, nil)
	s.pin(f, "lab", selfSigned(f, testca.Template{CommonName: "lab"}))
	s.put(f, "by-ca", map[string]any{
		"certificateTrustStore": storeOf(selfSigned(f, testca.Template{CommonName: "CA", CA: true})),
	})
	stranger := selfSigned(f, testca.Template{CommonName: "lab"})
	named := requestFrom(stranger)
	named.Attributes.ContextExtensions = map[string]string{"certbearer.route": "api"}
	for _, seed := range []*authv3.CheckRequest{
		{}, requestFrom(nil), requestFrom(stranger), named,
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
		if got := check(t.Context(), t, s, &request); got.Allowed {
			t.Errorf("let through: %v", &request)
		}
	})
}
