package tokenendpoint_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/extauthz/tokens"
)

func TestARevokedTokenIsNotActive(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	token, other := s.token(t, leaf, "lab-partner"), s.token(t, leaf, "lab-partner")
	for _, sentence := range []string{"once", "twice", "with a hint"} {
		values := asking("lab-partner", token)
		if sentence == "with a hint" {
			values.Set("token_type_hint", "refresh_token")
		}
		got := do(t, s, leaf, tokenendpoint.RevokePath, values)
		if got.status != http.StatusOK || got.body != "" {
			t.Errorf("%s: %s %q", sentence, got.inWords(), got.body)
		}
		wantNotStored(t, got)
	}
	if got := do(t, s, leaf, tokenendpoint.IntrospectPath, asking("lab-partner", token)); got.JSON["active"] != false || len(got.JSON) != 1 {
		t.Errorf("%v", got.JSON)
	}
	if got := do(t, s, leaf, tokenendpoint.IntrospectPath, asking("lab-partner", other)); got.JSON["active"] != true {
		t.Errorf("another token of the client: %v", got.JSON)
	}
	kept, err := s.revocations.Load(time.Now())
	if err != nil || kept.Len() != 1 {
		t.Errorf("%d are kept, %v", kept.Len(), err)
	}
}

func TestWhatIsRevoked(t *testing.T) {
	leaf, other := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "other"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	s.pin(t, "other", other, map[string]any{"introspects": []string{audience}})
	own := s.token(t, leaf, "lab-partner")
	minted := func(change func(*tokens.Request)) string { return s.minted(t, change).Value.Reveal() }
	for sentence, test := range map[string]struct {
		leaf  *testca.Issued
		id    string
		token string
		want  string
		kept  bool
	}{
		"another's token is not":                         {other, "other", own, "Bad Request unauthorized_client", false},
		"an injected token is not":                       {leaf, "lab-partner", minted(func(r *tokens.Request) { r.Use = tokens.UseInjected }), "Bad Request unsupported_token_type", false},
		"an expired token needs not be":                  {leaf, "lab-partner", minted(func(r *tokens.Request) { r.At = r.At.Add(-2 * time.Hour) }), "OK", false},
		"text that is no token needs not be":             {leaf, "lab-partner", "garbage", "OK", false},
		"a token of another issuer's needs not be":       {leaf, "lab-partner", minted(func(r *tokens.Request) { r.Issuer = "https://other.example" }), "OK", false},
		"a token that was changed needs not be":          {leaf, "lab-partner", own[:len(own)-6] + "AAAAAA", "OK", false},
		"a token from a clock that is ahead is":          {leaf, "lab-partner", minted(func(r *tokens.Request) { r.At = r.At.Add(time.Minute) }), "OK", true},
		"a token that another certificate has gotten is": {leaf, "lab-partner", minted(func(r *tokens.Request) { r.Thumbprint = [32]byte{9} }), "OK", true},
	} {
		t.Run(sentence, func(t *testing.T) {
			before := s.holder.Load().Revoked.Len()
			if got := do(t, s, test.leaf, tokenendpoint.RevokePath, asking(test.id, test.token)); got.inWords() != test.want {
				t.Errorf("%s", got.inWords())
			}
			if kept := s.holder.Load().Revoked.Len() > before; kept != test.kept {
				t.Errorf("kept %v", kept)
			}
		})
	}
}

func TestARevocationThatCannotBeKeptIsNotAccepted(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, func(c *tokenendpoint.Config) {
		c.Revoke = func(context.Context, tokens.Revocation) error { return errors.New("the disk is full") }
	})
	s.pin(t, "lab-partner", leaf, nil)
	got := do(t, s, leaf, tokenendpoint.RevokePath, asking("lab-partner", s.token(t, leaf, "lab-partner")))
	if got.inWords() != "Service Unavailable temporarily_unavailable" || got.header.Get("Retry-After") != "1" {
		t.Errorf("%s %v", got.inWords(), got.header)
	}
	wantNotStored(t, got)
	record := s.records(t)[1]
	if record["reason"] != "revocation_failed" || record["detail"] != "the disk is full" {
		t.Errorf("%v", record)
	}
}
