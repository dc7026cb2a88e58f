package tokenendpoint_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies/decision"
)

// asking is a client that asks about a token, or gives it back.
func asking(id, token string) url.Values {
	return url.Values{"client_id": {id}, "token": {token}}
}

func TestWhoIsToldOfAToken(t *testing.T) {
	const elsewhere = "https://other.example/api"
	owner, other, resource := selfSigned(t, testca.Template{CommonName: "a"}), selfSigned(t, testca.Template{CommonName: "b"}), selfSigned(t, testca.Template{CommonName: "c"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", owner, map[string]any{"defaultScope": []string{"a", "b"}, "audience": []string{audience, elsewhere}})
	s.pin(t, "other", other, nil)
	s.pin(t, "resource", resource, map[string]any{"introspects": []string{audience}})
	own := s.token(t, owner, "lab-partner")
	away := s.token(t, owner, "lab-partner", "resource", elsewhere)
	claims := s.claims(t, own)
	thumbprint := owner.Thumbprint()
	all := map[string]any{
		"active": true, "client_id": "lab-partner", "sub": "lab-partner", "scope": "a b", "token_type": "Bearer", "iss": issuer, "aud": audience,
		"iat": claims["iat"], "exp": claims["exp"], "jti": claims["jti"],
		"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:])},
	}
	// Nothing else is said of a token that is not active to who asks.
	nothing := map[string]any{"active": false}
	injected := func(r *tokens.Request) { r.Use, r.Thumbprint = tokens.UseInjected, thumbprint }
	strangers, err := signer.Open(t.Context(), t.TempDir(), signer.Options{Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := tokens.Mint(t.Context(), strangers.All()[0], tokens.Request{
		Issuer: issuer, ClientID: "lab-partner", Audience: audience, Thumbprint: thumbprint, Use: tokens.UseAccess, Typ: tokens.TypAccessToken,
		Lifetime: time.Hour, NotAfter: time.Now().Add(time.Hour), At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, test := range map[string]struct {
		leaf  *testca.Issued
		id    string
		token string
		want  map[string]any // nil: active, whatever else
	}{
		"its client":                                                 {owner, "lab-partner", own, all},
		"the resource that it is for":                                {resource, "resource", own, all},
		"the resource of an injected one":                            {resource, "resource", s.minted(t, injected).Value.Reveal(), nil},
		"not another client":                                         {other, "other", own, nothing},
		"not a resource that it is not for":                          {resource, "resource", away, nothing},
		"nobody of one that has expired":                             {owner, "lab-partner", s.minted(t, func(r *tokens.Request) { r.At = r.At.Add(-2 * time.Hour) }).Value.Reveal(), nothing},
		"nobody of one that is to come":                              {owner, "lab-partner", s.minted(t, func(r *tokens.Request) { r.At = r.At.Add(time.Minute) }).Value.Reveal(), nothing},
		"nobody of one of another issuer's":                          {owner, "lab-partner", s.minted(t, func(r *tokens.Request) { r.Issuer = "https://other.example" }).Value.Reveal(), nothing},
		"nobody of one that a stranger has signed":                   {owner, "lab-partner", foreign.Value.Reveal(), nothing},
		"nobody of one of a client that is not there":                {resource, "resource", s.minted(t, func(r *tokens.Request) { r.ClientID = "gone" }).Value.Reveal(), nothing},
		"nobody of one of a certificate that its client has no more": {owner, "lab-partner", s.minted(t, func(r *tokens.Request) { r.Thumbprint = other.Thumbprint() }).Value.Reveal(), nothing},
		"nobody of one for an audience that its client may not have": {owner, "lab-partner", s.minted(t, func(r *tokens.Request) { r.Audience, r.Thumbprint = "https://lost.example", thumbprint }).Value.Reveal(), nothing},
		"nobody of one that is changed":                              {owner, "lab-partner", own[:len(own)-6] + "AAAAAA", nothing},
		"nobody of text":                                             {owner, "lab-partner", "garbage", nothing},
		"nobody of text with dots":                                   {owner, "lab-partner", "a.b.c", nothing},
		"nobody of a token that is too long":                         {owner, "lab-partner", strings.Repeat("a", tokens.MaxTokenBytes+1), nothing},
		"nobody of a statement":                                      {owner, "lab-partner", statementOf(t, owner, tokenendpoint.IntrospectPath, "POST"), nothing},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := do(t, s, test.leaf, tokenendpoint.IntrospectPath, asking(test.id, test.token))
			if got.status != http.StatusOK {
				t.Fatalf("%s", got.inWords())
			}
			wantNotStored(t, got)
			if test.want == nil {
				if got.JSON["active"] != true {
					t.Errorf("%v", got.JSON)
				}
				return
			}
			if diff := cmp.Diff(test.want, got.JSON); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("nobody of one whose client is off", func(t *testing.T) {
		s.pin(t, "lab-partner", owner, map[string]any{"status": "off"})
		if got := do(t, s, resource, tokenendpoint.IntrospectPath, asking("resource", own)); got.JSON["active"] != false || len(got.JSON) != 1 {
			t.Errorf("%v", got.JSON)
		}
	})
}

func TestAQuestionWithoutATokenIsNone(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	for sentence, values := range map[string]url.Values{
		"none":  {"client_id": {"lab-partner"}},
		"empty": {"client_id": {"lab-partner"}, "token": {""}},
		"two":   {"client_id": {"lab-partner"}, "token": {"a", "b"}},
	} {
		for _, path := range []string{tokenendpoint.IntrospectPath, tokenendpoint.RevokePath} {
			if got := do(t, s, leaf, path, values); got.inWords() != "Bad Request invalid_request" {
				t.Errorf("%s at %s: %s", sentence, path, got.inWords())
			}
		}
	}
}

// Without keys it is not known what a token is: to call it inactive, or revoked,
// would be a lie.
func TestWithoutKeysNothingIsSaidOfTokens(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	token := s.token(t, leaf, "lab-partner")
	s.useKeys(nil)
	for _, path := range []string{tokenendpoint.IntrospectPath, tokenendpoint.RevokePath} {
		if got := do(t, s, leaf, path, asking("lab-partner", token)); got.inWords() != "Service Unavailable temporarily_unavailable" {
			t.Errorf("%s: %s", path, got.inWords())
		}
	}
	if s.decisions(t, tokenendpoint.RevokeName, decision.NotReady.String()) != 1 {
		t.Error("it is not counted as not_ready")
	}
}
