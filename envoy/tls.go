package envoy

import (
	"path/filepath"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const tlsSocket = "envoy.transport_sockets.tls"

// signatureAlgorithms lists what a client may prove its key with, in our order
// of preference. BoringSSL's own list lacks ed25519 and P-521, and clients with
// such keys then silently send no certificate. SHA-1 is left out: clients with
// RSA keys, 1024 bits included, all have one of these to offer.
func signatureAlgorithms() []string {
	return []string{
		"ecdsa_secp256r1_sha256",
		"ed25519",
		"rsa_pss_rsae_sha256",
		"ecdsa_secp384r1_sha384",
		"rsa_pss_rsae_sha384",
		"ecdsa_secp521r1_sha512",
		"rsa_pss_rsae_sha512",
		"rsa_pkcs1_sha256",
		"rsa_pkcs1_sha384",
		"rsa_pkcs1_sha512",
	}
}

// cipherSuites are those that RFC 9325 section 4.2 recommends for TLS 1.2, and the
// only ones that the FAPI 2.0 profile permits: forward secrecy and AEAD.
func cipherSuites() []string {
	return []string{
		"ECDHE-ECDSA-AES128-GCM-SHA256",
		"ECDHE-RSA-AES128-GCM-SHA256",
		"ECDHE-ECDSA-AES256-GCM-SHA384",
		"ECDHE-RSA-AES256-GCM-SHA384",
	}
}

// downstreamTLS asks for a client certificate, has the client prove its key, and
// leaves the judgement to certbearer. Each part is needed: without a trusted CA
// Envoy does not insist on a certificate; without suppress_client_ca_list it names
// that CA to clients, and those that obey the list send nothing. An Envoy that
// lacks the field gets no trusted CA: ACCEPT_UNTRUSTED alone has it ask.
//
// Behind another proxy it is that proxy's certificate, and the one judgement that
// is Envoy's: certbearer never sees who wrote the elements before the last.
func downstreamTLS(p Params) *tlsv3.DownstreamTlsContext {
	validation := &tlsv3.CertificateValidationContext{TrustChainVerification: tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED}
	if p.has(suppressesCAList) {
		validation.TrustedCa, validation.SuppressClientCaList = file(p.trustedCA()), true
	}
	if p.Front != nil {
		validation = &tlsv3.CertificateValidationContext{TrustedCa: file(p.Front.TrustedCA)}
		for _, name := range p.Front.SANs {
			validation.MatchTypedSubjectAltNames = append(validation.MatchTypedSubjectAltNames, callerMatcher(name))
		}
	}
	return &tlsv3.DownstreamTlsContext{
		RequireClientCertificate: wrapperspb.Bool(p.ClientCertificate == Required && !p.withoutAlert() || p.Front != nil),
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: &tlsv3.TlsParameters{
				TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2,
				TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
				CipherSuites:              cipherSuites(),
				SignatureAlgorithms:       signatureAlgorithms(),
			},
			AlpnProtocols:                  []string{"h2", "http/1.1"},
			TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{secretRef(p, serverSecret)},
			ValidationContextType:          &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: validation},
		},
	}
}

// endpointTLS is Envoy's side of mTLS towards certbearer. Both
// sides are ours, so nothing older than TLS 1.3 is offered. alpn is what the cluster speaks.
func endpointTLS(p Params, t ClientTLS, secret, alpn string) *tlsv3.UpstreamTlsContext {
	name := sanMatcher(tlsv3.SubjectAltNameMatcher_DNS, t.ServerName)
	if t.ServerURI != "" {
		name = sanMatcher(tlsv3.SubjectAltNameMatcher_URI, t.ServerURI)
	}
	return &tlsv3.UpstreamTlsContext{
		Sni: t.ServerName,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams:                      &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_3, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
			AlpnProtocols:                  []string{alpn},
			TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{secretRef(p, secret)},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
				ValidationContext: &tlsv3.CertificateValidationContext{
					TrustedCa:                 file(t.TrustedCA),
					MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{name},
				},
			},
		},
	}
}

// upstreamTLS verifies the upstream by chain and by name. An IP address is no
// SNI (RFC 6066 section 3), so none is sent for one.
func upstreamTLS(u Upstream) *tlsv3.UpstreamTlsContext {
	kind, sni := tlsv3.SubjectAltNameMatcher_DNS, u.Host
	if !(address{host: u.Host}).isName() {
		kind, sni = tlsv3.SubjectAltNameMatcher_IP_ADDRESS, ""
	}
	validation := &tlsv3.CertificateValidationContext{
		TrustedCa:                 file(u.TrustedCA),
		MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{sanMatcher(kind, u.Host)},
	}
	return &tlsv3.UpstreamTlsContext{
		Sni: sni,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams:             &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: validation},
		},
	}
}

// callerMatcher matches a URI by its "://", and anything else as a DNS name.
func callerMatcher(name string) *tlsv3.SubjectAltNameMatcher {
	if strings.Contains(name, "://") {
		return sanMatcher(tlsv3.SubjectAltNameMatcher_URI, name)
	}
	return sanMatcher(tlsv3.SubjectAltNameMatcher_DNS, strings.TrimPrefix(name, "dns:"))
}

func sanMatcher(kind tlsv3.SubjectAltNameMatcher_SanType, value string) *tlsv3.SubjectAltNameMatcher {
	return &tlsv3.SubjectAltNameMatcher{
		SanType: kind,
		Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}},
	}
}

func secretRef(p Params, name string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{
		Name: name,
		SdsConfig: &corev3.ConfigSource{
			ResourceApiVersion: corev3.ApiVersion_V3,
			ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{
				PathConfigSource: &corev3.PathConfigSource{Path: secretPath(p, name), WatchedDirectory: directoryOf(p.SDSPath)},
			},
		},
	}
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}

func directoryOf(path string) *corev3.WatchedDirectory {
	return &corev3.WatchedDirectory{Path: filepath.Dir(path)}
}
