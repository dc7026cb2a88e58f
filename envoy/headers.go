package envoy

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// xfcc is left to SANITIZE_SET, which writes it anew from the connection.
const xfcc = "x-forwarded-client-cert"

// forgeableHeaders are names in which some proxy passes a certificate on. A
// caller that sends one is not believed: they are gone before a filter runs.
func forgeableHeaders() []string {
	return []string{
		"client-cert",                      // RFC 9440
		"client-cert-chain",                // RFC 9440
		"ssl-client-cert",                  // ingress-nginx
		"x-forwarded-tls-client-cert",      // Traefik
		"x-forwarded-tls-client-cert-info", // Traefik
		"x-ssl-cert",
	}
}

// forgeablePrefixes cover families of such names; every header of ours, because the
// signed statement to certbearer's own endpoints must come from certbearer; and
// Envoy's own, with which a caller could set timeouts and retries.
func forgeablePrefixes() []string {
	return []string{
		"certbearer-",
		"cf-client-cert-", // Cloudflare
		"ssl-client-",
		"x-amzn-mtls-clientcert", // AWS load balancer
		"x-arr-clientcert",       // Azure
		"x-client-cert",          // Google Cloud load balancer, among others
		"x-client-dn",
		"x-client-verify",
		"x-envoy-",
		"x-ssl-client-",
		"x-tls-client-",
	}
}

// reroutingHeaders are names by which some services take another path or host
// than the request's own, for which the route was chosen. This listener is the
// edge: whoever sends one is a caller and not a proxy of ours.
func reroutingHeaders() []string {
	return []string{"forwarded", "x-forwarded-host", "x-original-url", "x-rewrite-url"}
}

// CertificateHeaders returns the names of every header in which a proxy in common
// use passes a certificate on, [xfcc] aside. Where Envoy is configured by
// others, certbearer's own answer takes them off.
func CertificateHeaders() []string {
	return append(forgeableHeaders(),
		"ssl-client-verify",
		"ssl-client-subject-dn",
		"ssl-client-issuer-dn",
		"ssl-client-s-dn", // httpd's variables, with hyphens
		"ssl-client-i-dn",
		"x-ssl-client-cert",
		"x-ssl-client-verify", // HAProxy's and nginx's examples
		"x-ssl-client-dn",
		"x-ssl-client-s-dn",
		"x-ssl-client-i-dn",
		"x-ssl-client-cn",
		"x-ssl-client-serial",
		"x-ssl-client-sha1",
		"x-ssl-client-fingerprint",
		"x-amzn-mtls-clientcert",
		"x-amzn-mtls-clientcert-leaf",
		"x-amzn-mtls-clientcert-serial-number",
		"x-amzn-mtls-clientcert-issuer",
		"x-amzn-mtls-clientcert-subject",
		"x-amzn-mtls-clientcert-validity",
		"x-arr-clientcert",
		"x-client-cert",
		"x-client-cert-chain",
		"x-client-cert-leaf",
		"x-client-cert-present",
		"x-client-cert-chain-verified",
		"x-client-cert-hash",
		"x-client-cert-serial-number",
		"x-client-cert-spiffe",
		"x-client-cert-subject-dn",
		"x-client-cert-uri-sans",
		"x-client-cert-dnsname-sans",
		"x-client-dn",
		"x-client-verify",
		"x-tls-client-cert",
		"cf-client-cert-sha256",
		"cf-client-cert-der-base64",
	)
}

func earlyHeaderMutation() *corev3.TypedExtensionConfig {
	var mutations []*mutationv3.HeaderMutation
	for _, name := range append(forgeableHeaders(), reroutingHeaders()...) {
		mutations = append(mutations, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}})
	}
	for _, prefix := range forgeablePrefixes() {
		mutations = append(mutations, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
			RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{KeyMatcher: &matcherv3.StringMatcher{
				MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix},
			}},
		}})
	}
	return &corev3.TypedExtensionConfig{
		Name:        "envoy.http.early_header_mutation.header_mutation",
		TypedConfig: pack(&earlyv3.HeaderMutation{Mutations: mutations}),
	}
}
