package tokenendpoint_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestAClientGetsATokenByItsCertificate(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, map[string]any{"defaultScope": []string{"system/Patient.rs"}, "scope": []string{"system/Patient.rs", "system/Claim.c"}})
	before := time.Now().Truncate(time.Second)
	got := do(t, s, leaf, tokenendpoint.TokenPath, grant("lab-partner"))
	text, _ := got.JSON["access_token"].(string)
	want := map[string]any{"token_type": "Bearer", "expires_in": 3600.0, "scope": "system/Patient.rs", "access_token": text}
	if diff := cmp.Diff(want, got.JSON); diff != "" || got.status != http.StatusOK {
		t.Fatalf("%s (-want +got)\n%s", got.inWords(), diff)
	}
	wantNotStored(t, got)
	claims := s.claims(t, text)
	issued, _ := claims["iat"].(float64)
	if at := time.Unix(int64(issued), 0); at.Before(before) || at.After(time.Now()) {
		t.Errorf("iat is %v", at)
	}
	thumbprint := leaf.Thumbprint()
	wantClaims := map[string]any{
		"iss": issuer, "sub": "lab-partner", "client_id": "lab-partner", "aud": audience, "scope": "system/Patient.rs",
		"iat": issued, "exp": issued + 3600, "jti": claims["jti"], "token_use": "access",
		"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:])},
	}
	if diff := cmp.Diff(wantClaims, claims); diff != "" {
		t.Errorf("claims (-want +got)\n%s", diff)
	}
	if again := s.token(t, leaf, "lab-partner"); again == text {
		t.Error("a second request gets the same token")
	}
}

func wantNotStored(t *testing.T, got answer) {
	t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"} {
		if diff := cmp.Diff([]string{want}, got.header[name]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if got.body != "" && got.header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
	}
}

func TestScopesAreNarrowedOrRefused(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, map[string]any{"defaultScope": []string{"b"}, "scope": []string{"a", "b", "c"}})
	plain := selfSigned(t, testca.Template{CommonName: "plain"})
	s.pin(t, "plain", plain, nil)
	for sentence, test := range map[string]struct {
		leaf  *testca.Issued
		id    string
		asked []string // nil: no parameter
		want  string   // "Bad Request …": refused
	}{
		"the default without a question":           {leaf, "lab-partner", nil, "b"},
		"the default where the question is empty":  {leaf, "lab-partner", []string{"scope", ""}, "b"},
		"what is asked for":                        {leaf, "lab-partner", []string{"scope", "a"}, "a"},
		"in the order in which it is asked for":    {leaf, "lab-partner", []string{"scope", "c a"}, "c a"},
		"each once":                                {leaf, "lab-partner", []string{"scope", "c a c a"}, "c a"},
		"nothing where there is nothing":           {plain, "plain", nil, ""},
		"no scope for who has none":                {plain, "plain", []string{"scope", "a"}, "Bad Request invalid_scope"},
		"nothing beyond the client's":              {leaf, "lab-partner", []string{"scope", "a d"}, "Bad Request invalid_scope"},
		"no scope of another case":                 {leaf, "lab-partner", []string{"scope", "A"}, "Bad Request invalid_scope"},
		"no scope with a quote":                    {leaf, "lab-partner", []string{"scope", `a"`}, "Bad Request invalid_scope"},
		"no scopes with two spaces between":        {leaf, "lab-partner", []string{"scope", "a  b"}, "Bad Request invalid_scope"},
		"no scopes with a tab between":             {leaf, "lab-partner", []string{"scope", "a\tb"}, "Bad Request invalid_scope"},
		"no scopes with a space before":            {leaf, "lab-partner", []string{"scope", " a"}, "Bad Request invalid_scope"},
		"no single space":                          {leaf, "lab-partner", []string{"scope", " "}, "Bad Request invalid_scope"},
		"no scopes with a comma between":           {leaf, "lab-partner", []string{"scope", "a,b"}, "Bad Request invalid_scope"},
		"no scopes in two parameters":              {leaf, "lab-partner", []string{"scope", "a", "scope", "b"}, "Bad Request invalid_request"},
		"no scopes of a number that nobody has":    {leaf, "lab-partner", []string{"scope", strings.Repeat("x ", 10000)}, "Bad Request invalid_scope"},
		"each once, however often it is asked for": {leaf, "lab-partner", []string{"scope", strings.Repeat("a ", 10000) + "a"}, "a"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := do(t, s, test.leaf, tokenendpoint.TokenPath, grant(test.id, test.asked...))
			if got.status != http.StatusOK {
				if got.inWords() != test.want {
					t.Errorf("%s", got.inWords())
				}
				return
			}
			scope, there := got.JSON["scope"].(string)
			text, _ := got.JSON["access_token"].(string)
			inToken, thereToo := s.claims(t, text)["scope"].(string)
			if scope != test.want || inToken != test.want || there != (test.want != "") || thereToo != there {
				t.Errorf("scope %q, in the token %q, want %q", scope, inToken, test.want)
			}
		})
	}
}

