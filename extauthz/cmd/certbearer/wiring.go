package main

import (
	"cmp"
	"fmt"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/listener"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies"
	"github.com/certbearer/certbearer/policies/dirsource"
)

// This file turns the configuration's values into those of the packages.

func sourceConfig(c *config.Config) dirsource.Config {
	return dirsource.Config{
		Dir:    c.Clients.Directory,
		Strict: c.Clients.Strict,
		Options: policies.Options{
			AllowSharedAnchors: c.Clients.SharedAnchors == config.SharedAnchorsAllow,
			RequireBinding:     c.Profile == config.ProfileFAPI2,
		},
	}
}

func keyOptions(c *config.Config) signer.Options {
	return signer.Options{Generate: c.Keys.Generate, Algorithm: signer.Algorithm(c.Keys.Algorithm), Allowed: allowedAlgorithms(c)}
}

// rotation keeps old keys for as long as any token may live, whatever the
// lifetimes of today are: tokens of yesterday's configuration are still about.
func rotation(c *config.Config) signer.Rotation {
	return signer.Rotation{PublishAhead: c.Keys.PublishAhead, Every: c.Keys.RotateEvery, LongestLife: tokens.MaxLifetime}
}

func authenticator(c *config.Config) (*authn.Authenticator, error) {
	from := map[config.CertificateFrom]peercert.Source{config.FromPeer: peercert.Peer, config.FromXFCC: peercert.XFCC}
	source := peercert.Config{From: from[c.Certificate.From], XFCCHops: c.Certificate.Hops}
	if c.Certificate.From == config.FromHeader {
		source = evidenceOf(c.Certificate.Format, c.Certificate.Header)
	}
	reader, err := peercert.NewReader(source)
	if err != nil {
		return nil, err
	}
	return authn.New(reader), nil
}

func routes(c *config.Config) (*extauthz.Routes, error) {
	var out []extauthz.Route
	for _, route := range c.Routes {
		converted, err := convertRoute(route)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", route.Name, err)
		}
		out = append(out, converted)
	}
	return extauthz.NewRoutes(out)
}

func convertRoute(route config.Route) (extauthz.Route, error) {
	out := extauthz.Route{
		Name:     route.Name,
		Match:    extauthz.Match{Host: route.Match.Host, PathPrefix: route.Match.PathPrefix, Methods: route.Match.Methods},
		ClientID: route.ClientID,
		Audience: route.Audience,
		Scope:    route.Scope,
		Shadow:   route.Mode == config.ModeShadow,
	}
	switch route.Access {
	case config.AccessCertificate:
		out.Access = extauthz.AccessCertificate
		out.Inject.Typ = string(route.Inject.Typ)
		out.Inject.ClientCert = route.Inject.ClientCert == config.ClientCertRFC9440
		if err := out.Inject.Bind.UnmarshalText([]byte(route.Inject.Bind)); err != nil {
			return out, err
		}
	case config.AccessPublic:
		out.Access = extauthz.AccessPublic
	case config.AccessPreflight:
		out.Access = extauthz.AccessPreflight
	case config.AccessEndpoint:
		out.Access = extauthz.AccessEndpoint
	default:
		return out, fmt.Errorf("access %q is not known", route.Access)
	}
	switch route.InboundAuthorization {
	case config.InboundReject:
		out.Inbound = extauthz.InboundReject
	case config.InboundReplace:
		out.Inbound = extauthz.InboundReplace
	case config.InboundVerify:
		out.Inbound = extauthz.InboundVerify
	case config.InboundPass:
		out.Inbound = extauthz.InboundPass
	default:
		return out, fmt.Errorf("inboundAuthorization %q is not known", route.InboundAuthorization)
	}
	return out, nil
}

func routeNames(c *config.Config) []string {
	names := make([]string, len(c.Routes))
	for i, route := range c.Routes {
		names[i] = route.Name
	}
	return names
}

