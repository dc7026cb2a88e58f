package extauthz_test

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

// ownToken is one of lab-partner's, as the token endpoint makes it.
func (s *site) ownToken(t testing.TB, leaf *testca.Issued, change func(*tokens.Request)) tokens.Token {
	t.Helper()
	at := time.Now()
	request := tokens.Request{
		Issuer: issuer, ClientID: "lab-partner", Audience: audience, Scope: []string{"a", "b"}, Thumbprint: leaf.Thumbprint(), Use: tokens.UseAccess,
		Typ: tokens.TypAccessToken, Lifetime: time.Hour, NotAfter: at.AddDate(1, 0, 0), At: at,
	}
	if change != nil {
		change(&request)
	}
	token, err := tokens.Mint(t.Context(), s.key, request)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func inboundRoute(name string, inbound extauthz.InboundAuthorization) extauthz.Route {
	route := apiRoute()
	route.Name, route.Inbound, route.Match.PathPrefix = name, inbound, "/"+name
	return route
}

// to changes where a request goes, the query included.
func to(request *authv3.CheckRequest, path string) *authv3.CheckRequest {
	httpOf(request).Path = path
	return request
}

// foreignToken is somebody else's.
func foreignToken() string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","kid":"theirs"}`)) + "." + encode([]byte(`{"iss":"https://other.example"}`)) + ".c2ln"
}

