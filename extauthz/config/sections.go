package config

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// readConfig reads the top mapping. What it asks for is what the file may hold.
func readConfig(m *mapping) *Config {
	m.require("issuer")
	config := &Config{
		Issuer:                text(m, "issuer", "", parseIssuer),
		Audience:              text(m, "audience", "", parseAudience),
		MTLSOrigin:            text(m, "mtlsOrigin", "", parseOrigin),
		Compatibility:         text(m, "compatibility", CompatibilityNone, oneOf([]Compatibility{CompatibilityNone, CompatibilityMedplum})),
		Profile:               text(m, "profile", ProfileNone, parseProfile),
		Mode:                  text(m, "mode", ModeEnforce, parseMode),
		Clients:               section(m, "clients", readClients),
		Keys:                  section(m, "keys", readSigningKeys),
		Certificate:           section(m, "certificate", readCertificate),
		InboundAuthorization:  text(m, "inboundAuthorization", InboundVerify, parseGlobalInbound),
		InjectedTokenLifetime: duration(m, "injectedTokenLifetime", 5*time.Minute, 10*time.Second, time.Hour),
		Inject:                section(m, "inject", injectReader(Inject{Bind: BindCnf, Typ: TypeAccessToken, ClientCert: ClientCertNone})),
		Revocations:           section(m, "revocations", readRevocations),
		Limits:                section(m, "limits", readLimits),
		Istio:                 section(m, "istio", readIstio),
		Log:                   section(m, "log", readLog),
		Audit:                 section(m, "audit", readAudit),
	}
	readAddresses(m, config)
	config.Revocation = section(m, "revocation", func(inner *mapping) Revocation {
		return readRevocation(inner, config.Keys.Directory, config.Envoy.Timeout)
	})
	config.Nginx = section(m, "nginx", func(inner *mapping) Nginx { return readNginx(inner, config.Proxies) })
	config.Routes = readRoutes(m, config)
	checkProfile(m, config)
	checkForeign(m, config)
	checkShadow(m, config)
	m.close()
	return config
}

// readAddresses reads the sections that have rules between them.
func readAddresses(m *mapping, config *Config) {
	config.Listen = section(m, "listen", func(inner *mapping) Listen {
		listen := readListen(inner)
		config.Callers = readCallers(m, inner, listen.GRPC)
		config.Proxies = readProxies(m, listen)
		checkListenProxies(inner, config.Proxies, listen.Proxies)
		return listen
	})
	config.Envoy = section(m, "envoy", func(inner *mapping) Envoy {
		envoy := readEnvoy(inner)
		checkJWKS(inner, envoy, config.Listen)
		checkPublic(inner, m, envoy, config)
		checkFront(inner, config.Certificate)
		checkLegacy(inner, envoy, config.Certificate)
		checkEnvoyAddresses(inner, envoy, config.Listen)
		return envoy
	})
}

func readClients(m *mapping) Clients {
	return Clients{
		Directory:     text(m, "directory", resolved(m.doc, "clients"), m.doc.filePath),
		Strict:        flag(m, "strict", false),
		SharedAnchors: text(m, "sharedAnchors", SharedAnchorsRefuse, oneOf([]SharedAnchors{SharedAnchorsRefuse, SharedAnchorsAllow})),
	}
}

func readSigningKeys(m *mapping) SigningKeys {
	keys := SigningKeys{
		Directory:    text(m, "directory", resolved(m.doc, "keys"), m.doc.filePath),
		Algorithm:    text(m, "algorithm", ES256, oneOf([]Algorithm{ES256, ES384, PS256, RS256, EdDSA})),
		Generate:     flag(m, "generate", true),
		PublishAhead: duration(m, "publishAhead", time.Hour, time.Second, 720*time.Hour),
		RotateEvery:  readRotateEvery(m),
	}
	if m.sound("publishAhead") && m.sound("rotateEvery") && keys.RotateEvery != 0 && keys.RotateEvery < 2*keys.PublishAhead {
		m.fail("rotateEvery", fmt.Sprintf("%s is less than twice keys.publishAhead, which is %s; 0s is for never",
			brief(keys.RotateEvery), brief(keys.PublishAhead)))
	}
	return keys
}

// readRotateEvery takes 0 for 0s: it is the same in any unit.
func readRotateEvery(m *mapping) time.Duration {
	if node := m.take("rotateEvery"); node != nil && node.Kind == yaml.ScalarNode && node.Tag == numberKind.tag && node.Value == "0" {
		return 0
	}
	return duration(m, "rotateEvery", 2160*time.Hour, 0, 87600*time.Hour)
}

