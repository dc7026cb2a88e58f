package extauthz

import (
	"slices"

	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/decision"
)

// inShadow reports that the verdict is not carried out: the request passes as it
// came, and only the record says what would have been. What is most particular
// counts: the client's document, then its route, then what holds for all.
//
// It comes after the decision and has no part in it. Whatever is not said to be in
// shadow here is enforced.
func (s *Server) inShadow(request *wire.Request, v *verdict) bool {
	route := s.routeOf(request, v)
	if s.forEndpoint(request, route) {
		return false
	}
	switch s.clientMode(v) {
	case policies.ModeShadow:
		return true
	case policies.ModeEnforce:
		return false
	}
	return s.unclaimedInShadow(route, v.reason)
}

// unclaimedInShadow is for requests that are of no client with a mode of its own.
// One of which nobody can say the route may be another route's to the upstream, so
// all of them have to be in shadow; one that no route covers is of none.
func (s *Server) unclaimedInShadow(route *Route, reason decision.Reason) bool {
	switch {
	case route != nil:
		return route.Shadow
	case reason == decision.RouteUnmatched:
		return s.config.Shadow
	}
	return s.config.Shadow && s.config.Routes.allShadow
}

// forEndpoint reports a request for an endpoint of ours, or one that may be: a
// token is given out or it is not, and a statement that we did not make is always
// taken off.
func (s *Server) forEndpoint(request *wire.Request, route *Route) bool {
	if route != nil && route.Access == AccessEndpoint {
		return true
	}
	return slices.Contains(s.config.EndpointPaths, request.Path) && s.leadsHere(request)
}

// routeOf returns the route of a request, nil where there is none. A check that was
// refused before the routes were looked at, as under overload, has one too: to tell
// costs a few comparisons. One of which too little could be read has none, not even the
// one that the proxy names, by a path that has to have one reading, unless it leads to
// an endpoint of ours.
func (s *Server) routeOf(request *wire.Request, v *verdict) *Route {
	switch {
	case v.route != nil:
		return v.route
	case v.reason == decision.RequestMalformed && (request.Method == "" || request.Path == ""):
		name, _, _ := routeExtension(request.ContextExtensions)
		if route := s.config.Routes.byName[name]; route != nil && route.Access == AccessEndpoint {
			return route
		}
		return nil
	case v.reason == decision.Overloaded, v.reason == decision.RequestMalformed:
		route, _ := s.config.Routes.Select(request, nil)
		return route
	}
	return s.config.Routes.byName[request.Route]
}

// clientMode is what the document of the client says to which the certificate
// itself leads. Who presents a stranger's certificate on a route that names a
// client in shadow is not that client.
func (s *Server) clientMode(v *verdict) policies.Mode {
	switch {
	case !s.config.ClientModes:
		return policies.ModeUnsaid
	case !v.reason.Allows():
		return v.presentedMode()
	case v.identity.Client == nil:
		return policies.ModeUnsaid
	}
	return v.identity.Client.Mode() // its trust store has accepted the certificate
}

// presentedMode finds the client of a refused request by its certificate alone.
func (v *verdict) presentedMode() policies.Mode {
	clients := v.state.Clients
	if clients == nil || v.identity.Evidence.Leaf == nil || clients.WithMode() == 0 {
		return policies.ModeUnsaid
	}
	chain := v.identity.Chain
	if chain == nil {
		chain = authn.ChainOf(v.identity.Evidence)
	}
	return clients.ModeOf(chain)
}