func callers(c *config.Config) listener.Callers {
	switch c.Callers.Proof {
	case config.ProofMTLS:
		return listener.Callers{MTLS: &listener.MTLS{
			Certificate: c.Callers.Certificate,
			Key:         c.Callers.Key,
			TrustedCA:   c.Callers.TrustedCA,
			SANs:        c.Callers.SANs,
		}}
	case config.ProofNone:
		return listener.Callers{Unauthenticated: true}
	}
	return listener.Callers{} // what proves a Unix socket's callers is its file
}

func cacheOptions(c *config.Config) tokens.Options {
	return tokens.Options{MaxEntries: c.Limits.TokenCacheEntries, MaxPerClient: c.Limits.TokensPerClient}
}

// envoyParams is what Envoy is configured by. sdsPath is where the document
// with the server's certificate stands.
func envoyParams(c *config.Config, sdsPath string) envoy.Params {
	params := envoy.Params{
		Version:            envoy.Version(c.Envoy.Version),
		Listen:             c.Envoy.Listen,
		AdminListen:        c.Envoy.AdminListen,
		PublicListen:       c.Envoy.PublicListen,
		ServerCertificate:  c.Envoy.Certificate,
		ServerKey:          c.Envoy.Key,
		SDSPath:            sdsPath,
		ClientCertificate:  envoy.ClientCertificate(c.Envoy.ClientCertificate),
		WithoutCertificate: envoy.WithoutCertificate(c.Envoy.WithoutCertificate),
		LegacyUpstream:     envoyUpstream(c.Envoy.LegacyUpstream, c.Envoy.LegacyUpstreamCA),
		ExtAuthz: envoy.Endpoint{
			Address:   cmp.Or(c.Envoy.GRPCAddress, c.Listen.GRPC),
			Plaintext: c.Callers.Proof == config.ProofNone, // it was written out
		},
		Timeout:   c.Envoy.Timeout,
		HTTP:      envoy.Endpoint{Address: cmp.Or(c.Envoy.HTTPAddress, c.Listen.HTTP)},
		Upstream:  envoyUpstream(c.Envoy.Upstream, c.Envoy.UpstreamCA),
		Routes:    envoyRoutes(c),
		AccessLog: c.Envoy.AccessLog,
	}
	if params.AccessLog == config.ToStdout {
		params.AccessLog = "/dev/stdout"
	}
	if c.Envoy.JWTAuthn {
		params.JWTAuthn = &envoy.JWTAuthn{Issuer: c.Issuer, Audiences: audiences(c)}
	}
	if c.Certificate.Hops > 1 {
		params.Front = &envoy.Front{TrustedCA: c.Envoy.Front.TrustedCA, SANs: c.Envoy.Front.SANs}
	}
	if c.Callers.Proof == config.ProofMTLS {
		params.ExtAuthz.TLS = &envoy.ClientTLS{
			Certificate: c.Envoy.Caller.Certificate,
			Key:         c.Envoy.Caller.Key,
			TrustedCA:   c.Envoy.Caller.TrustedCA,
			ServerName:  c.Envoy.Caller.ServerName,
		}
	}
	return params
}

func envoyUpstream(u config.Upstream, trustedCA string) envoy.Upstream {
	return envoy.Upstream{Scheme: u.Scheme, Host: u.Host, Port: u.Port, TrustedCA: trustedCA}
}

// envoyRoutes names the routes to Envoy, so that it tells us which one it chose.
func envoyRoutes(c *config.Config) []envoy.Route {
	var out []envoy.Route
	for _, route := range c.Routes {
		host := route.Match.Host
		if host == "*" {
			host = ""
		}
		out = append(out, envoy.Route{
			Name:       route.Name,
			Host:       host,
			PathPrefix: route.Match.PathPrefix,
			Methods:    route.Match.Methods,
			Access:     envoy.Access(route.Access),
		})
	}
	return out
}

func audiences(c *config.Config) []string {
	var out []string
	seen := make(map[string]bool)
	for _, route := range c.Routes {
		if route.Audience != "" && !seen[route.Audience] {
			seen[route.Audience] = true
			out = append(out, route.Audience)
		}
	}
	return out
}
