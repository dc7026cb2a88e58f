package extauthz_test

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestAPinnedCertificateGetsATokenOfItsClient(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	route := apiRoute()
	route.Scope = []string{"system/Patient.rs", "system/Secret.rs"}
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, route) })
	s.put(t, "lab-partner", map[string]any{
		"certificateTrustStore": storeOf(pinned), "scope": []string{"system/Patient.rs", "system/Claim.c"},
	})
	before := time.Now().Truncate(time.Second)
	got := check(t.Context(), t, s, requestFrom(pinned))
	text, claims := got.token(t)
	issued, _ := claims["iat"].(float64)
	if at := time.Unix(int64(issued), 0); at.Before(before) || at.After(time.Now()) {
		t.Errorf("iat is %v", at)
	}
	thumbprint := pinned.Thumbprint()
	want := map[string]any{
		"iss": issuer, "sub": "lab-partner", "client_id": "lab-partner", "aud": audience, "scope": "system/Patient.rs",
		"iat": issued, "exp": issued + 300, "jti": claims["jti"], "token_use": "injected",
		"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:])},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"authorization"}, slices.Collect(maps.Keys(got.headers))); diff != "" {
		t.Errorf("headers set (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x-forwarded-client-cert", "certbearer-statement"}, got.GetOkResponse().GetHeadersToRemove()); diff != "" {
		t.Errorf("headers removed (-want +got)\n%s", diff)
	}
	for range 2 {
		if again, _ := check(t.Context(), t, s, requestFrom(pinned)).token(t); again != text {
			t.Error("a later check got another token")
		}
	}
	if minted, reused := s.count(t, "certbearer_tokens_minted_total", ""), s.count(t, "certbearer_tokens_reused_total", ""); minted != 1 || reused != 2 {
		t.Errorf("%v minted, %v reused", minted, reused)
	}
}

func TestWhatARouteWithoutCertificatesLetsThrough(t *testing.T) {
	public := extauthz.Route{Name: "public", Match: extauthz.Match{PathPrefix: "/public"}, Access: extauthz.AccessPublic, Inbound: extauthz.InboundReplace}
	preflight := extauthz.Route{Name: "preflight", Access: extauthz.AccessPreflight}
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, public, preflight, apiRoute()) })
	for name, test := range map[string]struct {
		change func(*authv3.CheckRequest)
		want   string
	}{
		"a public path": {func(r *authv3.CheckRequest) { httpOf(r).Path = "/public/x" }, "allowed_public"},
		"a public path with an Authorization that is taken off": {func(r *authv3.CheckRequest) {
			httpOf(with(r, "authorization", "Bearer x")).Path = "/public/x"
		}, "allowed_public"},
		"a preflight": {func(r *authv3.CheckRequest) {
			httpOf(with(with(r, "origin", "https://app.example"), "access-control-request-method", "POST")).Method = "OPTIONS"
		}, "allowed_preflight"},
	} {
		t.Run(name, func(t *testing.T) {
			request := requestFrom(nil)
			test.change(request)
			got := check(t.Context(), t, s, request)
			if got.Reason != test.want || !got.Allowed || len(got.headers) != 0 {
				t.Errorf("%s with headers %v", got.inWords(), got.headers)
			}
			if diff := cmp.Diff([]string{"authorization", "x-forwarded-client-cert", "certbearer-statement"}, got.GetOkResponse().GetHeadersToRemove()); diff != "" {
				t.Errorf("headers removed (-want +got)\n%s", diff)
			}
		})
	}
}

