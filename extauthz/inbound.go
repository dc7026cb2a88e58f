package extauthz

import (
	"net/url"
	"slices"
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
	// token is one of ours, held to everything but the certificate.
	token *tokens.Verified
	// foreign is set where somebody else's is to be left as it is.
	foreign bool
}

// readInbound is step 3 of docs/request-path.md. Nothing in an Authorization is
// believed before this has returned, and a token of ours not before
// [inbound.check] has.
func (s *Server) readInbound(route *Route, st *state.State, request *wire.Request, t *decision.Trace) (inbound, error) {
	in, err := s.inbound(route, st, request)
	switch {
	case err != nil:
		t.Fail(decision.StepAuthorization, "%v", err)
	case in.token != nil && t.On():
		t.Pass(decision.StepAuthorization, "a token of ours for client %s, %s", in.token.ClientID, in.token.ID)
	case in.foreign:
		t.Note(decision.StepAuthorization, "the caller's Authorization is left as it is")
	case len(request.Header("authorization")) > 0:
		t.Note(decision.StepAuthorization, "the caller's Authorization is ignored")
	}
	return in, err
}

func (s *Server) inbound(route *Route, st *state.State, request *wire.Request) (inbound, error) {
	terms := tokens.Terms{Issuer: s.config.Issuer, Keys: st.Keys, Revoked: st.Revoked, At: request.At}
	if err := checkQuery(route, request, terms); err != nil {
		return inbound{}, err
	}
	values := request.Header("authorization")
	if len(values) == 0 || route.Inbound == InboundReplace {
		return inbound{}, nil
	}
	if route.Inbound == InboundReject {
		return inbound{}, decision.Denyf(decision.AuthorizationRefused, "authorization", "the caller sent its own, and route %s has inboundAuthorization: reject", route.Name)
	}
	if route.Access != AccessCertificate {
		return inbound{}, nil // nothing is asked for; it is taken off
	}
	text, isBearer := bearer(values)
	if route.Inbound == InboundPass && !hasOurs(values, terms) {
		return inbound{foreign: true}, nil
	}
	if !isBearer {
		return inbound{}, decision.Denyf(decision.AuthorizationRefused, "authorization", "it is not one bearer token, and has to be on route %s", route.Name)
	}
	verified, err := terms.Verify(text)
	if err != nil {
		return inbound{}, err
	}
	return inbound{token: &verified}, nil
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

// hasOurs looks for tokens of ours in all of an Authorization, whatever its scheme
// and however many there are: what an upstream might find in it is verified first.
func hasOurs(values []string, terms tokens.Terms) bool {
	for _, value := range values {
		if slices.ContainsFunc(strings.FieldsFunc(value, dividesTokens), terms.LooksOurs) {
			return true
		}
	}
	return false
}

// dividesTokens reports what cannot be a part of a compact JWS.
func dividesTokens(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && r != '-' && r != '_' && r != '.'
}

// checkQuery refuses a token in the query (RFC 6750 section 2.3): it is in every
// log on its way, and the upstream could take it for the caller's.
func checkQuery(route *Route, request *wire.Request, terms tokens.Terms) error {
	if route.Access != AccessCertificate || !strings.Contains(request.RawQuery, "token") && !strings.Contains(request.RawQuery, "%") {
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
		if route.Inbound == InboundPass && !hasOurs([]string{value}, terms) {
			continue
		}
		return decision.Denyf(decision.TokenInQuery, "query", "has access_token")
	}
	return nil
}

// dividesPairs takes the semicolon too, as some services do.
func dividesPairs(r rune) bool { return r == '&' || r == ';' }

// check holds a token of ours against the certificate of the connection, and
// returns the client that it is of.
func (in inbound) check(route *Route) func(peercert.Evidence) (string, error) {
	if in.token == nil {
		return nil
	}
	return func(evidence peercert.Evidence) (string, error) {
		return in.token.ClientID, in.token.CheckInbound(route.Audience, evidence.Thumbprint)
	}
}

// refusal is the error of a request that has a token and no certificate: to its
// sender the token is not valid here (RFC 8705 section 3).
func (in inbound) refusal(err error) error {
	if in.token == nil || decision.ReasonOf(err) != decision.CertificateMissing {
		return err
	}
	return decision.Deny(decision.TokenWithoutCertificate, "authorization", err)
}
