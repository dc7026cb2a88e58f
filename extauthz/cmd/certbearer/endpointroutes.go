package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// endpointWarnings names each endpoint that metadata tells clients of and that the
// routes keep from them. No fault: Envoy may name the route in its own
// configuration, and listen.tls knows no routes.
func endpointWarnings(c *config.Config) []string {
	if c.Listen.HTTP == "" {
		return nil
	}
	table, err := routes(c)
	if err != nil {
		return []string{err.Error()}
	}
	origin := c.MTLSOrigin
	if origin == "" {
		origin = config.Origin(c.Issuer)
	}
	var warnings []string
	for _, path := range tokenendpoint.Paths() {
		if why := unreached(table, origin, path); why != "" {
			warnings = append(warnings, fmt.Sprintf("routes: POST %s%s %s: unless Envoy names a route with access: endpoint for it, only listen.tls answers there",
				origin, path, why))
		}
	}
	return warnings
}

// unreached says where a request to the endpoint ends instead, "" if it gets there.
func unreached(table *extauthz.Routes, origin, path string) string {
	at, err := url.Parse(origin)
	if err != nil {
		return "is at no URL"
	}
	request := &wire.Request{}
	request.Method, request.Scheme, request.Host, request.Path = http.MethodPost, at.Scheme, at.Host, path
	var unused decision.Trace
	route, err := table.Select(request, &unused)
	switch {
	case err != nil:
		return "has no route"
	case route.Access != extauthz.AccessEndpoint:
		return "is for route " + route.Name + ", which has another access"
	}
	return ""
}
