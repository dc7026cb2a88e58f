package extauthz

import (
	"cmp"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// record writes the one audit record of a decision and counts it.
func (s *Server) record(request *wire.Request, v *verdict, took time.Duration) {
	s.count(request.Route, v, took)
	r := audit.Record{
		Shadow:      v.shadow,
		Time:        request.At,
		RequestID:   request.ID,
		Reason:      v.reason,
		Route:       request.Route,
		Method:      request.Method,
		Host:        request.Host,
		Path:        request.Path,
		Source:      request.Source,
		TokenID:     v.token.ID,
		TokenCached: v.reused,
		Generation:  v.state.Generation,
		Duration:    took,
	}
	if v.shadow {
		r.TokenID = "" // it was made, and nobody has it
	}
	var unknown error
	r.Revocation, unknown = v.identity.Revocation()
	r.SetCause(cmp.Or(v.err, unknown))
	if client := v.identity.Client; client != nil {
		r.Client = client.ID()
	}
	r.SetCertificate(v.identity.Evidence.Leaf, v.identity.Evidence.Thumbprint)
	if v.identity.Evidence.Leaf != nil {
		r.ChainLength = 1 + len(v.identity.Evidence.Intermediates)
	}
	if v.by != nil {
		r.Evidence, r.Proxy = v.by.Source(), v.by.Proxy()
	}
	if own := v.inbound.token; own != nil {
		r.ClientID = own.ClientID
	}
	if !v.reason.Allows() {
		v.recordRefusal(request, &r)
	}
	s.config.Audit.Write(&r)
}

// recordRefusal adds what makes the record enough to look into the refusal. It costs,
// and so it is for refusals only.
func (v *verdict) recordRefusal(request *wire.Request, r *audit.Record) {
	r.Authorization = request.Header != nil && len(request.Header("authorization")) > 0
	r.SetPresented(v.identity.Evidence.Leaf, v.identity.Evidence.Intermediates)
	if v.route == nil || v.route.Access != AccessCertificate {
		return
	}
	named := v.route.ClientID
	if named == "" {
		named = r.ClientID
	}
	for _, near := range v.identity.Candidates(v.state, named) {
		r.Candidates = append(r.Candidates, audit.Candidate{Client: near.ID, Why: near.Why})
	}
}

// count counts a decision. Those that are not carried out are counted apart, so that
// an alert on refusals is about callers that were refused.
func (s *Server) count(route string, v *verdict, took time.Duration) {
	if v.shadow {
		s.config.Metrics.Shadowed(route, v.reason, took)
	} else {
		s.config.Metrics.Decided(route, v.reason, took)
	}
	s.countCertificate(v)
	switch {
	case v.token.ID == "":
	case v.reused:
		s.config.Metrics.Reused()
	default:
		s.config.Metrics.Minted()
	}
}

// countCertificate counts one that the client's trust store accepted, whatever became
// of the request.
func (s *Server) countCertificate(v *verdict) {
	if v.identity.Accepted.Until.IsZero() {
		return
	}
	s.config.Metrics.Accepted(v.identity.Kept)
	_, unknown := v.identity.Revocation()
	if unknown == nil {
		return
	}
	s.config.Metrics.RevocationUnknown(decision.ReasonOf(unknown))
	if s.config.RevocationUnknown != nil {
		s.config.RevocationUnknown(v.identity.Client.ID(), unknown)
	}
}
