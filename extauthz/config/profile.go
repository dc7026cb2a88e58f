package config

// Profile is a set of rules that the configuration is held to.
type Profile string

// The values of [Profile].
const (
	ProfileNone Profile = "none"
	// ProfileFAPI2: what the FAPI 2.0 security profile asks of clients that
	// authenticate by certificate.
	ProfileFAPI2 Profile = "fapi2"
)

// checkProfile holds the settings to the profile that the file asks for: what
// contradicts it is an error, for whoever reads the profile's name must be able to
// count on it (FAPI 2.0 sections 5.3 and 5.4).
func checkProfile(m *mapping, config *Config) {
	if config.Profile != ProfileFAPI2 {
		return
	}
	refuse := func(broken bool, name, why string) {
		if broken {
			m.fail("profile", "fapi2: "+name+": "+why)
		}
	}
	switch config.Keys.Algorithm {
	case "ES256", "PS256", "EdDSA":
	default:
		refuse(true, "keys.algorithm", "want ES256, PS256 or EdDSA")
	}
	refuse(config.Compatibility != CompatibilityNone, "compatibility", "want none: clients have no secrets")
	refuse(config.Callers.Proof == ProofNone, "callers", "want callers that are proven: by a Unix socket or by mTLS")
	for _, proxy := range config.Proxies {
		refuse(len(proxy.Addresses) > 0, "proxy "+proxy.Name, "want mtls or a socket: an address proves nobody")
	}
	refuse(config.Clients.SharedAnchors != SharedAnchorsRefuse, "clients.sharedAnchors", "want refuse: clients are told apart by their subject")
	refuse(config.Mode != ModeEnforce, "mode", "want enforce: what is refused does not pass")
	refuse(config.Envoy.WithoutCertificate != WithoutCertificateDeny, "envoy.withoutCertificate", "want deny: who has no certificate does not pass")
	for _, route := range config.Routes {
		where := "route " + route.Name
		refuse(config.Mode == ModeEnforce && route.Mode != ModeEnforce, where, "mode: want enforce: what is refused does not pass")
		refuse(route.Access == AccessCertificate && route.Inject.Bind != BindCnf, where, "inject.bind: want cnf: every token is bound")
		refuse(route.InboundAuthorization == InboundPass, where, "inboundAuthorization: want verify, reject or replace: only bound tokens pass")
	}
}

// checkForeign reports a verifier in Envoy that would refuse what a route lets pass.
func checkForeign(m *mapping, config *Config) {
	if !config.Envoy.JWTAuthn || !m.sound("routes") {
		return
	}
	for _, route := range config.Routes {
		if route.InboundAuthorization == InboundPass {
			m.fail("routes", "route "+quote(route.Name)+" has inboundAuthorization: pass, and with envoy.jwtAuthn Envoy refuses every token that is not of ours")
		}
	}
}