func TestEveryStepRefuses(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	other := selfSigned(t, testca.Template{CommonName: "other"})
	elsewhere, named := apiRoute(), apiRoute()
	elsewhere.Name, elsewhere.Audience, elsewhere.Match.PathPrefix = "elsewhere", "https://other.example", "/elsewhere"
	named.Name, named.ClientID, named.Match.PathPrefix = "named", "lab-partner", "/named"
	preflight := extauthz.Route{Name: "preflight", Access: extauthz.AccessPreflight}
	uncovered := apiRoute()
	uncovered.Match.Methods = []string{"GET"}
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, preflight, elsewhere, named, uncovered) })
	s.pin(t, "lab-partner", pinned)
	s.pin(t, "other", other)
	for name, test := range map[string]struct {
		leaf   *testca.Issued
		change func(*authv3.CheckRequest)
		want   string
	}{
		"nothing is wrong":                    {pinned, func(*authv3.CheckRequest) {}, "allowed"},
		"no attributes":                       {pinned, func(r *authv3.CheckRequest) { r.Attributes = nil }, "400 request_malformed"},
		"no HTTP request":                     {pinned, func(r *authv3.CheckRequest) { r.Attributes.Request = nil }, "400 request_malformed"},
		"a method that no route covers":       {pinned, func(r *authv3.CheckRequest) { httpOf(r).Method = "POST" }, "403 route_unmatched"},
		"an ambiguous path":                   {pinned, func(r *authv3.CheckRequest) { httpOf(r).Path = "/a/../b" }, "400 path_ambiguous"},
		"a certbearer key that is unknown":    {pinned, extension("certbearer.mode", "shadow"), "503 context_extension_unknown"},
		"a preflight's route for a GET":       {pinned, extension("certbearer.route", "preflight"), "403 preflight_expected"},
		"the caller's own Authorization":      {pinned, func(r *authv3.CheckRequest) { with(r, "authorization", "Basic eDp5") }, "401 authorization_refused"},
		"an Authorization that is empty":      {pinned, func(r *authv3.CheckRequest) { with(r, "authorization", "") }, "401 authorization_refused"},
		"no certificate":                      {nil, func(*authv3.CheckRequest) {}, "401 certificate_missing"},
		"a certificate that is none":          {pinned, func(r *authv3.CheckRequest) { r.Attributes.Source.Certificate = "x" }, "401 certificate_malformed"},
		"evidence without end":                {pinned, func(r *authv3.CheckRequest) { r.Attributes.Source.Certificate += strings.Repeat("A", 64<<10) }, "401 evidence_too_large"},
		"a route of another client":           {other, func(r *authv3.CheckRequest) { httpOf(r).Path = "/named/x" }, "401 client_conflict"},
		"a route of a client, and a stranger": {selfSigned(t, testca.Template{CommonName: "lab"}), func(r *authv3.CheckRequest) { httpOf(r).Path = "/named/x" }, "401 certificate_not_pinned"},
		"an audience that is not theirs":      {pinned, func(r *authv3.CheckRequest) { httpOf(r).Path = "/elsewhere/x" }, "403 audience_not_allowed"},
		"a certificate that nobody pinned":    {selfSigned(t, testca.Template{CommonName: "lab"}), func(*authv3.CheckRequest) {}, "401 client_unknown"},
		"a principal is no certificate":       {nil, func(r *authv3.CheckRequest) { r.Attributes.Source.Principal = "lab-partner" }, "401 certificate_missing"},
		"a certificate in the wrong header":   {nil, func(r *authv3.CheckRequest) { with(r, "x-forwarded-client-cert", xfcc(pinned)) }, "401 certificate_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			request := requestFrom(test.leaf)
			test.change(request)
			got := check(t.Context(), t, s, request)
			if diff := cmp.Diff(test.want, got.inWords()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if text := got.String(); !got.Allowed && strings.Contains(text, "Bearer ey") {
				t.Errorf("a refusal has a token: %s", text)
			}
		})
	}
}

func extension(key, value string) func(*authv3.CheckRequest) {
	return func(r *authv3.CheckRequest) { r.Attributes.ContextExtensions = map[string]string{key: value} }
}

func TestAnAuthorizationOfTheCallersOwnIsOverwrittenWhereTheRouteSaysSo(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	route := apiRoute()
	route.Inbound = extauthz.InboundReplace
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, route) })
	s.pin(t, "lab-partner", pinned)
	_, claims := check(t.Context(), t, s, with(requestFrom(pinned), "authorization", "Bearer theirs")).token(t)
	if claims["iss"] != issuer {
		t.Errorf("iss %v", claims["iss"])
	}
}

