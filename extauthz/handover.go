package extauthz

import (
	"slices"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// handOver lets a request through to an endpoint of ours, with a signed statement
// of the certificate that the connection proved, or with none. It finds no
// client, judges nothing, reads no Authorization and injects no token: the
// endpoint does all that it needs itself. A path that is not one of theirs is
// refused, because the proxy may have it lead somewhere else.
func (s *Server) handOver(v verdict, request *wire.Request, t *decision.Trace) verdict {
	if !slices.Contains(s.config.EndpointPaths, request.Path) {
		err := decision.Denyf(decision.RouteUnmatched, "path", "is no endpoint of ours, as route %s has it", v.route.Name)
		t.Fail(decision.StepRoute, "%v", err)
		return v.refuse(err)
	}
	v.reason = decision.AllowedEndpoint
	v.statement, v.err = s.statement(&v, request, t)
	return v
}

func (s *Server) statement(v *verdict, request *wire.Request, t *decision.Trace) (string, error) {
	presented := peercert.Presented{PeerCertificate: request.PeerCertificate, Header: request.Header}
	var err error
	if v.identity.Evidence, err = s.config.Authenticator.Evidence(presented, t); err != nil {
		return "", err
	}
	key := v.state.Statement.Signing(request.At)
	if key.ID == "" {
		return "", decision.Denyf(decision.NotReady, "statement key", "there is none")
	}
	return peercert.SignStatement(peercert.StatementKey{ID: key.ID, Secret: key.Secret[:]}, v.identity.Evidence,
		s.config.EndpointOrigin+request.Path, request.Method, request.At)
}
