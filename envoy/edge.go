package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// EdgeManager returns what a connection manager that somebody else renders, such
// as an ingress gateway's, must be given besides, so that its callers cannot pass
// themselves off as others: to be merged into it. How it finds the caller's
// address, and its limits of time, are left to who renders it.
func EdgeManager() *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		ForwardClientCertDetails:      hcmv3.HttpConnectionManager_SANITIZE_SET,
		SetCurrentClientCertDetails:   &hcmv3.HttpConnectionManager_SetCurrentClientCertDetails{Cert: true, Chain: true},
		EarlyHeaderMutationExtensions: []*corev3.TypedExtensionConfig{earlyHeaderMutation()},
		AlwaysSetRequestIdInResponse:  true,
		NormalizePath:                 wrapperspb.Bool(true),
		MergeSlashes:                  true,
		PathWithEscapedSlashesAction:  hcmv3.HttpConnectionManager_REJECT_REQUEST,
		MaxRequestHeadersKb:           wrapperspb.UInt32(headersKB),
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_REJECT_REQUEST,
		},
	}
}

// EdgeTLS returns what the TLS of such a listener must be given besides, where it
// asks for a certificate and has a CA: Envoy does not name that CA to clients,
// and takes every kind of key that we take.
func EdgeTLS() *tlsv3.DownstreamTlsContext {
	return &tlsv3.DownstreamTlsContext{
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: &tlsv3.TlsParameters{SignatureAlgorithms: signatureAlgorithms()},
			ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
				CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
					DefaultValidationContext: &tlsv3.CertificateValidationContext{SuppressClientCaList: true},
				},
			},
		},
	}
}

// StrippedHeaders returns the names, and the beginnings of names, of the headers
// that a caller's request loses before anything looks at it, for those who
// configure Envoy in another language.
func StrippedHeaders() (names, prefixes []string) {
	return append(forgeableHeaders(), reroutingHeaders()...), forgeablePrefixes()
}

// SignatureAlgorithms returns what a client may prove its key with.
func SignatureAlgorithms() []string { return signatureAlgorithms() }

// CipherSuites returns those of TLS 1.2, by Envoy's names.
func CipherSuites() []string { return cipherSuites() }