func TestWhatIsNotThereYet(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	t.Run("without clients nobody is let through", func(t *testing.T) {
		got := check(t.Context(), t, newSite(t, nil), requestFrom(pinned))
		if got.inWords() != "503 not_ready" {
			t.Errorf("got %s", got.inWords())
		}
	})
	t.Run("without a key that signs nobody is let through", func(t *testing.T) {
		s := newSite(t, nil)
		s.pin(t, "lab-partner", pinned)
		s.useKeys(t, laterKey{newKey(t)})
		if got := check(t.Context(), t, s, requestFrom(pinned)); got.inWords() != "503 signing_key_missing" {
			t.Errorf("got %s", got.inWords())
		}
	})
}

// laterKey does not sign yet.
type laterKey struct{ *testKey }

func (laterKey) SignsFrom() time.Time { return time.Now().Add(time.Hour) }

func TestAnErrorThatIsNoDenialRefuses(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.key.before = func() error { return errors.New("the key service is down") }
	s.pin(t, "lab-partner", pinned)
	got := check(t.Context(), t, s, requestFrom(pinned))
	if got.inWords() != "503 internal_error" || got.headers["retry-after"] != "1" {
		t.Errorf("got %s, %v", got.inWords(), got.headers)
	}
	if strings.Contains(got.String(), "key service") {
		t.Errorf("the caller learns why: %v", got.CheckResponse)
	}
	record := s.records(t)[0]
	if record["detail"] != "tokens: signing: the key service is down" || record["client"] != "lab-partner" {
		t.Errorf("record %v", record)
	}
	if record["token_id"] != nil {
		t.Error("the record names a token that nobody got")
	}
}

func TestACheckWhoseTimeIsOverIsRefused(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", pinned)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := check(ended, t, s, requestFrom(pinned)); got.inWords() != "503 deadline_exceeded" {
		t.Errorf("got %s", got.inWords())
	}
	if s.config.Tokens.Len() != 0 {
		t.Error("a token was made for nobody")
	}
}

func TestAServerThatLacksSomethingIsNotMade(t *testing.T) {
	whole := newSite(t, nil).config
	for name, test := range map[string]struct {
		change func(*extauthz.Config)
		want   string
	}{
		"State":                           {func(c *extauthz.Config) { c.State = nil }, "are required"},
		"Routes":                          {func(c *extauthz.Config) { c.Routes = nil }, "are required"},
		"Authenticator":                   {func(c *extauthz.Config) { c.Authenticator = nil }, "are required"},
		"Tokens":                          {func(c *extauthz.Config) { c.Tokens = nil }, "are required"},
		"Audit":                           {func(c *extauthz.Config) { c.Audit = nil }, "are required"},
		"Metrics":                         {func(c *extauthz.Config) { c.Metrics = nil }, "are required"},
		"an issuer":                       {func(c *extauthz.Config) { c.Issuer = "" }, "issuer is empty"},
		"a lifetime":                      {func(c *extauthz.Config) { c.InjectedTokenLifetime = time.Second - 1 }, "cannot be made"},
		"room for any check":              {func(c *extauthz.Config) { c.InFlight = 0 }, "0 checks at once"},
		"a lifetime that tokens may have": {func(c *extauthz.Config) { c.InjectedTokenLifetime = tokens.MaxLifetime + time.Second }, "cannot be made"},
	} {
		t.Run(name, func(t *testing.T) {
			config := whole
			test.change(&config)
			server, err := extauthz.NewServer(config)
			if server != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %v", server, err)
			}
		})
	}
	if _, err := extauthz.NewServer(whole); err != nil {
		t.Error(err)
	}
}

func TestTheProxyLearnsTheReasonTheClientAndTheRoute(t *testing.T) {
	pinned := selfSigned(t, testca.Template{CommonName: "lab", NotAfter: time.Now().Add(-time.Minute)})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", pinned)
	got := check(t.Context(), t, s, requestFrom(pinned))
	want := map[string]any{"reason": "certificate_expired", "client": "lab-partner", "route": "api"}
	if diff := cmp.Diff(want, got.GetDynamicMetadata().AsMap()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	got.wantDenied(t, decision.CertificateExpired)
}
