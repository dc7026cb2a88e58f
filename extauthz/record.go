package extauthz

import (
	"errors"
	"time"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
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
	var denial *decision.Denial
	if errors.As(v.err, &denial) {
		r.Field = denial.Field
		if denial.Cause != nil {
			r.Detail = denial.Cause.Error()
		}
	} else if v.err != nil {
		r.Detail = v.err.Error()
	}
	if client := v.identity.Client; client != nil {
		r.Client = client.ID()
	}
	if leaf := v.identity.Evidence.Leaf; leaf != nil {
		r.Thumbprint = v.identity.Evidence.Thumbprint
		r.Subject = leaf.Subject.String()
		r.Issuer = leaf.Issuer.String()
		r.Serial = leaf.SerialNumber.Text(16)
		r.NotAfter = leaf.NotAfter
	}
	s.config.Audit.Write(&r)
}
