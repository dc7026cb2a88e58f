package config

import (
	"errors"
	"regexp"
	"strings"
)

// Istio is what `certbearer render istio` needs to know besides. Everything has a
// default.
type Istio struct {
	// Namespace is where certbearer runs, Image what its pod runs.
	Namespace string
	Image     string
	// TrustDomain is that of the mesh's identities, ClusterDomain the suffix of the
	// cluster's services.
	TrustDomain   string
	ClusterDomain string
	// Hosts are what the gateway serves; empty: the issuer's host.
	Hosts []string
	// CredentialName is the Secret of the gateway's own certificate.
	CredentialName string
	Provider       IstioProvider
	Gateway        IstioGateway
}

// IstioProvider is how the gateway asks.
type IstioProvider string

// The values of [IstioProvider].
const (
	// ProviderGRPC: checks on [Listen.GRPC].
	ProviderGRPC IstioProvider = "grpc"
	// ProviderHTTP: checks over HTTP, on the socket of the one entry of proxies that
	// has one and the format xfcc.
	ProviderHTTP IstioProvider = "http"
)

// IstioGateway is the ingress gateway.
type IstioGateway struct {
	Namespace string
	// Selector is "key=value", several with commas between them.
	Selector       string
	ServiceAccount string
	Port           int
}

// kubernetesName is a DNS label (RFC 1123), as namespaces are named.
var kubernetesName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// kubernetesLabel is a label's key and value. The prefix of a key is a DNS name.
var kubernetesLabel = regexp.MustCompile(`^([a-z0-9.-]{1,253}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,62}=[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// imageName is a container image, with a tag or a digest.
var imageName = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9._:/@-]{0,254}$`)

func readIstio(m *mapping) Istio {
	name := matching(kubernetesName, "a name of lower-case letters, digits and hyphens")
	return Istio{
		Namespace:      text(m, "namespace", "certbearer", name),
		Image:          text(m, "image", "certbearer:dev", matching(imageName, "a container image such as registry.example/certbearer:1.0")),
		TrustDomain:    text(m, "trustDomain", "cluster.local", dnsName),
		ClusterDomain:  text(m, "clusterDomain", "cluster.local", dnsName),
		Hosts:          texts(m, "hosts", parseHostPattern),
		CredentialName: text(m, "credentialName", "certbearer-gateway", name),
		Provider:       text(m, "provider", ProviderGRPC, oneOf([]IstioProvider{ProviderGRPC, ProviderHTTP})),
		Gateway: section(m, "gateway", func(inner *mapping) IstioGateway {
			return IstioGateway{
				Namespace:      text(inner, "namespace", "istio-system", name),
				Selector:       text(inner, "selector", "istio=ingressgateway", parseSelector),
				ServiceAccount: text(inner, "serviceAccount", "istio-ingressgateway-service-account", name),
				Port:           number(inner, "port", 443, 1, 65535),
			}
		}),
	}
}

func dnsName(text string) (string, error) {
	if !isDNSName(text) || text != strings.ToLower(text) {
		return "", errors.New("want a lower-case DNS name, got " + quote(text))
	}
	return text, nil
}

// parseSelector accepts labels that all must be there.
func parseSelector(text string) (string, error) {
	for label := range strings.SplitSeq(text, ",") {
		if !kubernetesLabel.MatchString(label) {
			return "", errors.New("want key=value, several with commas between them, got " + quote(text))
		}
	}
	return text, nil
}
