package istio

import "fmt"

// mesh is what the whole mesh has to know: where certbearer is. failOpen is
// written out because nothing else stands between a caller and the upstream
// while certbearer is away.
func mesh(p Params) manifest {
	kind, provider := "envoyExtAuthzGrpc", object{
		"service":       p.service(),
		"port":          grpcPort,
		"timeout":       fmt.Sprintf("%gs", p.Timeout.Seconds()),
		"statusOnError": "503",
		"failOpen":      false,
	}
	if p.Proxy != "" {
		kind, provider["port"] = "envoyExtAuthzHttp", proxyPort
		provider["pathPrefix"] = "/authz"
		provider["includeRequestHeadersInCheck"] = headersOfACheck()
		provider["headersToUpstreamOnAllow"] = headersOfAnAllow()
		provider["headersToDownstreamOnDeny"] = []string{"cache-control", "content-type", "retry-after", "www-authenticate"}
	}
	return manifest{
		comment: "For istioctl install -f. Into a mesh that is there already, take the entry of\nextensionProviders over: it goes into the mesh's configuration, not into a\nresource.",
		object: object{
			"apiVersion": "install.istio.io/v1alpha1",
			"kind":       "IstioOperator",
			"metadata":   object{"name": name, "namespace": "istio-system"},
			"spec": object{"meshConfig": object{
				"extensionProviders": []object{{"name": name, kind: provider}},
			}},
		},
	}
}

// headersOfAnAllow are those of the answer that go on to the upstream: the token,
// the statement for certbearer's own endpoints, and the certificate for upstreams
// that are to have it. What is to be taken off Envoy does unasked.
func headersOfAnAllow() []string {
	return []string{"authorization", "certbearer-statement", "client-cert", "client-cert-chain"}
}

// headersOfACheck are the request's headers that the HTTP provider passes on: the
// certificate, what tells a preflight, and what ties a record to the request.
// Authorization it passes on by itself.
func headersOfACheck() []string {
	return []string{xfcc, "access-control-request-method", "origin", "user-agent", "x-forwarded-for", "x-forwarded-proto", "x-request-id"}
}
