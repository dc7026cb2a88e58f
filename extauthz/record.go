package extauthz

import (
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/wire"
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
	r.SetCause(v.err)
	if client := v.identity.Client; client != nil {
		r.Client = client.ID()
	}
	r.SetCertificate(v.identity.Evidence.Leaf, v.identity.Evidence.Thumbprint)
	s.config.Audit.Write(&r)
}

// count counts a decision. Those that are not carried out are counted apart, so that
// an alert on refusals is about callers that were refused.
func (s *Server) count(route string, v *verdict, took time.Duration) {
	if v.shadow {
		s.config.Metrics.Shadowed(route, v.reason, took)
	} else {
		s.config.Metrics.Decided(route, v.reason, took)
	}
	switch {
	case v.token.ID == "":
	case v.reused:
		s.config.Metrics.Reused()
	default:
		s.config.Metrics.Minted()
	}
}