func readCertificate(m *mapping) Certificate {
	certificate := Certificate{
		From:   text(m, "from", FromPeer, parseFrom),
		Hops:   number(m, "hops", 0, 0, 10),
		Format: text(m, "format", "", oneOf(Formats())),
	}
	if certificate.Hops > 1 && certificate.From != FromXFCC && m.sound("from") {
		m.fail("hops", "more than 1 needs from: xfcc; source.certificate is that of the last proxy in front, not the client's")
	}
	if certificate.From == FromHeader {
		m.require("format")
		certificate.Header = readHeader(m, certificate.Format)
		return certificate
	}
	text(m, "header", "", parseHeaderName)
	for _, name := range []string{"header", "format"} {
		if m.has(name) && m.sound("from") && m.sound(name) {
			m.fail(name, "has meaning only with from: header")
		}
	}
	return certificate
}

// parseFrom says what to write of a format that stands where the source belongs.
func parseFrom(text string) (CertificateFrom, error) {
	if slices.Contains(Formats(), Format(text)) {
		return "", errors.New("write from: header, and format: " + text)
	}
	return oneOf([]CertificateFrom{FromPeer, FromXFCC, FromHeader})(text)
}

var parseInbound = oneOf([]InboundAuthorization{InboundVerify, InboundReject, InboundReplace, InboundPass})

// parseGlobalInbound leaves pass to the routes that say so: it lets something of
// the caller's through.
func parseGlobalInbound(text string) (InboundAuthorization, error) {
	if text == string(InboundPass) {
		return "", errors.New("pass is for single routes: write it where it is wanted")
	}
	return oneOf([]InboundAuthorization{InboundVerify, InboundReject, InboundReplace})(text)
}

func readRevocations(m *mapping) Revocations {
	return Revocations{File: text(m, "file", resolved(m.doc, "revocations/revoked.jsonl"), m.doc.filePath)}
}

// injectReader reads an inject mapping over the values of the one around it.
func injectReader(fallback Inject) func(*mapping) Inject {
	return func(m *mapping) Inject {
		return Inject{
			Bind:       text(m, "bind", fallback.Bind, oneOf([]Bind{BindCnf, BindNone})),
			Typ:        text(m, "typ", fallback.Typ, oneOf([]TokenType{TypeAccessToken, TypeJWT})),
			ClientCert: text(m, "clientCert", fallback.ClientCert, oneOf([]ClientCert{ClientCertNone, ClientCertRFC9440})),
		}
	}
}

var parseMode = oneOf([]Mode{ModeEnforce, ModeShadow})

// checkShadow reports a verifier in Envoy that would refuse what shadow lets pass.
func checkShadow(m *mapping, config *Config) {
	if !config.Envoy.JWTAuthn || !m.sound("routes") || !m.sound("mode") {
		return
	}
	const why = "and with envoy.jwtAuthn Envoy refuses every request without a token of ours"
	if config.Mode == ModeShadow {
		m.fail("mode", "shadow lets requests pass as they came, "+why)
		return
	}
	for _, route := range config.Routes {
		if route.Mode == ModeShadow && (route.Access == AccessCertificate) {
			m.fail("routes", "route "+quote(route.Name)+" has mode: shadow, which lets requests pass as they came, "+why)
		}
	}
}

func readLimits(m *mapping) Limits {
	limits := Limits{
		InFlight:          number(m, "inFlight", 1024, 1, 1_000_000),
		TokenCacheEntries: number(m, "tokenCacheEntries", 100_000, 1, 10_000_000),
		TokensPerClient:   number(m, "tokensPerClient", 64, 1, 1_000_000),
	}
	if m.sound("tokenCacheEntries") && m.sound("tokensPerClient") && limits.TokensPerClient > limits.TokenCacheEntries {
		m.fail("tokensPerClient", fmt.Sprintf("%d is more than limits.tokenCacheEntries, which is %d",
			limits.TokensPerClient, limits.TokenCacheEntries))
	}
	return limits
}

func readLog(m *mapping) Log {
	return Log{
		Format: text(m, "format", LogJSON, oneOf([]LogFormat{LogJSON, LogText})),
		Level:  text(m, "level", LogInfo, oneOf([]LogLevel{LogDebug, LogInfo, LogWarn, LogError})),
	}
}

func readAudit(m *mapping) Audit {
	return Audit{To: text(m, "to", ToStdout, orWord(m.doc.filePath, ToStdout, ToStderr, ToNone))}
}

// resolved returns the default path name as if it had been written.
func resolved(d *document, name string) string {
	path, _ := d.filePath(name)
	return path
}
