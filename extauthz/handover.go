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
// endpoint does all that it needs itself. A host or path that is not theirs is
// refused, because the proxy may have it lead somewhere else: an upstream with an
// endpoint of the same path could use a statement that it got.
func (s *Server) handOver(v verdict, request *wire.Request, t *decision.Trace) verdict {
	if !slices.Contains(s.config.EndpointPaths, request.Path) || !s.leadsHere(request) {
		err := decision.Denyf(decision.RouteUnmatched, "host and path", "are no endpoint of ours, as route %s has it", v.route.Name)
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
	if v.identity.Evidence, err = v.by.Evidence(presented, t); err != nil {
		return "", err
	}
	key := v.state.Statement.Signing(request.At)
	if key.ID == "" {
		return "", decision.Denyf(decision.NotReady, "statement key", "there is none")
	}
	return peercert.SignStatement(peercert.StatementKey{ID: key.ID, Secret: key.Secret[:]}, v.identity.Evidence,
		s.config.EndpointOrigin+request.Path, request.Method, request.At)
}

// leadsHere reports that the proxy has this request lead to us: because its
// configuration names the route, or because the host is one of ours.
func (s *Server) leadsHere(request *wire.Request) bool {
	if _, named := request.ContextExtensions[extensionRoute]; named {
		return true
	}
	return slices.ContainsFunc(s.config.EndpointHosts, func(own string) bool { return matchHost(own, request.Host) })
}
