package extauthz

import (
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/wire"
)

// record writes the one audit record of a decision and counts it.
func (s *Server) record(request *wire.Request, v *verdict, took time.Duration) {
	s.config.Metrics.Decided(request.Route, v.reason, took)
	if v.token.ID != "" {
		if v.reused {
			s.config.Metrics.Reused()
		} else {
			s.config.Metrics.Minted()
		}
	}
	r := audit.Record{
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
	r.SetCause(v.err)
	if client := v.identity.Client; client != nil {
		r.Client = client.ID()
	}
	r.SetCertificate(v.identity.Evidence.Leaf, v.identity.Evidence.Thumbprint)
	s.config.Audit.Write(&r)
}