func TestWhatBecomesOfAnAuthorization(t *testing.T) {
	leaf, other, off := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "other"}), selfSigned(t, testca.Template{CommonName: "off"})
	elsewhere := inboundRoute("elsewhere", extauthz.InboundVerify)
	elsewhere.Audience = "https://other.example"
	named := inboundRoute("named", extauthz.InboundVerify)
	named.ClientID = "other"
	s := newSite(t, func(c *extauthz.Config) {
		c.Routes = newRoutes(t, inboundRoute("verify", extauthz.InboundVerify), inboundRoute("pass", extauthz.InboundPass), inboundRoute("reject", extauthz.InboundReject),
			inboundRoute("replace", extauthz.InboundReplace), elsewhere, named)
	})
	s.put(t, "lab-partner", map[string]any{"certificateTrustStore": storeOf(leaf), "audience": []string{audience, "https://other.example"}, "scope": []string{"a", "b"}})
	s.put(t, "other", map[string]any{"certificateTrustStore": storeOf(other), "audience": []string{audience, "https://other.example"}})
	s.put(t, "off", map[string]any{"certificateTrustStore": storeOf(off), "status": "off"})
	own := s.ownToken(t, leaf, nil).Value.Reveal()
	changed := func(change func(*tokens.Request)) string { return s.ownToken(t, leaf, change).Value.Reveal() }
	injected := changed(func(r *tokens.Request) { r.Use = tokens.UseInjected })
	statement, err := peercert.SignStatement(peercert.StatementKey{ID: "a", Secret: []byte("b")}, peercert.Evidence{Leaf: leaf.Certificate}, issuer+"/oauth2/token", "POST", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("a:b"))
	type test struct {
		leaf          *testca.Issued
		path          string
		authorization string // "-": none
		want          string
	}
	tests := map[string]test{
		"none is verified":                                      {leaf, "/verify", "-", "allowed"},
		"our own is verified":                                   {leaf, "/verify", "Bearer " + own, "allowed"},
		"our own, the scheme in other case":                     {leaf, "/verify", "bEARER " + own, "allowed"},
		"our own after two spaces":                              {leaf, "/verify", "Bearer  " + own, "allowed"},
		"our own without a space":                               {leaf, "/verify", "Bearer" + own, "401 authorization_refused"},
		"our own without a scheme":                              {leaf, "/verify", own, "401 authorization_refused"},
		"our own after a tab":                                   {leaf, "/verify", "Bearer\t" + own, "401 authorization_refused"},
		"our own and a space":                                   {leaf, "/verify", "Bearer " + own + " ", "401 authorization_refused"},
		"our own of another scheme":                             {leaf, "/verify", "DPoP " + own, "401 authorization_refused"},
		"our own twice, joined by the proxy":                    {leaf, "/verify", "Bearer " + own + ",Bearer " + own, "401 authorization_refused"},
		"our own and another, joined":                           {leaf, "/verify", "Bearer " + own + ", " + basic, "401 authorization_refused"},
		"a password is not verified":                            {leaf, "/verify", basic, "401 authorization_refused"},
		"an empty one":                                          {leaf, "/verify", "", "401 authorization_refused"},
		"a scheme alone":                                        {leaf, "/verify", "Bearer ", "401 authorization_refused"},
		"somebody else's":                                       {leaf, "/verify", "Bearer " + foreignToken(), "401 token_malformed"},
		"text that is no token":                                 {leaf, "/verify", "Bearer abc", "401 token_malformed"},
		"one that was injected":                                 {leaf, "/verify", "Bearer " + injected, "401 token_type_wrong"},
		"a statement":                                           {leaf, "/verify", "Bearer " + statement, "401 token_type_wrong"},
		"our own at another audience":                           {leaf, "/elsewhere", "Bearer " + own, "401 token_audience_wrong"},
		"our own for another audience":                          {leaf, "/verify", "Bearer " + changed(func(r *tokens.Request) { r.Audience = "https://other.example" }), "401 token_audience_wrong"},
		"our own of another issuer":                             {leaf, "/verify", "Bearer " + changed(func(r *tokens.Request) { r.Issuer = "https://other.example" }), "401 token_issuer_wrong"},
		"our own that has expired":                              {leaf, "/verify", "Bearer " + changed(func(r *tokens.Request) { r.At = r.At.Add(-2 * time.Hour) }), "401 token_expired"},
		"our own that is to come":                               {leaf, "/verify", "Bearer " + changed(func(r *tokens.Request) { r.At = r.At.Add(time.Minute) }), "401 token_not_yet_valid"},
		"our own with another's certificate":                    {other, "/verify", "Bearer " + own, "401 token_binding_mismatch"},
		"our own with no certificate":                           {nil, "/verify", "Bearer " + own, "401 token_without_certificate"},
		"our own that is changed":                               {leaf, "/verify", "Bearer " + own[:len(own)-6] + "AAAAAA", "401 token_signature_invalid"},
		"our own of a client that is off":                       {off, "/verify", "Bearer " + changed(func(r *tokens.Request) { r.ClientID, r.Thumbprint = "off", off.Thumbprint() }), "401 client_inactive"},
		"our own of a client that is gone":                      {leaf, "/verify", "Bearer " + changed(func(r *tokens.Request) { r.ClientID = "gone" }), "401 client_unknown"},
		"our own of a client whose certificate it is not":       {leaf, "/verify", "Bearer " + changed(func(r *tokens.Request) { r.ClientID = "other" }), "401 certificate_not_pinned"},
		"our own of another client than the route's":            {leaf, "/named", "Bearer " + changed(func(r *tokens.Request) { r.Audience = audience }), "401 client_conflict"},
		"our own, with somebody's certificate beside the token": {other, "/named", "Bearer " + own, "401 token_binding_mismatch"},

		"none passes":                                          {leaf, "/pass", "-", "allowed"},
		"our own is verified where others pass":                {leaf, "/pass", "Bearer " + own, "allowed"},
		"somebody else's passes":                               {leaf, "/pass", "Bearer " + foreignToken(), "allowed_foreign"},
		"a password passes":                                    {leaf, "/pass", basic, "allowed_foreign"},
		"text passes":                                          {leaf, "/pass", "Bearer abc", "allowed_foreign"},
		"an empty one passes":                                  {leaf, "/pass", "", "allowed_foreign"},
		"none passes without a certificate":                    {nil, "/pass", "Bearer " + foreignToken(), "401 certificate_missing"},
		"one that was injected does not pass":                  {leaf, "/pass", "Bearer " + injected, "401 token_type_wrong"},
		"our own does not pass with another's certificate":     {other, "/pass", "Bearer " + own, "401 token_binding_mismatch"},
		"our own does not pass when it has expired":            {leaf, "/pass", "Bearer " + changed(func(r *tokens.Request) { r.At = r.At.Add(-2 * time.Hour) }), "401 token_expired"},
		"our own does not pass under another scheme":           {other, "/pass", "DPoP " + own, "401 authorization_refused"},
		"our own does not pass without a scheme":               {other, "/pass", own, "401 authorization_refused"},
		"our own does not pass after a tab":                    {other, "/pass", "Bearer\t" + own, "401 authorization_refused"},
		"our own does not pass beside another":                 {other, "/pass", "Bearer " + foreignToken() + ",Bearer " + own, "401 authorization_refused"},
		"our own does not pass in quotes":                      {other, "/pass", `Bearer token="` + own + `"`, "401 token_malformed"},
		"one that names our key does not pass":                 {leaf, "/pass", "Bearer " + strings.Split(own, ".")[0] + ".e30.c2ln", "401 token_signature_invalid"},
		"one that names us does not pass, whoever has made it": {leaf, "/pass", "Bearer e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+issuer+`"}`)) + ".c2ln", "401 token_malformed"},

		"none is not rejected":                       {leaf, "/reject", "-", "allowed"},
		"our own is rejected":                        {leaf, "/reject", "Bearer " + own, "401 authorization_refused"},
		"somebody else's is rejected":                {leaf, "/reject", "Bearer " + foreignToken(), "401 authorization_refused"},
		"our own is replaced":                        {leaf, "/replace", "Bearer " + own, "allowed"},
		"our own of another's is replaced":           {other, "/replace", "Bearer " + own, "allowed"},
		"somebody else's is replaced":                {leaf, "/replace", "Bearer " + foreignToken(), "allowed"},
		"it does not replace a certificate":          {nil, "/replace", "Bearer " + own, "401 certificate_missing"},
		"a token in the query":                       {leaf, "/verify?access_token=" + own, "-", "400 token_in_query"},
		"a token in the query beside a good one":     {leaf, "/verify?access_token=" + own, "Bearer " + own, "400 token_in_query"},
		"somebody else's in the query":               {leaf, "/verify?a=b&access_token=x", "-", "400 token_in_query"},
		"none in the query, by its name":             {leaf, "/verify?access_token", "-", "400 token_in_query"},
		"a token under a name that is encoded":       {leaf, "/verify?%61ccess%5Ftoken=x", "-", "400 token_in_query"},
		"a token behind a semicolon":                 {leaf, "/verify?a=b;access_token=x", "-", "400 token_in_query"},
		"a name that only begins like a token's":     {leaf, "/verify?access_tokens=x&xaccess_token=y&my=access_token", "-", "allowed"},
		"a name that cannot be decoded":              {leaf, "/verify?access_token%zz=x&%=y", "-", "allowed"},
		"a token in the query where all is replaced": {leaf, "/replace?access_token=x", "-", "400 token_in_query"},
		"a token in the query where it is rejected":  {leaf, "/reject?access_token=x", "-", "400 token_in_query"},
		"somebody else's in the query passes":        {leaf, "/pass?access_token=" + foreignToken(), "-", "allowed"},
		"our own in the query does not pass":         {leaf, "/pass?access_token=" + own, "-", "400 token_in_query"},
		"our own in the query, encoded, neither":     {leaf, "/pass?access_token=" + strings.ReplaceAll(own, "J", "%4A"), "-", "400 token_in_query"},
		"our own in the query, in quotes, neither":   {leaf, "/pass?access_token=" + url.QueryEscape(`"`+own+`"`), "-", "400 token_in_query"},
	}
	for _, sentence := range slices.Sorted(maps.Keys(tests)) {
		test := tests[sentence]
		t.Run(sentence, func(t *testing.T) {
			request := to(requestFrom(test.leaf), test.path)
			if test.authorization != "-" {
				with(request, "authorization", test.authorization)
			}
			got := check(t.Context(), t, s, request)
			if got.inWords() != test.want {
				t.Fatalf("%s", got.inWords())
			}
			switch removed := got.GetOkResponse().GetHeadersToRemove(); {
			case got.Reason == "allowed":
				if text, claims := got.token(t); claims["token_use"] != "injected" || text == own {
					t.Errorf("the upstream gets %v", claims)
				}
			case got.Reason == "allowed_foreign":
				if len(got.headers) != 0 || slices.Contains(removed, "authorization") {
					t.Errorf("set %v, removed %v", got.headers, removed)
				}
			case got.Status == 401 && !strings.HasPrefix(got.headers["www-authenticate"], "Bearer"):
				t.Errorf("WWW-Authenticate %q", got.headers["www-authenticate"])
			}
			if strings.HasPrefix(test.want, "401 token_") && got.headers["www-authenticate"] != `Bearer error="invalid_token"` {
				t.Errorf("WWW-Authenticate %q", got.headers["www-authenticate"])
			}
		})
	}
	s.close(t)
	for what, hidden := range map[string]string{"token": own, "injected token": injected, "signature": strings.Split(own, ".")[2], "somebody else's token": foreignToken(), "statement": statement} {
		if strings.Contains(s.output.String(), hidden) {
			t.Errorf("a record has the %s", what)
		}
	}
}

func TestARevokedTokenIsRefusedAtOnce(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, inboundRoute("verify", extauthz.InboundVerify)) })
	s.pin(t, "lab-partner", leaf)
	token := s.ownToken(t, leaf, nil)
	request := func() *authv3.CheckRequest {
		return with(to(requestFrom(leaf), "/verify"), "authorization", "Bearer "+token.Value.Reveal())
	}
	if got := check(t.Context(), t, s, request()); got.inWords() != "allowed" {
		t.Fatalf("%s", got.inWords())
	}
	s.holder.Publish(func(current state.State) state.State {
		current.Revoked = tokens.NewRevoked(tokens.Revocation{ID: token.ID, Expires: token.Expires})
		return current
	})
	if got := check(t.Context(), t, s, request()); got.inWords() != "401 token_revoked" {
		t.Errorf("%s", got.inWords())
	}
}

func TestWithoutKeysATokenIsNotCalledInvalid(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, inboundRoute("verify", extauthz.InboundVerify)) })
	s.pin(t, "lab-partner", leaf)
	token := s.ownToken(t, leaf, nil).Value.Reveal()
	s.holder.Publish(func(current state.State) state.State {
		current.Keys = nil
		return current
	})
	if got := check(t.Context(), t, s, with(to(requestFrom(leaf), "/verify"), "authorization", "Bearer "+token)); got.inWords() != "503 not_ready" {
		t.Errorf("%s", got.inWords())
	}
}

// Envoy may send headers one by one, where two of a name are two.
func TestTwoAuthorizationsAreNone(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, func(c *extauthz.Config) {
		c.Routes = newRoutes(t, inboundRoute("verify", extauthz.InboundVerify), inboundRoute("pass", extauthz.InboundPass))
	})
	s.pin(t, "lab-partner", leaf)
	own := "Bearer " + s.ownToken(t, leaf, nil).Value.Reveal()
	for sentence, test := range map[string]struct {
		path   string
		values []string
		want   string
	}{
		"two of ours":                            {"/verify", []string{own, own}, "401 authorization_refused"},
		"two of somebody else's pass not either": {"/pass", []string{"Bearer a", "Basic Yjpj"}, "401 authorization_refused"},
		"ours beside somebody else's passes not": {"/pass", []string{"Bearer a", own}, "401 authorization_refused"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := check(t.Context(), t, s, withHeaderMap(to(requestFrom(leaf), test.path), "authorization", test.values...)); got.inWords() != test.want {
				t.Errorf("%s", got.inWords())
			}
		})
	}
}

func TestATokenNarrowsTheScopesOfTheInjectedOne(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	for sentence, test := range map[string]struct {
		client, byDefault, route, token []string
		want                            string // "-": 403
	}{
		"to what it has of the route's":                    {[]string{"a", "b", "c"}, nil, []string{"a", "b"}, []string{"b", "c"}, "b"},
		"to what the client still has":                     {[]string{"a"}, nil, []string{"a", "b"}, []string{"a", "b"}, "a"},
		"to its own where the route has none":              {[]string{"a", "b"}, []string{"a", "b"}, nil, []string{"b"}, "b"},
		"to its own, though they are not the default":      {[]string{"a", "b"}, []string{"a"}, nil, []string{"b"}, "b"},
		"to none where it has none and the route has none": {[]string{"a", "b"}, []string{"a"}, nil, nil, ""},
		"and is refused where it has none of the route's":  {[]string{"a", "b"}, nil, []string{"a"}, []string{"b"}, "-"},
		"and is refused where it has none":                 {[]string{"a"}, nil, []string{"a"}, nil, "-"},
		"and is refused where the client has lost them":    {[]string{"b"}, nil, []string{"a"}, []string{"a"}, "-"},
	} {
		t.Run(sentence, func(t *testing.T) {
			route := inboundRoute("verify", extauthz.InboundVerify)
			route.Scope = test.route
			s := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, route) })
			fields := map[string]any{"certificateTrustStore": storeOf(leaf), "scope": test.client}
			if test.byDefault != nil {
				fields["defaultScope"] = test.byDefault
			}
			s.put(t, "lab-partner", fields)
			token := s.ownToken(t, leaf, func(r *tokens.Request) { r.Scope = test.token }).Value.Reveal()
			got := check(t.Context(), t, s, with(to(requestFrom(leaf), "/verify"), "authorization", "Bearer "+token))
			if test.want == "-" {
				got.wantDenied(t, decision.ScopeInsufficient)
				if want := `Bearer error="insufficient_scope", scope="` + strings.Join(test.route, " ") + `"`; got.Status != 403 || got.headers["www-authenticate"] != want {
					t.Errorf("%d, WWW-Authenticate %q", got.Status, got.headers["www-authenticate"])
				}
				return
			}
			_, claims := got.token(t)
			if scope, _ := claims["scope"].(string); scope != test.want {
				t.Errorf("scope %q", scope)
			}
		})
	}
}

func TestAPublicRouteReadsNoAuthorization(t *testing.T) {
	for name, inbound := range map[string]extauthz.InboundAuthorization{"verify": extauthz.InboundVerify, "pass": extauthz.InboundPass, "replace": extauthz.InboundReplace} {
		t.Run(name, func(t *testing.T) {
			route := extauthz.Route{Name: "public", Access: extauthz.AccessPublic, Inbound: inbound}
			public := newSite(t, func(c *extauthz.Config) { c.Routes = newRoutes(t, route) })
			got := check(t.Context(), t, public, with(to(requestFrom(nil), "/x?access_token=y"), "authorization", "Bearer garbage"))
			if got.inWords() != "allowed_public" || len(got.headers) != 0 || !slices.Contains(got.GetOkResponse().GetHeadersToRemove(), "authorization") {
				t.Errorf("%s: %v", got.inWords(), got.CheckResponse)
			}
		})
	}
}

// endpointSite has a route to our own endpoints, and statement keys.
func endpointSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, func(c *extauthz.Config) {
		c.Routes = newRoutes(t, extauthz.Route{Name: "endpoints", Access: extauthz.AccessEndpoint, Match: extauthz.Match{PathPrefix: "/oauth2"}}, apiRoute())
		c.EndpointOrigin, c.EndpointPaths = issuer, []string{"/oauth2/token", "/oauth2/revoke"}
		c.EndpointHosts = []string{"api.example"}
	})
	s.useStatementKeys(t)
	return s
}

func TestAnEndpointIsToldWhichCertificateWasProven(t *testing.T) {
	root := selfSigned(t, testca.Template{CommonName: "Root", CA: true})
	near := issue(t, root, testca.Template{CommonName: "Near", CA: true})
	leaf := issue(t, near, testca.Template{CommonName: "nobody's"})
	s := endpointSite(t)
	request := with(to(requestFrom(leaf), "/oauth2/token?x=y"), "x-forwarded-client-cert", xfcc(leaf, leaf, near))
	with(request, peercert.StatementHeader, "the caller's own")
	with(request, "authorization", "Basic eDp5")
	httpOf(request).Method = "POST"
	got := check(t.Context(), t, s, request)
	if got.inWords() != "allowed_endpoint" {
		t.Fatalf("%s", got.inWords())
	}
	if diff := cmp.Diff([]string{peercert.StatementHeader}, slices.Collect(maps.Keys(got.headers))); diff != "" {
		t.Errorf("headers set (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x-forwarded-client-cert"}, got.GetOkResponse().GetHeadersToRemove()); diff != "" {
		t.Errorf("headers removed (-want +got)\n%s", diff)
	}
	reader, err := peercert.NewReader(peercert.Config{From: peercert.Statement})
	if err != nil {
		t.Fatal(err)
	}
	evidence, err := reader.Read(peercert.Presented{
		Header: func(string) []string { return []string{got.headers[peercert.StatementHeader]} },
		Statement: &peercert.StatementTerms{
			Key: func(id string) ([]byte, bool) {
				key, known := s.holder.Load().Statement.ByID(id, time.Now())
				return key.Secret[:], known
			},
			Endpoint: issuer + "/oauth2/token", Method: "POST", At: time.Now(),
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if evidence.Thumbprint != leaf.Thumbprint() || len(evidence.Intermediates) != 1 || !evidence.Intermediates[0].Equal(near.Certificate) {
		t.Errorf("%+v", evidence)
	}
	record := s.records(t)[0]
	if record["reason"] != "allowed_endpoint" || record["decision"] != "allow" || record["client"] != nil || record["token_id"] != nil || record["subject"] != "CN=nobody's" {
		t.Errorf("%v", record)
	}
	if strings.Contains(s.output.String(), strings.Split(got.headers[peercert.StatementHeader], ".")[2]) {
		t.Error("the record has the statement")
	}
}

// An upstream may have an endpoint of the same path. It gets no statement, unless
// the proxy's own configuration says that the request leads to us.
func TestAStatementIsForRequestsThatLeadToUs(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	for sentence, test := range map[string]struct {
		host, named, want string
	}{
		"a host of ours":                      {"api.example", "", "allowed_endpoint"},
		"a host of ours, written another way": {"API.example.:8443", "", "allowed_endpoint"},
		"another host":                        {"fhir.example", "", "403 route_unmatched"},
		"another host, and the proxy knows":   {"fhir.example", "endpoints", "allowed_endpoint"},
		"no host":                             {"", "", "403 route_unmatched"},
	} {
		t.Run(sentence, func(t *testing.T) {
			request := to(requestFrom(leaf), "/oauth2/token")
			httpOf(request).Host = test.host
			if test.named != "" {
				request.Attributes.ContextExtensions = map[string]string{"certbearer.route": test.named}
			}
			if got := check(t.Context(), t, endpointSite(t), request); got.inWords() != test.want || (len(got.headers) == 1) != (test.want == "allowed_endpoint") && got.Allowed {
				t.Errorf("%s, %v", got.inWords(), got.headers)
			}
		})
	}
}

func TestAnEndpointIsToldNothingWhereNothingIsProven(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	many := testca.Template{CommonName: "many"}
	for i := range 1000 {
		many.DNSNames = append(many.DNSNames, strings.Repeat("a", 20)+string(rune('a'+i%26))+".example")
	}
	for sentence, test := range map[string]struct {
		leaf   *testca.Issued
		change func(*site, *authv3.CheckRequest)
		field  string // of the record
	}{
		"no certificate":                     {nil, func(*site, *authv3.CheckRequest) {}, "source.certificate"},
		"a certificate that is none":         {leaf, func(_ *site, r *authv3.CheckRequest) { r.Attributes.Source.Certificate = "x" }, "source.certificate"},
		"evidence that is too large to sign": {selfSigned(t, many), func(*site, *authv3.CheckRequest) {}, peercert.StatementHeader},
		"no key to sign it with": {leaf, func(s *site, _ *authv3.CheckRequest) {
			s.holder.Publish(func(current state.State) state.State {
				current.Statement = nil
				return current
			})
		}, "statement key"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := endpointSite(t)
			request := with(to(requestFrom(test.leaf), "/oauth2/token"), peercert.StatementHeader, "the caller's own")
			test.change(s, request)
			got := check(t.Context(), t, s, request)
			if got.inWords() != "allowed_endpoint" || len(got.headers) != 0 {
				t.Fatalf("%s, %v", got.inWords(), got.headers)
			}
			if diff := cmp.Diff([]string{"x-forwarded-client-cert", peercert.StatementHeader}, got.GetOkResponse().GetHeadersToRemove()); diff != "" {
				t.Errorf("headers removed (-want +got)\n%s", diff)
			}
			if record := s.records(t)[0]; record["field"] != test.field || record["reason"] != "allowed_endpoint" {
				t.Errorf("%v", record)
			}
		})
	}
}

// The proxy leads only the endpoints' very paths to us. Whatever else a route of
// theirs covers would reach the upstream, with nobody asked for a certificate.
func TestAPathThatIsNoEndpointIsNotLetThrough(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := endpointSite(t)
	for _, path := range []string{"/oauth2", "/oauth2/", "/oauth2/other", "/oauth2/token/", "/oauth2/token/x", "/oauth2/introspect", "/oauth2/token/x?/oauth2/token", "/oauth2/Token"} {
		for _, certificate := range []*testca.Issued{nil, leaf} {
			if got := check(t.Context(), t, s, to(requestFrom(certificate), path)); got.inWords() != "403 route_unmatched" {
				t.Errorf("%s: %s", path, got.inWords())
			}
		}
	}
}

func TestACallersOwnStatementGoesNowhere(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := endpointSite(t)
	s.pin(t, "lab-partner", leaf)
	got := check(t.Context(), t, s, with(requestFrom(leaf), peercert.StatementHeader, "the caller's own"))
	if got.inWords() != "allowed" || !slices.Contains(got.GetOkResponse().GetHeadersToRemove(), peercert.StatementHeader) {
		t.Errorf("%s: %v", got.inWords(), got.CheckResponse)
	}
}

// FuzzAuthorization sends any Authorization and query with a certificate that
// another client's token is not bound to: no token of ours gets through to the
// upstream, wherever it stands.
func FuzzAuthorization(f *testing.F) {
	leaf, other := selfSigned(f, testca.Template{CommonName: "lab"}), selfSigned(f, testca.Template{CommonName: "other"})
	s := newSite(f, func(c *extauthz.Config) {
		c.Routes = newRoutes(f, inboundRoute("verify", extauthz.InboundVerify), inboundRoute("pass", extauthz.InboundPass))
	})
	s.pin(f, "lab-partner", leaf)
	s.pin(f, "other", other)
	own := s.ownToken(f, leaf, nil).Value.Reveal()
	for _, authorization := range []string{"Bearer TOKEN", "bearer\tTOKEN", "TOKEN", "Basic eDp5", "Bearer a,Bearer TOKEN", `DPoP "TOKEN"`, "", " ", "Bearer a.b.c"} {
		for _, query := range []string{"", "access_token=TOKEN", "a=b&%61ccess_token=%22TOKEN%22", "a;access_token=TOKEN"} {
			f.Add(authorization, query, true)
		}
	}
	f.Fuzz(func(t *testing.T, authorization, query string, pass bool) {
		path := "/verify"
		if pass {
			path = "/pass"
		}
		place := func(text string) string { return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "TOKEN", own) }
		request := with(to(requestFrom(other), path+"?"+place(query)), "authorization", place(authorization))
		got := check(t.Context(), t, s, request)
		if !got.Allowed {
			return
		}
		if !pass {
			t.Errorf("verified: %q", authorization)
		}
		if alone := strings.FieldsFunc(place(authorization), func(r rune) bool { return strings.ContainsRune(" \t\",;=", r) }); slices.Contains(alone, own) {
			t.Errorf("passed: %q", authorization)
		}
	})
}
