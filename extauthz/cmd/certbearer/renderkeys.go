package main

import (
	"strings"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/extauthz/config"
)

// inKeys returns what package envoy refuses as faults of the configuration file,
// with the key and the line from which the parameter came.
func inKeys(err error, settings *config.Config, file string) error {
	return inFile(err, file, func(fault *envoy.ParamError) (key, problem string) { return keyOf(settings, fault) })
}

// The problems whose cure is another key than the parameter.
const (
	plainHTTP = "is plain HTTP and reached over a network: use a Unix socket or loopback, with Envoy or a sidecar Envoy beside certbearer, or leave listen.http out"
	unproven  = "is TCP beyond this machine, and listen.grpc a Unix socket that cannot be reached so"
	unneeded  = "is a Unix socket, and callers asks for a certificate over TCP"
)

// keyOf returns the key of a parameter, "" if it has none, and the problem in
// words that fit it.
func keyOf(c *config.Config, fault *envoy.ParamError) (key, problem string) {
	grpc, http := "listen.grpc", "listen.http"
	if c.Envoy.GRPCAddress != "" {
		grpc = "envoy.grpcAddress"
	}
	if c.Envoy.HTTPAddress != "" {
		http = "envoy.httpAddress"
	}
	switch fault.Param {
	case "ExtAuthz.TLS":
		if strings.HasPrefix(c.Envoy.GRPCAddress, "unix:") {
			return grpc, unneeded
		}
		return grpc, unproven
	case "HTTP.TLS":
		return http, plainHTTP
	}
	names := [...][2]string{ // the longer of two with one beginning comes first
		{"AccessLog", "envoy.accessLog"},
		{"AdminListen", "envoy.adminListen"},
		{"ClientCertificate", "envoy.clientCertificate"},
		{"ExtAuthz.Address", grpc},
		{"ExtAuthz.TLS.Certificate", "envoy.caller.certificate"},
		{"ExtAuthz.TLS.Key", "envoy.caller.key"},
		{"ExtAuthz.TLS.ServerName", "envoy.caller.serverName"},
		{"ExtAuthz.TLS.TrustedCA", "envoy.caller.trustedCA"},
		{"Front.SANs", "envoy.front.sans"},
		{"Front.TrustedCA", "envoy.front.trustedCA"},
		{"HTTP.Address", http},
		{"JWTAuthn.Audiences", "audience"},
		{"JWTAuthn.Issuer", "issuer"},
		{"LegacyUpstream.TrustedCA", "envoy.legacyUpstreamCA"},
		{"LegacyUpstream", "envoy.legacyUpstream"},
		{"Listen", "envoy.listen"},
		{"ServerCertificate", "envoy.certificate"},
		{"ServerKey", "envoy.key"},
		{"Timeout", "envoy.timeout"},
		{"Upstream.TrustedCA", "envoy.upstreamCA"},
		{"Upstream", "envoy.upstream"},
		{"WithoutCertificate", "envoy.withoutCertificate"},
		{"Version", "envoy.version"},
	}
	for _, name := range names {
		if strings.HasPrefix(fault.Param, name[0]) {
			return name[1], fault.Problem
		}
	}
	if route, field, found := strings.Cut(fault.Param, "]."); found {
		fields := map[string]string{"Name": "name", "Access": "access", "Host": "match.host", "PathPrefix": "match.pathPrefix", "Methods": "match.methods"}
		return "routes" + strings.TrimPrefix(route, "Routes") + "]." + fields[field], fault.Problem
	}
	if fault.Param == "Routes" {
		return "routes", fault.Problem
	}
	return "", ""
}