func TestATokenIsForOneResource(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	const other = "https://other.example/api"
	for sentence, test := range map[string]struct {
		own       []string // of the document
		byDefault string
		asked     []string
		want      string // "": refused with invalid_target
	}{
		"the default without a question":                 {nil, audience, nil, audience},
		"the default where it is asked for":              {nil, audience, []string{audience}, audience},
		"the default where the question is empty":        {nil, audience, []string{""}, audience},
		"no other than the default":                      {nil, audience, []string{other}, ""},
		"one of the client's":                            {[]string{audience, other}, audience, []string{other}, other},
		"the default, which is one of the client's":      {[]string{audience, other}, audience, nil, audience},
		"the one that the client has":                    {[]string{other}, audience, nil, other},
		"not the default, where it is not the client's":  {[]string{other}, audience, []string{audience}, ""},
		"none of several, of which none is the default":  {[]string{other, "https://third.example"}, audience, nil, ""},
		"none of several without a default":              {[]string{audience, other}, "", nil, ""},
		"the one that the client has, without a default": {[]string{other}, "", nil, other},
		"none where nobody has one":                      {nil, "", nil, ""},
		"none that is asked for where nobody has one":    {nil, "", []string{audience}, ""},
		"not two":                                         {[]string{audience, other}, audience, []string{audience, other}, ""},
		"one that is asked for twice":                     {nil, audience, []string{audience, audience}, audience},
		"one beside an empty question":                    {nil, audience, []string{"", audience}, audience},
		"none with a fragment":                            {nil, audience, []string{audience + "#a"}, ""},
		"none with an empty fragment":                     {nil, audience, []string{audience + "#"}, ""},
		"none that is relative":                           {nil, audience, []string{"/R4"}, ""},
		"none that is relative, though it is the default": {nil, "api", []string{"api"}, ""},
		"none with a slash more":                          {nil, audience, []string{audience + "/"}, ""},
		"none of another case":                            {nil, audience, []string{strings.ToUpper(audience)}, ""},
		"none that is no URI":                             {nil, audience, []string{"https://[", "x"}, ""},
		"a URN":                                           {[]string{"urn:example:api"}, audience, []string{"urn:example:api"}, "urn:example:api"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newSite(t, func(c *tokenendpoint.Config) { c.DefaultAudience = test.byDefault })
			fields := map[string]any{}
			if test.own != nil {
				fields["audience"] = test.own
			}
			s.pin(t, "lab-partner", leaf, fields)
			values := grant("lab-partner")
			if test.asked != nil {
				values["resource"] = test.asked
			}
			got := do(t, s, leaf, tokenendpoint.TokenPath, values)
			if test.want == "" {
				if got.inWords() != "Bad Request invalid_target" {
					t.Errorf("%s", got.inWords())
				}
				return
			}
			text, _ := got.JSON["access_token"].(string)
			if got.status != http.StatusOK || s.claims(t, text)["aud"] != test.want {
				t.Errorf("%s", got.inWords())
			}
		})
	}
}

