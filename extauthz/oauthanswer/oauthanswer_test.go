package oauthanswer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/oauthanswer"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestEveryReasonHasARowThatRefuses(t *testing.T) {
	for _, reason := range decision.Reasons() {
		a, listed := oauthanswer.Of(reason)
		if !listed {
			t.Errorf("%s has no row", reason)
		}
		if a.Status < http.StatusBadRequest || a.Error == "" || a.Description == "" {
			t.Errorf("%s: %+v is no refusal", reason, a)
		}
	}
}

func TestAReasonOutsideTheTableIsNotAvailable(t *testing.T) {
	a, listed := oauthanswer.Of(decision.Reason(255))
	if listed || a.Status != http.StatusServiceUnavailable {
		t.Errorf("%+v, listed %v", a, listed)
	}
}

// What the caller learns is an interface, so the classes are written out.
func TestTheClassOfAReason(t *testing.T) {
	classes := map[string][]decision.Reason{
		"400 invalid_request":        {decision.RequestMalformed, decision.PathAmbiguous, decision.TokenInQuery, decision.ParameterInvalid, decision.AuthMethodConflict},
		"400 unsupported_grant_type": {decision.GrantUnsupported},
		"400 unauthorized_client":    {decision.GrantNotAllowed, decision.TokenNotOwn},
		"400 invalid_scope":          {decision.ScopeNotAllowed},
		"400 invalid_target":         {decision.TargetNotAllowed},
		"400 unsupported_token_type": {decision.TokenTypeUnsupported},
		"401 invalid_token": {
			decision.AuthorizationRefused, decision.TokenMalformed, decision.TokenSignatureInvalid, decision.TokenTypeWrong,
			decision.TokenIssuerWrong, decision.TokenAudienceWrong, decision.TokenExpired, decision.TokenNotYetValid, decision.TokenRevoked,
			decision.TokenUnbound, decision.TokenBindingMismatch, decision.TokenWithoutCertificate,
		},
		"403 access_denied":      {decision.RouteUnmatched, decision.PreflightExpected, decision.AudienceNotAllowed},
		"403 insufficient_scope": {decision.ScopeInsufficient},
		"405 invalid_request":    {decision.MethodNotAllowed},
		"413 invalid_request":    {decision.BodyTooLarge},
		"503 temporarily_unavailable": {
			decision.InternalError, decision.Allowed, decision.AllowedPublic, decision.AllowedPreflight, decision.AllowedEndpoint, decision.AllowedForeign,
			decision.TokenIssued, decision.TokenIntrospected, decision.RevocationAccepted, decision.ContextExtensionUnknown, decision.RouteUnknown,
			decision.NotReady, decision.Overloaded, decision.SigningKeyMissing, decision.DeadlineExceeded, decision.RevocationFailed,
		},
	}
	want := map[decision.Reason]string{}
	for class, reasons := range classes {
		for _, reason := range reasons {
			want[reason] = class
		}
	}
	for _, reason := range decision.Reasons() {
		a, _ := oauthanswer.Of(reason)
		class, named := want[reason]
		if !named {
			class = "401 invalid_client" // all that is about clients and certificates
		}
		if diff := cmp.Diff(class, fmt.Sprintf("%d %s", a.Status, a.Error)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", reason, diff)
		}
	}
}

// RFC 6749 section 5.2 has an alphabet for both.
func TestTheBodyIsJSONOfTheAlphabetThatOAuthHas(t *testing.T) {
	for _, reason := range decision.Reasons() {
		a, _ := oauthanswer.Of(reason)
		var body map[string]string
		if err := json.Unmarshal([]byte(a.Body()), &body); err != nil || len(body) != 2 || body["error"] != a.Error || body["error_description"] != a.Description {
			t.Errorf("%s: %s (%v)", reason, a.Body(), err)
		}
		for _, text := range body {
			if strings.IndexFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }) >= 0 {
				t.Errorf("%s: %q", reason, text)
			}
		}
	}
}
