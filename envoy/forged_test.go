package envoy_test

import (
	"strings"
	"testing"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
)

func TestHeadersThatACallerCouldForgeAreRemoved(t *testing.T) {
	m := managerOf(t, base())
	var early earlyv3.HeaderMutation
	unpack(t, m.GetEarlyHeaderMutationExtensions()[0].GetTypedConfig(), &early)
	for _, name := range []string{
		"x-amzn-mtls-clientcert", "x-amzn-mtls-clientcert-leaf", "x-amzn-mtls-clientcert-serial-number",
		"x-amzn-mtls-clientcert-issuer", "x-amzn-mtls-clientcert-subject", "x-amzn-mtls-clientcert-validity",
		"client-cert", "client-cert-chain", "ssl-client-cert", "ssl-client-verify", "x-ssl-client-cert", "x-client-cert",
		"x-ssl-cert", "x-forwarded-tls-client-cert", "certbearer-statement", "x-envoy-upstream-rq-timeout-ms",
	} {
		if !removed(early.GetMutations(), name) {
			t.Errorf("%s reaches certbearer as the caller sent it", name)
		}
	}
	if removed(early.GetMutations(), "authorization") {
		t.Error("authorization is removed: certbearer could not refuse it")
	}
}

func removed(mutations []*mutationv3.HeaderMutation, name string) bool {
	for _, m := range mutations {
		prefix := m.GetRemoveOnMatch().GetKeyMatcher().GetPrefix()
		if m.GetRemove() == name || prefix != "" && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func TestTheCallerIsNotBelieved(t *testing.T) {
	m := managerOf(t, base())
	details := m.GetSetCurrentClientCertDetails()
	promises := map[string]bool{
		"a forwarded certificate is replaced by the proven one": m.GetForwardClientCertDetails() == hcmv3.HttpConnectionManager_SANITIZE_SET,
		"certificate and chain are forwarded":                   details.GetCert() && details.GetChain(),
		"names, which Envoy does not escape, are not":           !details.GetSubject().GetValue() && !details.GetUri() && !details.GetDns(),
		"some address list stands in place of private networks": len(m.GetInternalAddressConfig().GetCidrRanges()) == 1,
		"the peer's own address counts":                         m.GetUseRemoteAddress().GetValue(),
		"paths are normalised":                                  m.GetNormalizePath().GetValue() && m.GetMergeSlashes(),
		"escaped slashes are refused":                           m.GetPathWithEscapedSlashesAction() == hcmv3.HttpConnectionManager_REJECT_REQUEST,
		"the upstream never sees a certificate nobody judged":   m.GetRouteConfig().GetRequestHeadersToRemove()[0] == "x-forwarded-client-cert",
	}
	for promise, kept := range promises {
		if !kept {
			t.Errorf("not so: %s", promise)
		}
	}
}