func TestTheLifeOfATokenIsTheClientsAndEndsWithItsCertificate(t *testing.T) {
	for sentence, test := range map[string]struct {
		lifetime string
		notAfter time.Duration // from now
		want     float64       // seconds, or less by the time that passes
	}{
		"an hour where nothing is said":  {"", 24 * time.Hour, 3600},
		"what the document says":         {"10m", 24 * time.Hour, 600},
		"a day at most":                  {"2d", 100 * time.Hour, 86400},
		"no longer than the certificate": {"1h", 10 * time.Minute, 600},
	} {
		t.Run(sentence, func(t *testing.T) {
			leaf := selfSigned(t, testca.Template{CommonName: "lab", NotAfter: time.Now().Add(test.notAfter)})
			s := newSite(t, nil)
			fields := map[string]any{}
			if test.lifetime != "" {
				fields["accessTokenLifetime"] = test.lifetime
			}
			s.pin(t, "lab-partner", leaf, fields)
			got := do(t, s, leaf, tokenendpoint.TokenPath, grant("lab-partner"))
			text, _ := got.JSON["access_token"].(string)
			life, _ := got.JSON["expires_in"].(float64)
			if life > test.want || life < test.want-60 {
				t.Errorf("expires_in %v, want %v", life, test.want)
			}
			claims := s.claims(t, text)
			exp, _ := claims["exp"].(float64)
			iat, _ := claims["iat"].(float64)
			if exp-iat != life || int64(exp) > leaf.Certificate.NotAfter.Unix() {
				t.Errorf("expires_in %v of a token from %v to %v, by a certificate until %v", life, iat, exp, leaf.Certificate.NotAfter)
			}
		})
	}
}

func TestTheGrantIsTheOneAndTheClientMayUseIt(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	for sentence, test := range map[string]struct {
		grants []string // of the document; nil: not said
		asked  string   // "-": no parameter
		want   string
	}{
		"client_credentials":                             {nil, "client_credentials", "OK"},
		"client_credentials where the document lists it": {[]string{"authorization_code", "client_credentials"}, "client_credentials", "OK"},
		"client_credentials where the list is empty":     {[]string{}, "client_credentials", "OK"},
		"not where the document lists others":            {[]string{"authorization_code"}, "client_credentials", "Bad Request unauthorized_client"},
		"no other grant":                                 {nil, "authorization_code", "Bad Request unsupported_grant_type"},
		"no other grant, though the document lists it":   {[]string{"authorization_code"}, "authorization_code", "Bad Request unsupported_grant_type"},
		"no grant of another case":                       {nil, "Client_Credentials", "Bad Request unsupported_grant_type"},
		"no token exchange":                              {nil, "urn:ietf:params:oauth:grant-type:token-exchange", "Bad Request unsupported_grant_type"},
		"not without a grant":                            {nil, "-", "Bad Request invalid_request"},
		"not with an empty one, which is none":           {nil, "", "Bad Request invalid_request"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newSite(t, nil)
			fields := map[string]any{}
			if test.grants != nil {
				fields["grantType"] = test.grants
			}
			s.pin(t, "lab-partner", leaf, fields)
			values := grant("lab-partner")
			values.Set("grant_type", test.asked)
			if test.asked == "-" {
				values.Del("grant_type")
			}
			if got := do(t, s, leaf, tokenendpoint.TokenPath, values); got.inWords() != test.want {
				t.Errorf("%s", got.inWords())
			}
		})
	}
}

func TestAServerThatCannotSignSaysSo(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	s.useKeys(nil)
	got := do(t, s, leaf, tokenendpoint.TokenPath, grant("lab-partner"))
	if got.inWords() != "Service Unavailable temporarily_unavailable" || got.header.Get("Retry-After") != "1" {
		t.Errorf("%s %v", got.inWords(), got.header)
	}
	wantNotStored(t, got)
	if s.decisions(t, tokenendpoint.TokenName, decision.SigningKeyMissing.String()) != 1 {
		t.Error("it is not counted as signing_key_missing")
	}
}
