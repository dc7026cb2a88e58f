package extauthz

import (
	"net/url"
	"strings"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// inbound is a caller's own Authorization, as far as the route lets it count.
// The zero value is none.
type inbound struct {
	terms tokens.Terms
	// text is a bearer token that has to be one of ours, "" if there is none.
	text string
	// token is what it says, once it has been verified.
	token *tokens.Verified
	// foreign is set where somebody else's is to be left as it is.
	foreign bool
}

// readInbound is step 3 of docs/request-path.md as far as it needs no
// certificate. Nothing in an Authorization is believed before
// [inbound.verifier] has looked at it: that costs a signature check, and comes
// after the evidence, so that whoever has no certificate does not cause one.
func (s *Server) readInbound(route *Route, st *state.State, request *wire.Request, t *decision.Trace) (inbound, error) {
	in := inbound{terms: tokens.Terms{Issuer: s.config.Issuer, Keys: st.Keys, Revoked: st.Revoked, At: request.At}}
	err := in.read(route, request)
	switch {
	case err != nil:
		t.Fail(decision.StepAuthorization, "%v", err)
	case in.foreign:
		t.Note(decision.StepAuthorization, "the caller's Authorization is left as it is")
	case in.text == "" && len(request.Header("authorization")) > 0:
		t.Note(decision.StepAuthorization, "the caller's Authorization is ignored")
	}
	return in, err
}

func (in *inbound) read(route *Route, request *wire.Request) error {
	if err := in.checkQuery(route, request); err != nil {
		return err
	}
	values := request.Header("authorization")
	if len(values) == 0 || route.Inbound == InboundReplace {
		return nil
	}
	if route.Inbound == InboundReject {
		return decision.Denyf(decision.AuthorizationRefused, "authorization", "the caller sent its own, and route %s has inboundAuthorization: reject", route.Name)
	}
	if route.Access != AccessCertificate {
		return nil // nothing is asked for; it is taken off
	}
	if route.Inbound == InboundPass && in.isForeign(values) {
		in.foreign = true
		return nil
	}
	text, isBearer := bearer(values)
	if !isBearer {
		return decision.Denyf(decision.AuthorizationRefused, "authorization", "it is not one bearer token, and has to be on route %s", route.Name)
	}
	in.text = text
	return nil
}

// bearer returns the token of the one Authorization there may be (RFC 6750
// section 2.1). Envoy joins several by commas, which no token has.
func bearer(values []string) (text string, ok bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, text, found := strings.Cut(values[0], " ")
	text = strings.TrimLeft(text, " ")
	return text, found && strings.EqualFold(scheme, "bearer") && text != "" && !strings.ContainsAny(text, " ,\t")
}

// isForeign reports an Authorization in which no upstream could find a token of
// ours, whatever its scheme is and however the upstream takes it apart. Several at
// once are not left to an upstream's choice.
func (in *inbound) isForeign(values []string) bool {
	return len(values) == 1 && strings.Count(strings.ToLower(values[0]), "bearer") <= 1 && !in.terms.HoldsOurs(values[0])
}

// checkQuery refuses a token in the query (RFC 6750 section 2.3): it is in every
// log on its way, and the upstream could take it for the caller's. Where nothing
// is asked for, or foreign ones may pass, that is about tokens of ours.
func (in *inbound) checkQuery(route *Route, request *wire.Request) error {
	if !strings.Contains(request.RawQuery, "token") && !strings.Contains(request.RawQuery, "%") {
		return nil
	}
	for pair := range strings.FieldsFuncSeq(request.RawQuery, dividesPairs) {
		name, value, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err != nil || name != "access_token" {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
		any := route.Access == AccessCertificate && route.Inbound != InboundPass
		if any || in.terms.HoldsOurs(value) {
			return decision.Denyf(decision.TokenInQuery, "query", "has access_token")
		}
	}
	return nil
}

// dividesPairs takes the semicolon too, as some services do.
func dividesPairs(r rune) bool { return r == '&' || r == ';' }

// verifier verifies the token, holds it against the certificate of the connection
// and returns the client that it is of; nil where there is none.
func (in *inbound) verifier(route *Route, t *decision.Trace) func(peercert.Evidence) (string, error) {
	if in.text == "" {
		return nil
	}
	return func(evidence peercert.Evidence) (string, error) {
		verified, err := in.terms.Verify(in.text)
		if err == nil {
			err = verified.CheckInbound(route.Audience, evidence.Thumbprint)
		}
		if err != nil {
			t.Fail(decision.StepAuthorization, "%v", err)
			return "", err
		}
		in.token = &verified
		if t.On() {
			t.Pass(decision.StepAuthorization, "a token of ours for client %s, %s", verified.ClientID, verified.ID)
		}
		return verified.ClientID, nil
	}
}

// refusal is the error of a request that has a token and no certificate: to its
// sender the token is not valid here (RFC 8705 section 3).
func (in *inbound) refusal(err error) error {
	if in.text == "" || decision.ReasonOf(err) != decision.CertificateMissing {
		return err
	}
	return decision.Deny(decision.TokenWithoutCertificate, "authorization", err)
}
