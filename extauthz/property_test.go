package extauthz_test

import (
	"net/url"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"pgregory.net/rapid"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// Whatever the host, the path, the headers and the evidence look like, what is
// let through presented a pinned certificate and nothing of its own making.
func TestPeerFault_NoRequestMakesADenialAnAllow(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	twin := selfSigned(t, testca.Template{CommonName: "lab"})
	admin := apiRoute()
	admin.Name, admin.Match.PathPrefix, admin.Match.Host = "admin", "/admin", "*.example"
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, admin, apiRoute()) })
	s.pin(t, "lab", pinned)
	gen := hostile(pinned, twin)
	rapid.Check(t, func(rt *rapid.T) {
		request := gen.Draw(rt, "request")
		got := check(t.Context(), rt, s, request)
		if !got.Allowed {
			return
		}
		_, own := httpOf(request).GetHeaders()["authorization"]
		presented, err := url.PathUnescape(request.GetAttributes().GetSource().GetCertificate())
		if err != nil || strings.TrimSpace(presented) != strings.TrimSpace(string(pinned.PEM())) || own {
			rt.Fatalf("let through: %v", request)
		}
		if text := got.headers["authorization"]; len(text) < len("Bearer eyJ") {
			rt.Fatalf("let through with the header %q", text)
		}
	})
}

// hostile draws requests near the one that is allowed.
func hostile(pinned, twin *testca.Issued) *rapid.Generator[*authv3.CheckRequest] {
	encoded := pinned.URLEncodedPEM()
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "OK", "200", "0", "\r\n", "%00", "../..", "certbearer"}))
	certificate := rapid.OneOf(
		rapid.SampledFrom([]string{"", encoded, encoded, twin.URLEncodedPEM(), encoded + twin.URLEncodedPEM(), string(pinned.PEM()), " " + encoded}),
		rapid.Map(rapid.IntRange(0, len(encoded)-1), func(cut int) string { return encoded[:cut] }),
		text,
	)
	header := rapid.OneOf(text, rapid.SampledFrom([]string{xfcc(pinned), xfcc(twin), xfcc(pinned, pinned, twin), chainOf(pinned)}))
	names := rapid.SampledFrom([]string{"authorization", "x-forwarded-client-cert", "origin", "access-control-request-method", "x-request-id", "host", ":path", ""})
	extensions := rapid.MapOfN(rapid.SampledFrom([]string{"certbearer.route", "certbearer.x", "route"}),
		rapid.SampledFrom([]string{"api", "admin", "public", ""}), 0, 1)
	path := rapid.OneOf(text, rapid.SampledFrom([]string{"/", "/admin", "/Patient/1", "/admin/../x", "/%61dmin", "/?a=b", "/#x", "*"}))
	return rapid.Custom(func(t *rapid.T) *authv3.CheckRequest {
		request := requestFrom(nil)
		request.Attributes.Source.Certificate = certificate.Draw(t, "certificate")
		request.Attributes.Source.Principal = text.Draw(t, "principal")
		if rapid.Bool().Draw(t, "extensions") {
			request.Attributes.ContextExtensions = extensions.Draw(t, "extensions")
		}
		http := httpOf(request)
		http.Method = rapid.SampledFrom([]string{"GET", "OPTIONS", "CONNECT", "", "get"}).Draw(t, "method")
		http.Host = rapid.OneOf(text, rapid.SampledFrom([]string{"api.example", "API.example.:443"})).Draw(t, "host")
		http.Path = path.Draw(t, "path")
		for name, value := range rapid.MapOfN(names, header, 0, 3).Draw(t, "headers") {
			http.Headers[name] = value
		}
		return request
	})
}
